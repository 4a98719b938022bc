"""`share`: what plan, status and deploy say of access for other accounts, and what boto3 finds in AWS."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from deploying import MANIFEST

from entrypoint.cli import main

OTHER = "210987654321"
SHARED = f'share: {{accounts: ["{OTHER}"]}}, '


@pytest.fixture
def manifest(project):
    def write(more):
        text = MANIFEST.replace("lock: tools.txt, ", f"lock: tools.txt, {more}")
        (project / "lambda-layers.yml").write_text(text)

    return write


@pytest.fixture
def principals(client):
    """Who may use a version, as its policy in AWS says."""

    def read(version=1):
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            policy = client.get_layer_version_policy(LayerName="tools", VersionNumber=version)["Policy"]
            return {each["Sid"]: each["Principal"] for each in json.loads(policy)["Statement"]}
        return {}

    return read


@pytest.fixture
def numbers(client):
    return lambda: [
        each["Version"] for each in client.list_layer_versions(LayerName="tools")["LayerVersions"]
    ]


def said(capsys, *command, code=0):
    assert main([*command]) == code
    return " ".join(capsys.readouterr().out.split())


def test_access_is_part_of_plan_status_and_deploy_both_ways(manifest, principals, capsys, written):
    assert main(["deploy"]) == 0
    manifest(SHARED)
    capsys.readouterr()
    written()
    plan = said(capsys, "plan", "--detailed-exitcode", code=2)
    assert f"+ access for account {OTHER}" in plan
    assert "to share or unshare: 1 layer" in plan
    assert f"tools: has version 1 without access for account {OTHER}" in said(capsys, "status", code=2)
    assert written() == []
    assert main(["deploy"]) == 0
    assert written() == ["AddLayerVersionPermission"]
    assert principals() == {f"lambda-layers-{OTHER}": {"AWS": f"arn:aws:iam::{OTHER}:root"}}
    assert main(["plan", "--detailed-exitcode"]) == main(["status"]) == 0

    manifest("")
    capsys.readouterr()
    assert f"- access for account {OTHER}" in said(capsys, "plan", "--detailed-exitcode", code=2)
    assert f"tools: has version 1 with access for account {OTHER}" in said(capsys, "status", code=2)
    assert main(["deploy"]) == 0
    assert written() == ["RemoveLayerVersionPermission"]
    assert principals() == {}
    assert main(["plan", "--detailed-exitcode"]) == main(["status"]) == 0


def test_what_another_tool_granted_is_left_unchanged(manifest, principals, client):
    manifest(SHARED)
    assert main(["deploy"]) == 0
    client.add_layer_version_permission(
        LayerName="tools", VersionNumber=1, StatementId="ops", Action="lambda:GetLayerVersion", Principal="*"
    )
    assert main(["plan", "--detailed-exitcode"]) == 0
    manifest("")
    assert main(["deploy"]) == 0
    assert principals() == {"ops": "*"}


def test_in_json(manifest, capsys):
    assert main(["deploy"]) == 0
    manifest(SHARED)
    capsys.readouterr()
    assert main(["deploy", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    (layer,) = (each for each in result["regions"][0]["layers"] if each["name"] == "tools")
    assert result["changed"]
    assert layer["granted"] == [f"account {OTHER}"]
    assert layer["revoked"] == []


def _age(aws):
    aws.cloud.clock = lambda: datetime.now(tz=UTC).timestamp()
    for region in aws.cloud.regions.values():
        for layer in region.layers.values():
            for version in layer.versions.values():
                object.__setattr__(version, "created", "2020-01-01T00:00:00.000+0000")


def test_a_version_that_is_shared_is_kept_and_reported(aws, manifest, pin, numbers, capsys):
    manifest(f"{SHARED}keep: 1, ")
    for version in ("3.0", "4.0"):
        pin("tools.txt", "attrs", version)
        assert main(["deploy"]) == 0
        _age(aws)
    assert numbers() == [2, 1]
    capsys.readouterr()
    reason = f"kept in eu-west-1: tools:1 is shared with account {OTHER}"
    assert reason in said(capsys, "prune", "--keep", "1", "--dry-run")
    assert reason in said(capsys, "prune", "--keep", "1")
    assert numbers() == [2, 1]


def test_without_grants_it_is_deleted(aws, manifest, pin, numbers, client):
    manifest(SHARED)
    for version in ("3.0", "4.0"):
        pin("tools.txt", "attrs", version)
        assert main(["deploy"]) == 0
    _age(aws)
    client.remove_layer_version_permission(
        LayerName="tools", VersionNumber=1, StatementId=f"lambda-layers-{OTHER}"
    )
    assert main(["prune", "--keep", "1"]) == 0
    assert numbers() == [2]


def test_young_versions_are_counted(pin, numbers, capsys):
    for version in ("3.0", "4.0", "5.0"):
        pin("tools.txt", "attrs", version)
        assert main(["deploy"]) == 0
    capsys.readouterr()
    text = said(capsys, "prune", "--keep", "1")
    assert text == (
        "kept in eu-west-1: 2 versions less than an hour old, as another run may be using them "
        "nothing to delete"
    )
    assert numbers() == [3, 2, 1]
