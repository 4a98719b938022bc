"""Layers: publishing, reading, listing, deleting."""

import base64
import hashlib

import pytest

REFUSED = "InvalidParameterValueException"
OUT_OF_LIMITS = "ValidationException"


def test_a_published_version_has_the_given_and_the_measured_properties(awslambda, make_zip):
    content = make_zip({"python/module.py": b"x = 1\n"})

    made = awslambda.publish_layer_version(
        LayerName="web",
        Content={"ZipFile": content},
        Description="deps:sha256:abc",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.13", "provided.al2023"],
        CompatibleArchitectures=["arm64"],
    )

    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert made["LayerArn"] == "arn:aws:lambda:eu-west-1:123456789012:layer:web"
    assert made["LayerVersionArn"] == made["LayerArn"] + ":1"
    assert (made["Content"]["CodeSha256"], made["Content"]["CodeSize"]) == (digest, len(content))
    assert (made["Description"], made["LicenseInfo"]) == ("deps:sha256:abc", "MIT")
    read = awslambda.get_layer_version(LayerName="web", VersionNumber=1)
    by_arn = awslambda.get_layer_version(LayerName=made["LayerArn"], VersionNumber=1)
    for answer in (made, read, by_arn):
        del answer["ResponseMetadata"]
    assert made == read == by_arn


def test_publishing_equal_bytes_is_a_new_version(publish):
    assert [publish().rpartition(":")[2] for _ in range(3)] == ["1", "2", "3"]


def test_numbers_of_deleted_versions_are_not_reused(awslambda, publish):
    publish()
    publish()
    awslambda.delete_layer_version(LayerName="web", VersionNumber=2)
    awslambda.delete_layer_version(LayerName="web", VersionNumber=1)

    assert awslambda.list_layer_versions(LayerName="web")["LayerVersions"] == []
    assert publish().endswith(":layer:web:3")


def test_deleting_a_missing_version_succeeds(awslambda, publish):
    publish()
    for number in (1, 1, 99):
        answer = awslambda.delete_layer_version(LayerName="web", VersionNumber=number)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_a_deleted_version_cannot_be_read(awslambda, publish, refused):
    layer = publish().removesuffix(":1")
    awslambda.delete_layer_version(LayerName="web", VersionNumber=1)

    for name in ("web", layer):
        with refused(404, "ResourceNotFoundException"):
            awslambda.get_layer_version(LayerName=name, VersionNumber=1)


def test_versions_are_listed_newest_first_and_without_content(awslambda, publish):
    for number in (1, 2, 3):
        publish(Description=f"v{number}", CompatibleRuntimes=["python3.13"])

    listed = awslambda.list_layer_versions(LayerName="web")["LayerVersions"]

    assert [(each["Version"], each["Description"]) for each in listed] == [(3, "v3"), (2, "v2"), (1, "v1")]
    assert all("Content" not in each for each in listed)
    by_arn = awslambda.list_layer_versions(LayerName="arn:aws:lambda:eu-west-1:123456789012:layer:web")
    assert by_arn["LayerVersions"] == listed


def test_an_unknown_layer_has_no_versions(awslambda):
    assert awslambda.list_layer_versions(LayerName="nobody")["LayerVersions"] == []


def test_filters_by_runtime_and_architecture(awslambda, publish):
    publish(CompatibleRuntimes=["python3.12"], CompatibleArchitectures=["x86_64"])
    publish(CompatibleRuntimes=["python3.13"], CompatibleArchitectures=["x86_64"])
    publish(CompatibleRuntimes=["python3.13"], CompatibleArchitectures=["arm64"])

    def versions(**filters):
        answer = awslambda.list_layer_versions(LayerName="web", **filters)
        return [each["Version"] for each in answer["LayerVersions"]]

    assert versions(CompatibleRuntime="python3.13") == [3, 2]
    assert versions(CompatibleRuntime="python3.13", CompatibleArchitecture="x86_64") == [2]
    assert versions(CompatibleArchitecture="x86_64") == [2, 1]
    publish()
    assert versions() == [4, 3, 2, 1]
    assert versions(CompatibleArchitecture="arm64") == [3]  # version 4 has no architectures


