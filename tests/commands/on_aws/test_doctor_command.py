"""`doctor` against the embedded AWS: networks, CloudWatch and quotas are moto's, a role's simulation is scripted."""

import contextlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import faults as fault
import pytest
from deploying import MANIFEST
from simulating import Simulated
from vpcs import MadeVpc

from entrypoint.cli import main


def answer(status, content, content_type):
    """Answer with this, whatever is asked."""

    def fault_(_inner):
        def application(environ, start_response):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(status, [("Content-Type", content_type)])
            return [content.encode()]

        return application

    return fault_


def refused_by_ec2(action):
    text = (
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform "
        f"this operation. User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ec2:{action} "
        "because no identity-based policy allows it</Message></Error></Errors><RequestID>1</RequestID></Response>"
    )
    return answer("403 Forbidden", text, "text/xml")


def quota(value):
    return answer("200 OK", json.dumps({"Quota": {"Value": value}}), "application/x-amz-json-1.1")


@pytest.fixture
def role(faults):
    """Say what the policies of every role are; by default, they are those that AWS manages."""

    def have(**simulated):
        faults.script("SimulatePrincipalPolicy", *[Simulated(**simulated)] * 20)

    have()
    return have


@pytest.fixture
def ec2(aws, role):
    with contextlib.closing(boto3.client("ec2")) as client:
        yield client


@pytest.fixture
def vpc(ec2):
    """A VPC whose main route table leads nowhere, with an endpoint for S3."""
    made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.create_vpc_endpoint(VpcId=made, ServiceName="com.amazonaws.eu-west-1.s3", VpcEndpointType="Gateway")
    return made


def subnet(ec2, vpc, number, zone="a", size=24):
    made = ec2.create_subnet(
        VpcId=vpc, CidrBlock=f"10.0.{number}.0/{size}", AvailabilityZone=f"eu-west-1{zone}"
    )
    return made["Subnet"]["SubnetId"]


def group(ec2, vpc, name="functions"):
    return ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]


def attach(aws, project, *subnets, groups):
    """Write the function's VPC into the manifest."""
    where = f"vpc: {{subnets: [{', '.join(subnets)}], security_groups: [{', '.join(groups)}]}}"
    text = MANIFEST.replace("layers: [web, tools]}", f"layers: [web, tools], {where}}}")
    (project / "lambda-layers.yml").write_text(text)


