"""Aliases that AWS CodeDeploy shifts, by the commands: the cases are in tests/release/test_code_deploy.py."""

import contextlib
import json

import pytest

from entrypoint.aws.access import Access
from entrypoint.aws.aliases import marked
from entrypoint.aws.client import Aws
from entrypoint.cli import main
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination, Shift

LAYERS = """version: 1
regions: [eu-west-1]
layers:
  web: {requirements: [six], lock: web.txt, runtimes: [python3.13]}
"""
FUNCTIONS = "functions: {api: {layers: [web], aliases: [live]}}\n"
SHIFT = """functions:
  api: {layers: [web], aliases: [live]}
rollout:
  shift: {codedeploy: LambdaLinear10PercentEvery1Minute, role: "arn:aws:iam::{account}:role/deploys"}
"""


@pytest.fixture
def alias(client):
    version = client.publish_version(FunctionName="api")["Version"]
    client.create_alias(FunctionName="api", Name="live", FunctionVersion=version)


@pytest.fixture
def deploys(project):
    """Deploy a manifest with these functions."""

    def deploy(functions):
        (project / "lambda-layers.yml").write_text(LAYERS + functions)
        assert main(["deploy"]) == 0

    return deploy


def routing(client):
    alias = client.get_alias(FunctionName="api", Name="live")
    return alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})


@pytest.mark.usefixtures("alias")
def test_deploy_and_roll_back(client, written, pin, deploys):
    deploys(SHIFT)
    assert routing(client) == ("2", {})
    assert "CreateDeployment" in written()
    pin("web.txt", "six", "2.0")
    assert main(["deploy"]) == 0
    assert routing(client) == ("3", {})
    assert "CreateDeployment" in written()
    assert main(["rollback", "--layer", "web", "--to", "1", "--now"]) == 0
    assert routing(client) == ("2", {})
    assert "CreateDeployment" not in written()


class TestADeploymentInProgress:
    """It goes on without the run that began it."""

    @pytest.fixture
    def aws(self):
        with LocalAws(deployment_minute=3600) as local:
            local.declare_function("api")
            yield local

    @pytest.mark.usefixtures("alias")
    def test_is_in_the_plan_and_the_status(self, client, pin, project, deploys, capsys):
        deploys(FUNCTIONS)
        pin("web.txt", "six", "2.0")
        deploys("")
        (layer,) = client.list_layer_versions(LayerName="web", MaxItems=1)["LayerVersions"]
        client.update_function_configuration(FunctionName="api", Layers=[layer["LayerVersionArn"]])
        assert client.publish_version(FunctionName="api", Description=marked(""))["Version"] == "3"
        with contextlib.closing(Aws(Destination("eu-west-1"), access=Access())) as edge:
            shift = Shift("CodeDeployDefault.LambdaLinear10PercentEvery1Minute", "arn:aws:iam::1:role/x")
            number = edge.code_deploy.begin("api", "live", ("2", "3"), shift, ()).id
        assert routing(client) == ("2", {"3": 0.1})
        (project / "lambda-layers.yml").write_text(LAYERS + SHIFT)
        capsys.readouterr()
        for command in (["plan"], ["status"]):
            main(command)
            said = capsys.readouterr()
            message = f"CodeDeploy shifts the alias live of api to version 3 (deployment {number})"
            assert message in said.out + said.err


def test_what_cannot_be_combined(project, capsys):
    alarms = ", ".join(f"a{number}" for number in range(11))
    text = SHIFT + f"  canary: 10\n  check: {{alarms: [{alarms}]}}\n"
    (project / "lambda-layers.yml").write_text(LAYERS + text)
    assert main(["check"]) == 5
    said = capsys.readouterr().err
    assert "'canary' and 'shift' cannot be combined" in said
    assert "CodeDeploy watches at most 10 alarms" in said


def test_the_policy(project, capsys):
    (project / "lambda-layers.yml").write_text(LAYERS + SHIFT)
    assert main(["iam-policy", "--account", "123456789012"]) == 0
    statements = {each["Sid"]: each for each in json.loads(capsys.readouterr().out)["Statement"]}
    assert statements["PassRoleToCodeDeploy"]["Resource"] == ["arn:aws:iam::123456789012:role/deploys"]
    assert "codedeploy:CreateDeployment" in statements["ShiftAliases"]["Action"]
    assert (
        "arn:aws:codedeploy:eu-west-1:123456789012:deploymentgroup:lambda-layers/*"
        in statements["ShiftAliases"]["Resource"]
    )
