"""`iam-policy`: with just what it prints a deployment goes through; with one action less it says which lacks."""

import contextlib
import json

import boto3
import pytest
from alarms import set_alarm
from deploying import layers_of
from iam import Judge
from planning import read

from entrypoint.cli import main
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination
from entrypoint.release.iam_policy import iam_policy

SHARE = '    share: {accounts: ["210987654321"]}\n'
FULL = """\
version: 1
regions: [eu-west-1]
layers:
  web:
    requirements: [six]
    lock: web.txt
    runtimes: [python3.13]
    bytecode: false
    share: {accounts: ["210987654321"]}
    keep: 1
functions:
  api:
    layers: [web]
    aliases: [live]
    vpc: {subnets: [subnet-1], security_groups: [sg-1]}
    concurrency: {reserved: 10, provisioned: 2}
    alarms: {actions: ["arn:aws:sns:{region}:123456789012:ops"]}
  "report-*": {layers: [web]}
  payments: {tag: {team: payments}, layers: [web]}
custom_runtimes: {company-python: python3.13}
export: {ssm: "/layers/{account}/{region}/{target}"}
rollout:
  check: {alarms: [errors], invoke: {function: api}}
"""
MANAGED = {
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {
            "CapacityProviderArn": "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:fleet"
        }
    }
}


@pytest.fixture
def judge():
    return Judge()


@pytest.fixture
def aws(judge):
    with LocalAws(middleware=judge) as local:
        local.declare_function("api")
        local.declare_function("report-daily", settings=MANAGED)
        local.declare_function("report-yearly", settings={"DurableConfig": {"ExecutionTimeout": 3600}})
        custom = {"RuntimeArn": local.declare_runtime("company-python", "stable"), "RuntimeAlias": "stable"}
        settings = {"Runtime": "custom", "RuntimeConfig": custom}
        local.declare_function("mail", tags={"team": "payments"}, settings=settings)
        local.answer_invocations("api", lambda _: b"{}")
        judge.tags = {"mail": {"team": "payments"}}
        yield local


@pytest.fixture
def full(aws, project):
    """The manifest, with a subnet and a security group that exist."""
    with contextlib.closing(boto3.client("ec2")) as ec2:
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(VpcId=vpc, GroupName="web", Description="web")["GroupId"]
    return FULL.replace("subnet-1", subnet).replace("sg-1", group)


@pytest.fixture(autouse=True)
def _stands(aws, project, client, judge, capsys, full):
    (project / "lambda-layers.yml").write_text(full)
    aws.declare_layer_version("web", account="123456789012", shared_with=())  # nobody has it, and it is old
    for region in aws.cloud.regions.values():
        object.__setattr__(region.layers["web"].versions[1], "created", "2020-01-01T00:00:00.000+0000")
    client.publish_version(FunctionName="report-daily", PublishTo="LATEST_PUBLISHED")
    version = client.publish_version(FunctionName="api")["Version"]
    client.create_alias(FunctionName="api", Name="live", FunctionVersion=version)
    watch = boto3.client("cloudwatch")
    set_alarm(watch, "errors", "OK")
    watch.close()
    assert main(["iam-policy", "--account", "123456789012"]) == 0
    judge.policy = json.loads(capsys.readouterr().out)


ACTIONS = [
    "lambda:AddLayerVersionPermission",
    "lambda:DeleteLayerVersion",
    "lambda:GetAccountSettings",
    "lambda:ListEventSourceMappings",
    "lambda:GetAlias",
    "lambda:GetFunction",
    "lambda:GetLayerVersion",
    "lambda:GetLayerVersionPolicy",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",
    "lambda:ListFunctions",
    "lambda:ListLayerVersions",
    "lambda:PublishLayerVersion",
    "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency",
    "lambda:PutProvisionedConcurrencyConfig",
    "lambda:UpdateAlias",
    "lambda:UpdateFunctionConfiguration",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:PutMetricAlarm",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:GetSecurityGroupsForVpc",
    "ssm:GetParameters",
    "ssm:PutParameter",
    "tag:GetResources",
]


RESTORING = ["lambda:DeleteFunctionConcurrency", "lambda:DeleteProvisionedConcurrencyConfig"]
"""What a deployment needs that is rolled back."""
FORESEEING = [
    "iam:SimulatePrincipalPolicy",
    "lambda:GetRuntimeAlias",
    "lambda:ListDurableExecutionsByFunction",
    "lambda:ListProvisionedConcurrencyConfigs",
]
"""What a plan asks for, and does without."""
PRUNING = "cloudwatch:DeleteAlarms"
ROLLING_BACK = "lambda:ListVersionsByFunction"
UNSHARING = "lambda:RemoveLayerVersionPermission"