def test_a_sound_network_is_given_no_more_than_figures(aws, project, ec2, faults, written, capsys):
    made = MadeVpc(ec2)
    endpoint = made.new_group("endpoint")
    made.admit(endpoint, UserIdGroupPairs=[{"GroupId": made.group}])
    made.interface_endpoint("logs", endpoint)
    attach(aws, project, *made.private, groups=[made.group])
    faults.script("GetServiceQuota", quota(750))
    written()
    seen = len(aws.call_log)
    assert main(["doctor"]) == 0
    assert written() == []
    services = {"monitoring": "cloudwatch"}
    called = {f"{services.get(call.service, call.service)}:{call.operation}" for call in aws.call_log[seen:]}
    page = (Path(__file__).parents[3] / "docs" / "vpc.md").read_text()
    documented = page.partition("<!-- doctor actions -->")[2].partition("\n\n")[0]
    only_with_events = {"lambda:GetFunctionEventInvokeConfig", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
    assert called | only_with_events == set(re.findall(r"`(\w+:\w+)`", documented))
    location, *lines = capsys.readouterr().out.splitlines()
    assert location == "eu-west-1"
    (line,) = lines
    assert line.startswith(
        "  info     1,000 concurrent executions, 1,000 of them unreserved; at most 0 claimed"
    )


def test_all_that_is_wrong_with_a_network_is_told_at_once(aws, project, ec2, vpc, faults, role, capsys):
    small = subnet(ec2, vpc, 1, size=28)
    other = ec2.create_vpc(CidrBlock="10.1.0.0/16", InstanceTenancy="dedicated")["Vpc"]["VpcId"]
    foreign = group(ec2, other)
    attach(aws, project, small, "subnet-0", groups=[foreign, group(ec2, vpc)])
    role(policies=[])
    faults.script("GetServiceQuota", quota(500))
    assert main(["doctor"]) == 11
    told = capsys.readouterr().out
    for text in (
        "the subnet subnet-0 of api does not exist, or not in a VPC of this account",
        f"the security group {foreign} is in {other}, the subnets are in {vpc}",
        "the role of api, arn:aws:iam::123456789012:role/api, is not allowed ec2:AssignPrivateIpAddresses,",
    ):
        assert text in told


def test_a_function_that_stands_in_a_vpc_already_is_examined_too(aws, ec2, vpc, faults, capsys):
    names = [subnet(ec2, vpc, 1), subnet(ec2, vpc, 2)]
    where = {"SubnetIds": names, "SecurityGroupIds": [group(ec2, vpc)], "VpcId": vpc}
    aws.declare_function("report-weekly", runtime="python3.12", vpc=where)
    assert main(["doctor"]) == 0
    assert "report-weekly: all subnets are in one zone" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (region,) = told["regions"]
    assert (told["sound"], region["region"]) == (True, "eu-west-1")
    first = region["findings"][0]
    assert first["severity"] == "warning"
    assert first["message"].startswith("report-weekly: all subnets are in one zone")


def test_what_may_not_be_read_is_named_and_the_rest_examined(aws, project, ec2, vpc, faults, capsys):
    attach(aws, project, subnet(ec2, vpc, 1), groups=["sg-0"])
    denied = answer(
        "403 Forbidden",
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
        "text/xml",
    )
    faults.script("SimulatePrincipalPolicy", denied)
    faults.script("DescribeRouteTables", refused_by_ec2("DescribeRouteTables"))
    faults.script("GetAccountSettings", fault.DENIED)
    refused = json.dumps({"__type": "AccessDeniedException", "Message": "no"})
    faults.script("GetServiceQuota", answer("400 Bad Request", refused, "application/x-amz-json-1.1"))
    assert main(["doctor"]) == 11
    told = capsys.readouterr().out
    assert "allow ec2:DescribeRouteTables to the role of this run" in told
    assert "allow lambda:GetAccountSettings to the role of this run" in told
    info = [line for line in told.splitlines() if line.startswith("  info")]
    assert any("allow iam:SimulatePrincipalPolicy" in line for line in info)
    assert any("allow servicequotas:GetServiceQuota" in line for line in info)
    assert "error    the security group sg-0 of api does not exist" in told
    assert "all subnets are in one zone" in told


def put(name, value, unit="Count", function=None):
    dimensions = [{"Name": "FunctionName", "Value": function}] if function else []
    then = datetime.now(tz=UTC) - timedelta(hours=2)
    datum = {"MetricName": name, "Value": value, "Timestamp": then, "Unit": unit, "Dimensions": dimensions}
    with contextlib.closing(boto3.client("cloudwatch")) as watch:
        watch.put_metric_data(Namespace="AWS/Lambda", MetricData=[datum])


def test_throttles_of_the_last_week_and_what_fits_against_them(aws, client, capsys):
    client.put_function_concurrency(FunctionName="report-daily", ReservedConcurrentExecutions=20)
    put("ClaimedAccountConcurrency", 800)
    for name, peak, throttles in (("api", 90, 7), ("report-daily", 20, 300)):
        put("ConcurrentExecutions", peak, function=name)
        put("Throttles", throttles, function=name)
    put("Duration", 9_000, "Milliseconds", function="report-daily")
    put("AsyncEventsReceived", 50, function="report-daily")
    assert main(["doctor"]) == 0
    near, report, api, events, figures = capsys.readouterr().out.splitlines()[1:]
    assert "warning  800 of 1,000 concurrent executions were claimed (80%), at 20" in near
    assert "report-daily was throttled 300 times in the last week, most at 20" in report
    assert "its reservation of 20 was used up: raise 'concurrency: {reserved: ...}' by up to 880" in report
    assert "SQS queue" in report
    assert "it takes 9.0 s on average with 128 MB, which is 0.07 vCPU" in report
    assert "api was throttled 7 times" in api
    assert "no limit was reached for a whole minute (800 of 1,000 claimed)" in api
    assert "report-daily had 50 asynchronous events in the last week, and does not keep failed ones" in events
    assert "980 of them unreserved; at most 800 claimed" in figures


def test_calls_per_second_are_of_the_busiest_minute(client, capsys):
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=20)
    for name, value in (("Throttles", 7), ("ConcurrentExecutions", 9), ("Invocations", 200 * 60)):
        put(name, value, function="api")
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert (
        "its calls came at 200 per second, and its reservation of 20 allows 200 (10 for each execution)"
        in told
    )


