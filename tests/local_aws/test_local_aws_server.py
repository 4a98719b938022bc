"""The server: environment, call log, middleware and the other services."""

import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from entrypoint.local_aws.calls import CALL, Call
from entrypoint.local_aws.operations import OPERATIONS
from entrypoint.local_aws.server import LocalAws


def test_importing_the_package_loads_neither_moto_nor_werkzeug_nor_botocore():
    check = (
        "import sys, entrypoint.local_aws; "
        "print(sorted({'moto', 'werkzeug', 'botocore', 'flask'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


def test_starting_and_calling_lambda_loads_no_moto():
    check = """
import sys, urllib.request
from entrypoint.local_aws.server import LocalAws
with LocalAws() as aws:
    print(urllib.request.urlopen(aws.endpoint_url + "/2015-03-31/functions").read())
print("moto" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", check], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["b'{\"Functions\": []}'", "False"]
    assert done.stderr == ""


def test_boto3_is_configured_by_the_environment(monkeypatch):
    with LocalAws(region="ap-southeast-2") as aws:
        for name, value in aws.environment(account="210987654321").items():
            monkeypatch.setenv(name, value)
        session = boto3.Session()
        sts, awslambda = session.client("sts"), session.client("lambda")
        aws.declare_function("api", account="210987654321")
        assert sts.get_caller_identity()["Account"] == "210987654321"
        (function,) = awslambda.list_functions()["Functions"]
        assert function["FunctionArn"] == "arn:aws:lambda:ap-southeast-2:210987654321:function:api"
        sts.close()
        awslambda.close()


def test_the_call_log_tells_reads_from_writes(aws, awslambda, client, publish, refused):
    client("sts").get_caller_identity()
    client("cloudwatch").describe_alarms()
    client("ec2").describe_subnets()
    client("ssm").get_parameters(Names=["a"])
    s3 = client("s3")
    s3.list_buckets()
    awslambda.list_functions()
    assert [call.operation for call in aws.call_log if not call.reads_only] == []

    publish()
    s3.create_bucket(Bucket="layers", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="layers", Key="k", Body=b"x")
    client("ssm").put_parameter(Name="a", Value="b", Type="String")
    client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    client("iam").create_user(UserName="u")
    with refused(404, "ResourceNotFoundException"):
        awslambda.delete_function(FunctionName="nobody")

    writes = [(call.service, call.operation, call.status) for call in aws.call_log if not call.reads_only]
    assert writes == [
        ("lambda", "PublishLayerVersion", 201),
        ("s3", "PutBucket", 200),
        ("s3", "PutObject", 200),
        ("ssm", "PutParameter", 200),
        ("ec2", "CreateVpc", 200),
        ("iam", "CreateUser", 200),
        ("lambda", "DeleteFunction", 404),
    ]


def test_a_bucket_can_be_declared_in_any_region(aws, client):
    aws.declare_bucket("near")
    aws.declare_bucket("far", region="us-east-1")
    aws.declare_bucket("far", region="us-east-1")
    s3 = client("s3")
    s3.put_object(Bucket="near", Key="k", Body=b"x")
    s3.put_object(Bucket="far", Key="k", Body=b"x")
    assert s3.get_bucket_location(Bucket="near")["LocationConstraint"] == "eu-west-1"
    aws.declare_bucket("near")
    assert s3.get_object(Bucket="near", Key="k")["Body"].read() == b"x"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_is_a_read_or_a_write_by_its_name(name):
    call = Call(service="lambda", operation=name, scope=None, method="", path="")
    assert call.reads_only == name.startswith(("Get", "List"))


def test_moto_is_empty_at_each_start(client, connect):
    client("ssm").put_parameter(Name="a", Value="b", Type="String")
    with LocalAws() as other:
        assert connect(other, "ssm").get_parameters(Names=["a"])["Parameters"] == []


def test_a_role_of_another_account_is_assumed_into_that_account(aws, client):
    role = "arn:aws:iam::210987654321:role/deploy"
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    aws.declare_function("api", account="210987654321")
    assumed = client(account=keys["AccessKeyId"], aws_session_token=keys["SessionToken"])
    assert len(assumed.list_functions()["Functions"]) == 1
    assert client().list_functions()["Functions"] == []


def no_publishing(inner):
    """A middleware that throttles one operation."""
    throttled = [("x-amzn-ErrorType", "TooManyRequestsException"), ("Retry-After", "7")]

    def application(environ, start_response):
        if environ[CALL].operation != "PublishLayerVersion":
            return inner(environ, start_response)
        start_response("429 Too Many Requests", throttled)
        return [b'{"message": "Rate exceeded", "Reason": "CallerRateLimitExceeded"}']

    return application


def test_a_middleware_selects_requests_by_operation(connect, make_zip):
    with LocalAws(middleware=no_publishing) as aws:
        awslambda = connect(aws)
        awslambda.list_functions()
        with pytest.raises(awslambda.exceptions.TooManyRequestsException) as caught:
            awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": make_zip({"a": b"a"})})
        assert caught.value.response["retryAfterSeconds"] == "7"
        assert [(call.operation, call.status) for call in aws.call_log] == [
            ("ListFunctions", 200),
            ("PublishLayerVersion", 429),
        ]


def test_an_unknown_operation_is_refused(aws):
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(aws.endpoint_url + "/2015-03-31/functions/a/b/c/d", timeout=10)
    caught.value.close()


def test_invalid_json_is_refused(aws):
    aws.declare_function("api")
    for body in (b"{", b"[]", b'{"MemorySize": "many"}'):
        request = urllib.request.Request(
            aws.endpoint_url + "/2015-03-31/functions/api/configuration", data=body, method="PUT"
        )
        with pytest.raises(urllib.error.HTTPError, match="400") as caught:
            urllib.request.urlopen(request, timeout=10)
        caught.value.close()


def test_concurrent_calls_lose_nothing(aws, publish):
    with ThreadPoolExecutor(16) as pool:
        arns = list(pool.map(lambda _: publish(), range(48)))
    assert {int(arn.rpartition(":")[2]) for arn in arns} == set(range(1, 49))
    assert sum(call.operation == "PublishLayerVersion" for call in aws.call_log) == 48