def test_an_unknown_runtime_in_a_filter_is_refused(awslambda, refused):
    with refused(400, REFUSED, "python9"):
        awslambda.list_layer_versions(LayerName="web", CompatibleRuntime="python9")


def test_regions_and_accounts_are_separate(client, publish):
    publish()
    for other in (client(region="us-east-1"), client(account="210987654321")):
        assert other.list_layer_versions(LayerName="web")["LayerVersions"] == []


def test_an_archive_may_come_from_s3(client, awslambda, make_zip, refused):
    s3 = client("s3")
    content = make_zip({"python/module.py": b"x = 1\n"})
    with refused(400, REFUSED, "NoSuchBucket"):
        awslambda.publish_layer_version(LayerName="web", Content={"S3Bucket": "layers", "S3Key": "web.zip"})

    s3.create_bucket(Bucket="layers", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with refused(400, REFUSED, "NoSuchKey"):
        awslambda.publish_layer_version(LayerName="web", Content={"S3Bucket": "layers", "S3Key": "web.zip"})
    assert awslambda.list_layer_versions(LayerName="web")["LayerVersions"] == []

    s3.put_object(Bucket="layers", Key="web.zip", Body=content)
    made = awslambda.publish_layer_version(
        LayerName="web", Content={"S3Bucket": "layers", "S3Key": "web.zip"}
    )
    assert made["Content"]["CodeSize"] == len(content)


def test_an_invalid_zip_is_refused(awslambda, make_zip, refused):
    whole = make_zip({"python/module.py": b"some text that is long enough to be cut\n"})
    damaged = bytearray(whole)
    damaged[50] ^= 0xFF
    for content in (b"not a zip", whole[:-8], bytes(damaged)):
        with refused(400, REFUSED, "Could not unzip"):
            awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": content})
    with refused(400, REFUSED, "non-empty"):
        awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": make_zip({})})


def test_an_archive_may_not_unpack_to_more_than_250_mib(awslambda, make_zip, refused):
    part = bytes(131_072_000)
    awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": make_zip({"a": part, "b": part})})
    over = make_zip({"a": part, "b": part, "c": b"x"})
    with refused(400, REFUSED, "Unzipped size must be smaller than 262144000 bytes"):
        awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": over})


def test_more_than_50_mib_cannot_be_sent_directly(awslambda, refused):
    with refused(413, "RequestEntityTooLargeException", "Request must be smaller than"):
        awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": bytes(52_428_801)})
    with refused(413, "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes"):
        awslambda.publish_layer_version(LayerName="web", Content={"ZipFile": bytes(52_700_000)})


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"CompatibleRuntimes": ["python9"]}, REFUSED, "python9"),
        ({"CompatibleRuntimes": ["python3.13"] * 16}, REFUSED, "length less than or equal to 15"),
        ({"CompatibleArchitectures": ["sparc"]}, OUT_OF_LIMITS, "sparc"),
        ({"Description": "d" * 257}, OUT_OF_LIMITS, "length less than or equal to 256"),
        ({"LicenseInfo": "l" * 513}, OUT_OF_LIMITS, "length less than or equal to 512"),
        ({"LayerName": "has.dot"}, OUT_OF_LIMITS, "layerName"),
        ({"LayerName": "n" * 141}, OUT_OF_LIMITS, "layerName"),
        ({"Content": {}}, REFUSED, "source for the code"),
    ],
)
def test_invalid_values_are_refused(awslambda, make_zip, refused, given, code, text):
    good = {"LayerName": "web", "Content": {"ZipFile": make_zip({"python/a.py": b"a"})}}
    with refused(400, code, text):
        awslambda.publish_layer_version(**{**good, **given})
    assert awslambda.list_layer_versions(LayerName="web")["LayerVersions"] == []


def test_values_at_the_limits_are_accepted(publish, awslambda):
    publish(Description="d" * 256, LicenseInfo="l" * 512, CompatibleRuntimes=["python3.13"] * 15)
    publish("n" * 140)
    for name in ("web", "n" * 140):
        assert len(awslambda.list_layer_versions(LayerName=name)["LayerVersions"]) == 1