def test_events_that_functions_lose(aws, client, faults, capsys):
    """Functions that were not throttled; what invokes them is moto's queue, and a stream."""
    with contextlib.closing(boto3.client("sqs")) as sqs:
        sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "10"})
    stream = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
    aws.declare_sources("api", ["arn:aws:sqs:eu-west-1:123456789012:orders"])
    aws.declare_sources("report-daily", [stream])

    def with_settings(answer):
        for mapping in answer["EventSourceMappings"]:
            mapping |= {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 5}
            if mapping["EventSourceArn"] == stream:
                mapping |= {"ParallelizationFactor": 2, "BisectBatchOnFunctionError": True}
            else:
                mapping["ScalingConfig"] = {"MaximumConcurrency": 50}

    faults.script("ListEventSourceMappings", *[fault.changed(with_settings)] * 3)
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=40)
    put("IteratorAge", 3_600_000, "Milliseconds", function="report-daily")
    put("AsyncEventsDropped", 4, function="api")
    put("ProvisionedConcurrencySpilloverInvocations", 2, function="api")
    put("DeadLetterErrors", 1, function="report-daily")
    put("AsyncEventsReceived", 9, function="api")
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    for text in (
        "api: 4 asynchronous events were dropped",
        "api: 2 calls found no provisioned environment",
        "report-daily: 1 events could not be sent to its dead-letter",
        "api had 9 asynchronous events in the last week, and does not keep failed ones",
        "report-daily is behind its stream: records waited 3,600 s at 20",
        "raise the parallelization factor of the stream clicks from 2 to up to 10",
        "failed records of the stream clicks are lost",
        "api: the queue orders may use 50 executions, and 40 are reserved",
        "api: the queue orders hides messages for 10 s; 23 s are recommended",
        "api: the queue orders has no dead-letter queue",
    ):
        assert text in told
    failed = {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:123456789012:failed"}}
    client.put_function_event_invoke_config(FunctionName="api", DestinationConfig=failed)
    assert main(["doctor"]) == 0
    assert "does not keep failed ones" not in capsys.readouterr().out


def test_few_calls_however_many_functions_there_are(aws, capsys):
    for number in range(300):
        aws.declare_function(f"report-{number}", runtime="python3.12")
    seen = len(aws.call_log)
    assert main(["doctor"]) == 0
    capsys.readouterr()
    operations = [call.operation for call in aws.call_log[seen:]]
    assert operations.count("GetMetricData") == 6  # 2,114 metrics and one: 500 a call
    assert "GetFunction" not in operations


def test_functions_that_are_missing_and_regions_that_cannot_be_asked(aws, project, faults, capsys):
    text = MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]").replace("  api:", "  payments:")
    (project / "lambda-layers.yml").write_text(text)
    faults.refuse_region("us-east-1", fault.DENIED)
    assert main(["doctor"]) == 10
    told = capsys.readouterr()
    assert "error    the function" in told.out
    assert "allow lambda:ListFunctions to the role of this run" in told.err


def test_lambdas_interfaces_are_held_against_the_quota(aws, project, ec2, vpc, faults, capsys):
    attach(aws, project, subnet(ec2, vpc, 1), groups=[group(ec2, vpc)])
    items = f"<item><vpcId>{vpc}</vpcId><interfaceType>lambda</interfaceType></item>" * 9
    found = f"<networkInterfaceSet>{items}</networkInterfaceSet>"
    namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"
    text = (
        f'<DescribeNetworkInterfacesResponse xmlns="{namespace}">{found}</DescribeNetworkInterfacesResponse>'
    )
    faults.script("DescribeNetworkInterfaces", answer("200 OK", text, "text/xml"))
    faults.script("GetServiceQuota", quota(10.0))
    assert main(["doctor"]) == 0
    assert f"warning  {vpc} has 9 of at most 10 Lambda network interfaces" in capsys.readouterr().out


def test_what_the_embedded_aws_does_not_know_is_not_examined(project, monkeypatch, capfd):
    attach(None, project, "subnet-0", groups=["sg-0"])
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert main(["doctor", "--aws", "local"]) == 11
    told = capfd.readouterr()
    assert "error    the subnet subnet-0 of api does not exist" in told.out
    assert "The embedded AWS does not support SimulatePrincipalPolicy of iam" in told.out
    assert "Traceback" not in told.err


def test_an_answer_that_is_none_of_aws_is_told_as_one(project, ec2, vpc, faults, capsys):
    attach(None, project, subnet(ec2, vpc, 1), groups=["sg-0"])
    faults.script("DescribeRouteTables", answer("200 OK", "<html>a proxy<br></html>", "text/html"))
    assert main(["doctor"]) == 11
    assert "not examined: AWS cannot be reached: the answer is not from AWS" in capsys.readouterr().out
