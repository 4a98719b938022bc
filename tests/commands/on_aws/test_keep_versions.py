"""`keep_versions`: published versions of functions that nothing uses are deleted, and with them old layers."""

import json
from datetime import UTC, datetime

import pytest
from deploying import MANIFEST
from planning import read

from entrypoint.aws.model import VERSION_MARK
from entrypoint.cli import main
from entrypoint.release.iam_policy import iam_policy


@pytest.fixture
def manifest(project):
    def write(more=""):
        text = MANIFEST.replace(
            "api: {layers: [web, tools]", f"api: {{layers: [web, tools], aliases: [live]{more}"
        )
        (project / "lambda-layers.yml").write_text(text)

    return write


@pytest.fixture(autouse=True)
def _alias(client):
    version = client.publish_version(FunctionName="api", Description="by another tool")["Version"]
    client.create_alias(FunctionName="api", Name="live", FunctionVersion=version)


@pytest.fixture
def versions(client):
    """The published versions of `api` in AWS, and the one that the alias points to."""

    def look():
        found = client.list_versions_by_function(FunctionName="api")["Versions"]
        numbers = [each["Version"] for each in found if each["Version"] != "$LATEST"]
        return sorted(numbers, key=int), client.get_alias(FunctionName="api", Name="live")["FunctionVersion"]

    return look


@pytest.fixture
def deploy(pin):
    def each(*numbers):
        for number in numbers:
            pin("tools.txt", "attrs", f"{number}.0")
            assert main(["deploy"]) == 0

    return each


def test_by_default_all_stay(manifest, deploy, versions):
    manifest()
    deploy(1, 2, 3)
    assert versions() == (["1", "2", "3", "4"], "4")


def test_the_newest_are_kept_after_a_deployment(manifest, deploy, versions, client, capsys):
    manifest(", keep_versions: 2")
    deploy(1, 2, 3)
    assert versions() == (["1", "3", "4"], "4")  # the first is of another tool
    assert "deleted in eu-west-1, versions of functions: api:2" in capsys.readouterr().out
    description = client.get_function_configuration(FunctionName="api", Qualifier="4")["Description"]
    assert description.endswith(VERSION_MARK)


def test_what_an_alias_uses_or_is_provisioned_stays(manifest, deploy, versions, client):
    manifest()
    deploy(1, 2, 3, 4, 5)
    client.create_alias(FunctionName="api", Name="old", FunctionVersion="2")
    weights = {"AdditionalVersionWeights": {"3": 0.5}}
    client.update_alias(FunctionName="api", Name="old", RoutingConfig=weights)
    client.put_provisioned_concurrency_config(
        FunctionName="api", Qualifier="4", ProvisionedConcurrentExecutions=1
    )
    manifest(", keep_versions: 1")
    assert main(["prune"]) == 0
    assert versions() == (["1", "2", "3", "4", "6"], "6")


def test_their_layers_can_be_pruned_then(aws, manifest, deploy, versions, client, capsys):
    manifest()
    deploy(1, 2, 3, 4)
    aws.cloud.clock = lambda: datetime.now(tz=UTC).timestamp()
    for region in aws.cloud.regions.values():
        for version in region.layers["tools"].versions.values():
            object.__setattr__(version, "created", "2020-01-01T00:00:00.000+0000")

    def numbers():
        found = client.list_layer_versions(LayerName="tools")["LayerVersions"]
        return [each["Version"] for each in found]

    assert main(["prune", "--keep", "1"]) == 0
    assert numbers() == [4, 3, 2, 1]  # of each, a published version is there
    manifest(", keep_versions: 1")
    capsys.readouterr()
    assert main(["prune", "--keep", "1", "--dry-run", "--json"]) == 0
    (region,) = json.loads(capsys.readouterr().out)["regions"]
    assert region["deletedVersions"] == ["api:4", "api:3", "api:2"]
    assert region["deleted"] == ["tools:3", "tools:2", "tools:1"]
    assert versions() == (["1", "2", "3", "4", "5"], "5")
    assert main(["prune", "--keep", "1"]) == 0
    assert versions() == (["1", "5"], "5")
    assert numbers() == [4]


def test_nothing_is_deleted_after_a_deployment_that_failed(aws, manifest, deploy, versions, pin):
    manifest(", keep_versions: 1")
    deploy(1)
    pin("tools.txt", "attrs", "2.0")
    aws.fail_next_update("report-daily")
    pin("web.txt", "six", "2.0")
    assert main(["deploy"]) == 12
    assert versions() == (["1", "2", "3"], "3")


def test_the_policy_allows_to_delete_versions_and_no_function():
    text = "layers: {web: {requirements: [six], runtimes: [python3.13]}}\nfunctions:\n"
    text += "  api: {layers: [web], aliases: [live], keep_versions: 3}\n"
    text += "  team: {tag: {team: a}, layers: [web], aliases: [live], keep_versions: 3}\n"
    manifest, layers = read(text)
    policy = iam_policy(manifest, layers, regions=["eu-west-1"], account="123456789012")
    resources = [
        arn
        for statement in policy["Statement"]
        if "lambda:DeleteFunction" in statement["Action"]
        for arn in statement["Resource"]
    ]
    assert resources == [
        "arn:aws:lambda:eu-west-1:123456789012:function:api:*",
        "arn:aws:lambda:eu-west-1:123456789012:function:*:*",
    ]
