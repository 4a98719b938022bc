"""Aliases that AWS CodeDeploy shifts: what AWS has afterwards, and while a deployment goes on."""

import contextlib

import boto3
import faults as fault
import pytest
from planning import ACCOUNT, REGION
from rolling import NEW, OLD, rolling

from entrypoint.aws.aliases import marked
from entrypoint.aws.code_deploy import group_name
from entrypoint.manifest.model import Shift
from entrypoint.release.outcome import Status

pytestmark = pytest.mark.usefixtures("two_versions", "api")
ROLE = "arn:aws:iam::{account}:role/deploys"
BEFORE = ("1", {}, [OLD], [OLD])
AFTER = ("2", {}, [NEW], [NEW])


def shifted(configuration="LambdaCanary10Percent5Minutes", role=ROLE, **settings):
    shift = f'{{codedeploy: {configuration}, role: "{role}"}}'
    return rolling(entry="layers: [web], aliases: [live]", shift=shift, **settings)


@pytest.fixture
def deploy(aws):
    """A client of CodeDeploy that is not of the project."""
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "local"}
    with contextlib.closing(
        boto3.client("codedeploy", endpoint_url=aws.endpoint_url, region_name=REGION, **keys)
    ) as client:
        yield client


@pytest.fixture
def deployments(deploy):
    """The status and the versions of all deployments of the function, and how they ended."""

    def read():
        group = {"applicationName": "lambda-layers", "deploymentGroupName": "api-live"}
        numbers = deploy.list_deployments(**group)["deployments"]
        return [deploy.get_deployment(deploymentId=number)["deploymentInfo"] for number in numbers]

    return read


@pytest.fixture
def left_running(api, other, edge, now):
    """What a run leaves that is killed while CodeDeploy shifts the traffic: five minutes are left."""
    other.update_function_configuration(FunctionName="api", Layers=[NEW])
    other.get_function(FunctionName="api")
    other.publish_version(FunctionName="api", Description=marked(""))
    shift = Shift("CodeDeployDefault.LambdaCanary10Percent5Minutes", ROLE).in_account(ACCOUNT)
    edge.code_deploy.begin("api", "live", ("1", "2"), shift, ())
    assert now() == ("1", {"2": 0.1}, [OLD], [NEW])


def test_a_canary(roll, now, deployments, deploy, clock):
    began = clock()
    outcomes, trouble = roll(shifted())
    assert (outcomes["api"].status, trouble) == (Status.UPDATED, None)
    assert clock() - began >= 300
    assert now() == AFTER
    (info,) = deployments()
    assert info["status"] == "Succeeded"
    assert info["deploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    group = deploy.get_deployment_group(applicationName="lambda-layers", deploymentGroupName="api-live")
    role = group["deploymentGroupInfo"]["serviceRoleArn"]
    assert role == f"arn:aws:iam::{ACCOUNT}:role/deploys"


def test_another_role(roll, deploy):
    roll(shifted(configuration="LambdaAllAtOnce"))
    roll(shifted(configuration="LambdaAllAtOnce", role="arn:aws:iam::{account}:role/other"), number=1)
    group = deploy.get_deployment_group(applicationName="lambda-layers", deploymentGroupName="api-live")
    assert group["deploymentGroupInfo"]["serviceRoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/other"


def test_an_alarm_goes_off(roll, now, alarm, deployments, faults):
    alarm("errors", "OK")
    faults.script("GetDeployment", None, fault.after(lambda: alarm("errors", "ALARM")))
    outcomes, trouble = roll(shifted(check="{alarms: [errors], soak: 0}"))
    assert "alarms have been activated: <errors>" in str(outcomes["api"].error)
    assert "could not be updated" in trouble
    assert now() == BEFORE
    assert [each["status"] for each in deployments()] == ["Stopped", "Succeeded"]


def test_an_unknown_configuration(roll, now):
    outcomes, _ = roll(shifted(configuration="OurOwn"))
    assert "No deployment configuration found for name: OurOwn" in str(outcomes["api"].error)
    assert now() == BEFORE


def test_a_deployment_that_cannot_be_read_is_stopped(roll, faults, clock, now, deployments):
    faults.script("GetDeployment", fault.error(400, "InvalidDeploymentIdException"))
    outcomes, trouble = roll(shifted())
    assert "could not be updated" in trouble
    assert outcomes["api"].status is Status.ROLLED_BACK
    clock.sleep(600)
    assert [each["status"] for each in deployments()] == ["Stopped", "Succeeded"]
    assert now() == BEFORE


@pytest.mark.usefixtures("left_running")
class TestADeploymentOfAnEarlierRun:
    def test_is_waited_for(self, roll, now, deployments):
        assert roll(shifted())[0]["api"].status is Status.UPDATED
        assert now() == AFTER
        assert [each["status"] for each in deployments()] == ["Succeeded"]

    def test_goes_on_without_us(self, clock, now, deployments, roll):
        clock.sleep(300)
        assert [each["status"] for each in deployments()] == ["Succeeded"]
        assert now() == AFTER
        assert roll(shifted())[0] == {}

    def test_is_stopped_where_the_manifest_was_reverted(self, roll, now, deployments):
        assert roll(shifted(), number=1)[0]["api"].error is None
        assert now() == BEFORE
        assert [each["status"] for each in deployments()] == ["Stopped", "Succeeded"]

    def test_is_stopped_by_a_rollback(self, roll, now, deployments):
        assert roll(shifted(), number=1, going_back=True)[0]["api"].error is None
        assert now() == BEFORE
        assert [each["status"] for each in deployments()] == ["Stopped", "Succeeded"]


def test_a_rollback_is_not_slow(roll, now, clock, deployments):
    roll(shifted())
    began = clock()
    roll(shifted(), number=1, going_back=True)
    assert now()[2:] == ([OLD], [OLD])
    assert clock() - began < 60
    assert len(deployments()) == 1


def test_a_run_that_fails_later_returns_the_alias(aws, roll, now):
    aws.answer_invocations("api", lambda _: 1 / 0)
    outcomes, trouble = roll(shifted(check="{invoke: {function: api}}"))
    assert "the invocation of api failed" in trouble
    assert outcomes["api"].status is Status.ROLLED_BACK
    assert now() == BEFORE


def test_names_of_groups_have_at_most_100_characters():
    names = {group_name("f" * 64, alias * 100) for alias in "ab"}
    assert len(names) == 2
    assert {len(name) for name in names} == {100}
