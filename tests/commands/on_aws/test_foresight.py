"""`plan` refuses what AWS would refuse of VPCs and concurrency, before anything is changed."""

import contextlib

import boto3
import faults as fault
import pytest
from deploying import MANIFEST
from simulating import Simulated
from vpcs import MadeVpc

from entrypoint.cli import main

VPC_CALLS = {"DescribeSubnets", "DescribeSecurityGroups", "DescribeVpcs", "SimulatePrincipalPolicy"}


@pytest.fixture
def plan(project, written, capsys):
    """Plan with settings of `api`, and of the functions that match report-*; return exit code and output."""

    def run(api="", reports=""):
        text = MANIFEST.replace("layers: [web, tools]}", f"layers: [web, tools], {api}}}")
        text = text.replace("{layers: [web]}", f"{{layers: [web], {reports}}}")
        (project / "lambda-layers.yml").write_text(text)
        capsys.readouterr()
        written()
        code = main(["plan"])
        assert written() == []
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


@pytest.fixture
def ec2(aws):
    with contextlib.closing(boto3.client("ec2")) as client:
        yield client


def test_functions_that_lambda_cannot_attach(aws, plan, ec2, faults):
    made = MadeVpc(ec2)
    faults.script("SimulatePrincipalPolicy", *[Simulated()] * 3)
    code, told = plan(made.manifest)
    assert code == 0
    assert "update   api" in told
    assert "vpc: " in told
    assert {call.operation for call in aws.call_log} >= VPC_CALLS

    faults.script("SimulatePrincipalPolicy", *[Simulated(policies=[])] * 3)
    code, told = plan(made.manifest)
    assert code == 11
    assert "error: lambda-layers.yml:7:3: eu-west-1: the role of api" in told
    assert "attach the managed policy" in told

    other = MadeVpc(ec2)
    faults.script("SimulatePrincipalPolicy", *[Simulated()] * 3)
    entry = f"vpc: {{subnets: [{made.private[0]}, {other.private[0]}, subnet-0], security_groups: [sg-0]}}"
    code, told = plan(entry)
    assert code == 11
    assert f"the subnets of api are in several VPCs: {', '.join(sorted([made.id, other.id]))}" in told
    assert "the subnet subnet-0 of api does not exist" in told
    assert "the security group sg-0 of api does not exist" in told


def test_what_does_not_change_is_not_read(aws, plan, ec2):
    made = MadeVpc(ec2)
    where = {"SubnetIds": made.private, "SecurityGroupIds": [made.group]}
    aws.declare_function("report-weekly", runtime="python3.12", vpc=where)
    seen = len(aws.call_log)
    assert plan()[0] == 0
    assert plan(reports="vpc: none")[0] == 0
    called = {call.operation for call in aws.call_log[seen:]}
    assert called.isdisjoint({*VPC_CALLS, "GetAccountSettings", "ListProvisionedConcurrencyConfigs"})


def test_only_a_warning_where_a_plan_may_not_look(plan, ec2, faults):
    made = MadeVpc(ec2)
    denied = b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>"
    faults.script("DescribeSecurityGroups", fault.answer(403, denied))
    code, told = plan(made.manifest)
    assert code == 0
    assert "allow ec2:DescribeSecurityGroups to the role of this run" in told
    assert "SimulatePrincipalPolicy" not in told  # only information


class TestConcurrency:
    def test_over_the_account_also_as_the_sum_over_a_glob(self, aws, plan, client):
        for number in range(3):
            aws.declare_function(f"report-{number}", runtime="python3.12")
        assert (
            plan(reports="concurrency: {reserved: 225}")[0] == 0
        )  # 4 times 225 are the 900 that may be taken
        code, told = plan(reports="concurrency: {reserved: 226}")
        assert code == 11
        assert (
            "904 more concurrent executions would be reserved or provisioned (report-0: 226, report-1: 226, report-2: 226 and 1 more)"
            in told
        )
        assert "only 900 can be: 1,000 of the account's 1,000 are unreserved, and 100 must stay so" in told
        client.put_function_concurrency(FunctionName="report-daily", ReservedConcurrentExecutions=400)
        assert plan(reports="concurrency: {reserved: 225}")[0] == 0  # what it has is given back
        assert plan("concurrency: {reserved: 200}", "concurrency: {reserved: 225}")[0] == 11

    def test_a_new_account_has_nothing_to_reserve(self, plan, faults):
        def make_new(answer):
            answer["AccountLimit"] |= {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}

        faults.script("GetAccountSettings", fault.changed(make_new))
        code, told = plan("concurrency: {reserved: 1}")
        assert code == 11
        assert "only 0 can be: 10 of the account's 10 are unreserved, and 10 must stay so" in told

    def test_provisioned_above_reserved(self, plan, client, aws):
        for name in ("live", "beta"):
            aws.declare_alias("api", name)
        client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=10)
        entry = "aliases: [live, beta], concurrency: {provisioned: 5}"
        assert plan(entry)[0] == 0
        code, told = plan(entry.replace("5", "6"))
        assert code == 11
        assert (
            "api would have 12 provisioned concurrent executions (beta: 6, live: 6), and 10 reserved ones"
            in told
        )
        client.put_provisioned_concurrency_config(
            FunctionName="api", Qualifier="live", ProvisionedConcurrentExecutions=8
        )
        code, told = plan("concurrency: {reserved: 7}")  # what the manifest does not name counts as well
        assert code == 11
        assert "api would have 8 provisioned concurrent executions (live: 8), and 7 reserved ones" in told
        assert plan("concurrency: {reserved: none}")[0] == 0
        assert plan("aliases: [live], concurrency: {reserved: 7, provisioned: none}")[0] == 0

    def test_provisioned_without_a_reservation_takes_from_the_account(self, aws, plan):
        aws.declare_alias("api", "live")
        assert plan("aliases: [live], concurrency: {provisioned: 900}")[0] == 0
        assert plan("aliases: [live], concurrency: {provisioned: 901}")[0] == 11
