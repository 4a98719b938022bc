"""Layer versions that refer to objects in S3: which objects Lambda takes, and what becomes of lost ones."""

import json

import pytest

from entrypoint.local_aws.server import LocalAws

REFUSED = "InvalidParameterValueException"
KEY = "web.zip"


@pytest.fixture
def s3(aws, client):
    aws.declare_bucket("layers", referenced=True)
    return client("s3")


@pytest.fixture
def put(s3, make_zip):
    """Put an object; return its version."""
    return lambda text=b"x = 1\n": s3.put_object(
        Bucket="layers", Key=KEY, Body=make_zip({"python/module.py": text})
    )["VersionId"]


@pytest.fixture
def refer(awslambda):
    def publish_version(**more):
        content = {"S3Bucket": "layers", "S3Key": KEY, "S3ObjectStorageMode": "REFERENCE", **more}
        return awslambda.publish_layer_version(LayerName="web", Content=content)

    return publish_version


def test_the_version_is_resolved_and_has_no_location(awslambda, put, refer):
    first, second = put(), put(b"x = 2\n")
    newest, pinned = refer(), refer(S3ObjectVersion=first)
    resolved = {"S3Bucket": "layers", "S3Key": KEY}
    assert newest["Content"]["ResolvedS3Object"] == {**resolved, "S3ObjectVersion": second}
    assert pinned["Content"]["ResolvedS3Object"] == {**resolved, "S3ObjectVersion": first}
    assert newest["Content"]["CodeSha256"] != pinned["Content"]["CodeSha256"]
    assert "Location" not in newest["Content"]
    read = awslambda.get_layer_version(LayerName="web", VersionNumber=2)["Content"]
    assert read == pinned["Content"]
    assert awslambda.get_account_settings()["AccountUsage"]["TotalCodeSize"] == 0


def test_a_zip_in_the_request_cannot_be_referred_to(awslambda, make_zip, refused):
    content = {"ZipFile": make_zip({"a.py": b"1"}), "S3ObjectStorageMode": "REFERENCE"}
    with refused(400, REFUSED, "S3Key"):
        awslambda.publish_layer_version(LayerName="web", Content=content)


def test_a_mode_that_does_not_exist_is_refused(put, refer, refused):
    put()
    with refused(400, "ValidationException"):
        refer(S3ObjectStorageMode="MOVE")


def test_the_bucket_has_to_keep_versions(s3, put, refer, refused):
    put()
    s3.put_bucket_versioning(Bucket="layers", VersioningConfiguration={"Status": "Suspended"})
    with refused(400, REFUSED, "versioning"):
        refer()


def policy(**more):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": "arn:aws:s3:::layers/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | more]})


@pytest.mark.parametrize(
    ("more", "is_allowed"),
    [
        ({}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}, True),
        (
            {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:lambda:eu-west-1:123456789012:layer:*"}}},
            True,
        ),
        ({"Action": "s3:GetObject"}, False),
        ({"Resource": "arn:aws:s3:::layers/other/*"}, False),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, False),
        ({"Effect": "Deny"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}, False),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:lambda:*:*:function:*"}}}, False),
    ],
)
def test_the_policy_of_the_bucket_has_to_allow_lambda(s3, put, refer, refused, more, is_allowed):
    put()
    s3.put_bucket_policy(Bucket="layers", Policy=policy(**more))
    if is_allowed:
        refer()
        return
    with refused(400, REFUSED, "AccessDenied"):
        refer()


def test_a_function_keeps_a_lost_layer_and_cannot_be_given_it_again(awslambda, aws, s3, put, refer, refused):
    version = put()
    arn = refer()["LayerVersionArn"]
    aws.declare_function("api")
    awslambda.update_function_configuration(FunctionName="api", Layers=[arn])
    s3.delete_object(Bucket="layers", Key=KEY, VersionId=version)
    awslambda.update_function_configuration(FunctionName="api", Timeout=5)
    with refused(400, REFUSED, "NoSuchKey"):
        awslambda.update_function_configuration(FunctionName="api", Layers=[arn])


def test_objects_that_layers_refer_to_outlive_the_process(tmp_path, connect, make_zip):
    with LocalAws(state_file=tmp_path / "state.json") as aws:
        aws.declare_bucket("layers", referenced=True)
        body = make_zip({"python/module.py": b"x = 1\n"})
        version = connect(aws, "s3").put_object(Bucket="layers", Key=KEY, Body=body)["VersionId"]
        content = {"S3Bucket": "layers", "S3Key": KEY, "S3ObjectStorageMode": "REFERENCE"}
        connect(aws).publish_layer_version(LayerName="web", Content=content)
    with LocalAws(state_file=tmp_path / "state.json") as aws:
        content = connect(aws).get_layer_version(LayerName="web", VersionNumber=1)["Content"]
        assert content["ResolvedS3Object"]["S3ObjectVersion"] == version
        found = connect(aws, "s3").get_object(Bucket="layers", Key=KEY, VersionId=version)
        assert found["Body"].read() == body
