"""`--json` on every command that prints facts about AWS: what it says is what boto3 shows, failures included."""

import datetime as dt
import json
import time

import faults as fault
import pytest
from deploying import MANIFEST, UPDATE

from entrypoint.cli import main

BOTH = MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]")


@pytest.fixture
def answer(capsys):
    """Run a command with --json; its whole standard output is one JSON document."""

    def run(*arguments, code=0):
        capsys.readouterr()
        assert main([*arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def test_a_deployment(answer, client):
    said = answer("deploy")
    (region,) = said["regions"]
    assert said["changed"] is True
    assert region["region"] == "eu-west-1"
    published = {layer["name"]: layer["version"]["arn"] for layer in region["layers"]}
    for name, arn in published.items():
        assert [
            each["LayerVersionArn"] for each in client.list_layer_versions(LayerName=name)["LayerVersions"]
        ] == [arn]
    for function in region["functions"]:
        layers = client.get_function_configuration(FunctionName=function["name"])["Layers"]
        assert function["status"] == "updated"
        assert function["after"] == [layer["Arn"] for layer in layers]
    assert said["diagnostics"] == []
    assert answer("deploy")["changed"] is False


def test_a_function_that_cannot_be_updated(answer, faults):
    faults.script(UPDATE, *[fault.error(403, "AccessDeniedException", "no")] * 2)
    said = answer("deploy", code=12)
    (region,) = said["regions"]
    assert {function["status"] for function in region["functions"]} == {"failed"}
    assert all(each["message"].startswith("eu-west-1: AWS refuses") for each in said["diagnostics"])
    assert region["problems"][0]["hint"].startswith("allow lambda:UpdateFunctionConfiguration")


@pytest.mark.parametrize(("command", "code"), [("plan", 10), ("status", 10), ("doctor", 10), ("prune", 10)])
def test_a_region_that_cannot_be_read_is_named_beside_the_others(answer, project, faults, command, code):
    (project / "lambda-layers.yml").write_text(BOTH.replace("runtimes:", "keep: 1, runtimes:"))
    faults.refuse_region("us-east-1", fault.error(403, "AccessDeniedException", "no"))
    said = answer(command, code=code)
    regions = {region["region"]: region for region in said["regions"]}
    assert "no (AccessDeniedException)" in regions["us-east-1"]["problems"][0]["message"]
    assert "problems" not in regions["eu-west-1"]
    assert [each for each in said["diagnostics"] if each["message"].startswith("us-east-1: AWS refuses")]


def test_a_rollback_and_a_pruning(answer, pin, client):
    for version in ("1.0", "2.0"):
        pin("tools.txt", "attrs", version)
        answer("deploy")
    said = answer("rollback", "--layer", "tools", "--to", "1")
    layers = client.get_function_configuration(FunctionName="api")["Layers"]
    (function,) = (each for each in said["regions"][0]["functions"] if each["name"] == "api")
    assert function["after"] == [layer["Arn"] for layer in layers]
    assert function["before"] != function["after"]
    assert abs(dt.datetime.fromisoformat(function["time"]).timestamp() - time.time()) < 60
    assert answer("prune", "--keep", "1")["regions"] == [
        {
            "region": "eu-west-1",
            "deleted": [],
            "deletedVersions": [],
            "deletedArchives": [],
            "deletedAlarms": [],
            "kept": [],
        }
    ]


def test_an_error_before_anything_is_read(answer, project):
    (project / "lambda-layers.yml").write_text("version: 1\nlayer: {}\n")
    found = answer("plan", code=5)["diagnostics"]
    assert [each["file"] for each in found] == ["lambda-layers.yml"] * len(found)
    assert {each["line"] for each in found} == {1, 2}
    assert {each["severity"] for each in found} == {"error"}


def test_drift_and_findings_reach_code_scanning_and_annotations(project, monkeypatch, capsys, aws):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main(["status", "--sarif", "drift.sarif"]) == 2
    assert "::warning ::eu-west-1: tools is not deployed" in capsys.readouterr().out
    (run,) = json.loads((project / "drift.sarif").read_text())["runs"]
    assert {(result["ruleId"], result["level"]) for result in run["results"]} == {("drift", "warning")}
    manifest = MANIFEST.replace(
        "{layers: [web, tools]}", "{layers: [web], vpc: {subnets: [subnet-0], security_groups: [sg-0]}}"
    )
    (project / "lambda-layers.yml").write_text(manifest)
    assert main(["doctor", "--sarif", "doctor.sarif"]) == 11
    assert "::error ::eu-west-1: the subnet subnet-0 of api does not exist" in capsys.readouterr().out
    (run,) = json.loads((project / "doctor.sarif").read_text())["runs"]
    levels = {(result["ruleId"], result["level"]) for result in run["results"]}
    assert {("doctor", "error"), ("doctor", "note")} <= levels
