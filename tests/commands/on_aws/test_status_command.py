"""`lambda-layers status`: where AWS differs from the manifest, everywhere, without changing it."""

import json

import faults as fault
import pytest
from deploying import MANIFEST

from entrypoint.cli import main


@pytest.fixture
def status(capsys):
    def run(*arguments, code=0):
        capsys.readouterr()
        assert main(["status", *arguments]) == code
        return capsys.readouterr()

    return run


def test_before_and_after_a_deployment(status, written):
    told = status(code=2).out.splitlines()
    assert told[0] == "eu-west-1"
    assert "  not deployed tools: has no version; expected: the packages of the locks here" in told
    assert "  off version  report-daily: has none; expected: web-python312-x86_64, not deployed yet" in told
    assert written() == []
    assert main(["deploy"]) == 0
    written()
    assert status().out.splitlines() == ["eu-west-1", "  up to date   3 layers, 2 functions"]
    assert written() == []


def test_what_others_did_meanwhile(status, client, pin, aws):
    main(["deploy"])
    pin("tools.txt", "attrs", "4.0")
    assert main(["deploy"]) == 0
    client.update_function_configuration(
        FunctionName="api", Layers=["arn:aws:lambda:eu-west-1:123456789012:layer:tools:1"]
    )
    client.delete_layer_version(LayerName="tools", VersionNumber=1)
    aws.declare_layer_version("web-python312-x86_64", account="123456789012", version=2, description="mine")
    client.delete_function(FunctionName="report-daily")
    told = status(code=2).out.splitlines()
    assert told[1:] == [
        "  not ours     web-python312-x86_64: has version 2, published outside lambda-layers; expected: version 1",
        "  off version  api: has none; expected: web-python313-x86_64:1",
        "  deleted      api: has tools:1, which was deleted; expected: tools:2",
    ]
    client.delete_function(FunctionName="api")
    assert "  missing      api: has the function 'api' does not exist" in status(code=2).out


def test_json_is_json_in_a_workflow_too(status, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    found = status("--json", code=2)
    assert json.loads(found.out)["drift"]
    assert "::warning ::" in found.err


def test_as_json(status):
    main(["deploy"])
    assert json.loads(status("--json").out)["drift"] is False
    main(["deploy"])
    (region,) = json.loads(status("--json").out)["regions"]
    assert region["region"] == "eu-west-1"
    assert [layer["name"] for layer in region["layers"]] == [
        "web-python312-x86_64",
        "web-python313-x86_64",
        "tools",
    ]
    assert {each["name"] for each in region["functions"]} == {"api", "report-daily"}
    assert region["drift"] == []


def test_a_place_that_fails_hides_no_other(status, aws, project, faults):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]"))
    faults.refuse_region("us-east-1", fault.error(403, "AccessDeniedException", "not here"))
    told = status(code=10)
    assert "  not deployed tools: has no version" in told.out
    assert "error: us-east-1: AWS refuses" in told.err
    assert "not here" in told.err
    regions = json.loads(status("--json", code=10).out)["regions"]
    assert [region["region"] for region in regions] == ["eu-west-1", "us-east-1"]
    assert "not here" in regions[1]["problems"][0]["message"]


def test_in_a_workflow_the_step_has_a_summary(status, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    status(code=2)
    main(["deploy"])
    status()
    text = (tmp_path / "summary.md").read_text()
    assert "| `tools` | eu-west-1 | not deployed | no version | the packages of the locks here |" in text
    assert text.endswith("## Lambda layers: up to date\n\nAWS matches the manifest.\n")


def test_on_the_embedded_aws(status, project):
    assert main(["deploy", "--aws", "local"]) == 0
    assert "up to date" in status("--aws", "local").out


def test_more_versions_than_a_page(status, aws, client):
    main(["deploy"])
    arn = "arn:aws:lambda:eu-west-1:123456789012:layer:tools"
    for number in range(2, 120):
        aws.declare_layer_version("tools", account="123456789012", version=number)
    aws.declare_function("old", layers=[f"{arn}:1"])
    told = status(code=2).out
    assert "deleted" not in told
    assert "tools: has version 119, published outside lambda-layers; expected: version 1" in told
