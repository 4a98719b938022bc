"""`--from`: another account gets exactly the layer versions that the first one runs; nothing is built."""

import contextlib
import json

import boto3
import faults as fault
import pytest

from entrypoint.cli import main

STAGES = {"stage": "111111111111", "prod": "222222222222"}
MANIFEST = """\
version: 1
regions: [eu-west-1]
accounts: ["arn:aws:iam::${ACCOUNT}:role/layers"]
layers:
  web: {requirements: [six], lock: web.txt, runtimes: [python3.12, python3.13], name: "{layer}-${STAGE}"}
  tools: {requirements: [six], lock: tools.txt, runtimes: [python3.13]}
functions:
  app: {layers: [web, tools]}
"""


def values(stage, option="--set"):
    return [f"{option}=STAGE={stage}", f"{option}=ACCOUNT={STAGES[stage]}"]


PROMOTE = [*values("prod"), *values("stage", "--from")]


@pytest.fixture(autouse=True)
def _accounts(aws, project):
    (project / "lambda-layers.yml").write_text(MANIFEST)
    for account in STAGES.values():
        aws.declare_function("app", account=account)


@pytest.fixture
def stage(capsys):
    assert main(["deploy", *values("stage")]) == 0
    capsys.readouterr()


@pytest.fixture
def clients(project):
    with contextlib.ExitStack() as opened:
        keys = [
            {"aws_access_key_id": account, "aws_secret_access_key": "local"} for account in STAGES.values()
        ]
        made = [opened.enter_context(contextlib.closing(boto3.client("lambda", **each))) for each in keys]
        yield dict(zip(STAGES, made, strict=True))


def digest(client, name, version=1):
    return client.get_layer_version(LayerName=name, VersionNumber=version)["Content"]["CodeSha256"]


def test_the_same_bytes_without_a_build(stage, clients, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))  # a build would find no wheel
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    assert main(["plan", *PROMOTE]) == 0
    told = capsys.readouterr().out
    assert "web-prod  no version yet -> new version from web-stage:1 in 111111111111/eu-west-1" in told
    assert main(["deploy", *PROMOTE, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (tools,) = (each for each in said["regions"][0]["layers"] if each["name"] == "tools")
    origin = {"region": "eu-west-1", "account": "111111111111", "name": "tools", "version": 1}
    assert tools["origin"] == origin
    for source, here in (("web-stage", "web-prod"), ("tools", "tools")):
        assert digest(clients["prod"], here) == digest(clients["stage"], source)
    published = clients["prod"].list_layer_versions(LayerName="web-prod")["LayerVersions"][0]
    assert published["CompatibleRuntimes"] == ["python3.12", "python3.13"]
    layers = clients["prod"].get_function_configuration(FunctionName="app")["Layers"]
    assert [each["Arn"].split(":", 4)[4] for each in layers] == [
        "222222222222:layer:web-prod:1",
        "222222222222:layer:tools:1",
    ]
    assert main(["plan", *values("prod"), "--detailed-exitcode"]) == 0
    assert main(["deploy", *PROMOTE]) == 0
    assert len(clients["prod"].list_layer_versions(LayerName="tools")["LayerVersions"]) == 1


def test_what_was_not_published_there_is_an_error_for_each_layer(stage, pin, clients, capsys):
    pin("tools.txt", "attrs", "4.0")
    pin("web.txt", "six", "2.0")
    for command in ("plan", "deploy"):
        assert main([command, *PROMOTE]) == 11
        told = capsys.readouterr().err
        for line, name in ((5, "web-stage"), (6, "tools")):
            layer = f"lambda-layers.yml:{line}:3: the layer {name} in 111111111111/eu-west-1"
            assert f"{layer} has no version with the dependency hash of this commit" in told
    assert clients["prod"].list_layer_versions(LayerName="tools")["LayerVersions"] == []


def test_an_archive_with_another_digest_is_not_published(stage, clients, faults, capsys):
    def another(answer):
        answer["Content"]["CodeSha256"] = "A" * 43 + "="

    faults.script("GetLayerVersion", fault.changed(another), about="tools")
    assert main(["deploy", *PROMOTE]) == 10
    assert "the archive of tools:1 in 111111111111/eu-west-1 is not the one" in capsys.readouterr().err
    assert clients["prod"].list_layer_versions(LayerName="tools")["LayerVersions"] == []


def test_a_version_that_nothing_uses_is_a_warning(stage, clients, capsys):
    clients["stage"].update_function_configuration(FunctionName="app", Layers=[])
    assert main(["plan", *PROMOTE]) == 0
    told = capsys.readouterr().err
    assert "no function uses tools:1 in 111111111111/eu-west-1, which is published as tools" in told


def test_a_source_that_cannot_be_read_is_an_error(stage, faults, capsys):
    faults.script("ListLayerVersions", None, None, fault.DENIED, fault.DENIED)
    assert main(["plan", *PROMOTE]) == 10
    assert "111111111111/eu-west-1: AWS refuses ListLayerVersions" in capsys.readouterr().err


def test_a_workflow_shows_the_source_and_builds_nothing(stage, tmp_path, monkeypatch):
    output, summary = tmp_path / "output", tmp_path / "summary"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert main(["plan", *PROMOTE]) == 0
    assert '{"include": []}' in output.read_text()
    assert "**new** from tools:1 in 111111111111/eu-west-1" in summary.read_text()


def test_names_may_be_those_of_one_account(aws, project, client, capsys):
    aws.declare_function("app")
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("accounts:", "x-accounts:"))
    assert main(["deploy", "--set", "STAGE=stage", "--set", "ACCOUNT=1"]) == 0
    promote = ["--set", "STAGE=prod", "--set", "ACCOUNT=1", "--from", "STAGE=stage"]
    capsys.readouterr()
    assert main(["plan", *promote, "--out", "plan.json"]) == 0
    assert "no version yet -> new version from web-stage:1 in eu-west-1" in capsys.readouterr().out
    assert main(["deploy", *promote, "--plan", "plan.json"]) == 0
    assert digest(client, "web-prod") == digest(client, "web-stage")
    assert len(client.list_layer_versions(LayerName="tools")["LayerVersions"]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--artifacts", "folder"], "--artifacts has no effect with --from"),
        (["--from", "2"], "--from 2 is not NAME or NAME=VALUE"),
    ],
)
def test_what_does_not_fit(arguments, told, capsys):
    assert main(["deploy", *PROMOTE, *arguments]) == 4
    assert told in capsys.readouterr().err