def test_with_just_this_policy_a_deployment_goes_through(aws, judge, capsys, project, pin, full):
    aws.answer_invocations("api", lambda _: 1 / 0)
    assert main(["deploy"]) == 12
    assert "to the role of this run" not in capsys.readouterr().err
    aws.answer_invocations("api", lambda _: b"{}")
    assert main(["deploy"]) == 0
    assert layers_of(aws, "mail") == layers_of(aws, "report-daily") == ["web:2"]
    assert main(["plan", "--detailed-exitcode"]) == 0
    (project / "lambda-layers.yml").write_text(full.replace(SHARE, ""))
    assert main(["deploy"]) == 0
    pin("web.txt", "six", "2.0")
    assert main(["deploy"]) == 0
    assert main(["rollback", "--layer", "web", "--to", "2"]) == 0
    assert layers_of(aws, "api") == ["web:2"]
    (project / "lambda-layers.yml").write_text(full.replace("provisioned: 2}", "provisioned: none}"))
    assert main(["prune", "--alarms"]) == 0
    allowed = {action for statement in judge.policy["Statement"] for action in statement["Action"]}
    assert (
        {*ACTIONS, *RESTORING, *FORESEEING, UNSHARING, ROLLING_BACK, PRUNING} == judge.asked == allowed
    )  # nothing is allowed that is not needed


def test_without_the_action_that_revokes_access_the_message_names_it(judge, capsys, project, full):
    assert main(["deploy"]) == 0
    (project / "lambda-layers.yml").write_text(full.replace(SHARE, ""))
    for statement in judge.policy["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != UNSHARING]
    assert main(["deploy"]) == 12
    assert f"allow {UNSHARING} to the role of this run" in capsys.readouterr().err


@pytest.mark.parametrize("action", [*ACTIONS, *RESTORING])
def test_without_one_of_its_actions_the_message_names_it(aws, judge, capsys, action):
    if action in RESTORING:
        aws.answer_invocations("api", lambda _: 1 / 0)
    for statement in judge.policy["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action]
    assert main(["deploy"]) in {10, 12}
    assert f"allow {action} to the role of this run" in capsys.readouterr().err


def test_layers_of_other_accounts_that_functions_have_may_be_read(aws, judge, client):
    arn = aws.declare_layer_version("Klayers", account="017000801446", version=4)
    judge.policy, policy = None, judge.policy
    client.update_function_configuration(FunctionName="report-daily", Layers=[arn])
    client.publish_version(FunctionName="report-daily", PublishTo="LATEST_PUBLISHED")
    judge.policy = policy
    assert main(["deploy"]) == 0
    assert layers_of(aws, "report-daily") == ["Klayers:4", "web:2"]


def test_functions_that_are_not_in_the_manifest_are_out_of_reach(judge):
    resources = {arn for statement in judge.policy["Statement"] for arn in statement["Resource"]}
    assert "arn:aws:lambda:eu-west-1:123456789012:function:report-*" in resources
    by_tag = [statement for statement in judge.policy["Statement"] if "Condition" in statement]
    assert all("function:*" in arn for statement in by_tag for arn in statement["Resource"])
    assert {arn for arn in resources if arn.endswith("function:*")} == set(by_tag[0]["Resource"])


def test_regions_and_accounts_and_buckets():
    text = (
        "layers: {web: {requirements: [six], runtimes: [python3.13]}}\n"
        "accounts: ['arn:aws:iam::210987654321:role/layers']\ns3: {bucket: 'a-{region}', prefix: layers/}\n"
        "export: {ssm: '/{account}/{region}/{target}'}\n"
    )
    manifest, layers = read(text)
    destinations = (Destination("cn-north-1"), Destination("eu-west-1"))
    policy = iam_policy(manifest, layers, regions=[each.region for each in destinations], account="*")
    by_name = {statement["Sid"]: statement["Resource"] for statement in policy["Statement"]}
    assert by_name["AssumeRoles"] == ["arn:aws:iam::210987654321:role/layers"]
    assert by_name["UploadLayers"] == [
        "arn:aws-cn:s3:::a-cn-north-1/layers/*",
        "arn:aws:s3:::a-eu-west-1/layers/*",
    ]
    assert by_name["ExportLayers"] == [
        "arn:aws-cn:ssm:cn-north-1:*:parameter/*/cn-north-1/web-python3.13-x86_64",
        "arn:aws:ssm:eu-west-1:*:parameter/*/eu-west-1/web-python3.13-x86_64",
    ]
    assert by_name["PublishLayers"][1] == "arn:aws:lambda:eu-west-1:*:layer:web"
