"""Archives in S3: published by reference, read, and deleted when no layer version refers to them."""

import contextlib
import hashlib
import zipfile
from datetime import UTC, datetime
from urllib.parse import parse_qs

import boto3
import faults as fault
import pytest
from planning import ACCOUNT, REGION

from entrypoint.errors import AwsError
from entrypoint.manifest.model import Bucket
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.prune import Retention, prune
from entrypoint.release.storage import Reader, bucket_policy, examine_policy

BUCKET = Bucket("layers-{account}", "builds/", "reference")
NAME = f"layers-{ACCOUNT}"
FOLDER = f"builds/{ACCOUNT}/{REGION}/web/"
LATER = datetime(2090, 1, 1, tzinfo=UTC)


@pytest.fixture
def s3(aws):
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "local"}
    with contextlib.closing(
        boto3.client("s3", endpoint_url=aws.endpoint_url, region_name=REGION, **keys)
    ) as client:
        yield client


@pytest.fixture
def stored(s3):
    """The objects in the bucket, as (key, version)."""
    return lambda: {
        (each["Key"], each["VersionId"]) for each in s3.list_object_versions(Bucket=NAME).get("Versions", [])
    }


@pytest.fixture
def referring(aws, connect):
    aws.declare_bucket(NAME, referenced=True)
    return connect(aws, bucket=BUCKET)


@pytest.fixture
def publish(tmp_path):
    """Publish an archive with this text as the layer `web`; return the archive."""

    def publish_it(edge, text="1"):
        path = tmp_path / f"{text}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("python/six-1.0.dist-info/RECORD", text)
        about = f"web deps:sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        edge.layers.publish(
            name="web", description=about, archive=path, runtimes=(), architectures=(), license=None
        )
        return path

    return publish_it


def _pruned(edge, keep=1, **more):
    return prune(edge, [Retention("web", keep, "0" * 64)], now=lambda: LATER, **more)


def test_a_small_archive_is_referred_to_by_its_digest_and_version(referring, publish, stored, other):
    path = publish(referring)
    ((key, version),) = stored()
    assert key == f"{FOLDER}{hashlib.sha256(path.read_bytes()).hexdigest()}.zip"
    content = other.get_layer_version(LayerName="web", VersionNumber=1)["Content"]
    assert content["ResolvedS3Object"] == {"S3Bucket": NAME, "S3Key": key, "S3ObjectVersion": version}
    assert referring.layers.stored("web", 1).version == version


def test_what_is_referred_to_is_read_at_its_version(referring, publish, s3, stored):
    publish(referring)
    ((key, _),) = stored()
    s3.put_object(Bucket=NAME, Key=key, Body=b"something else")
    with contextlib.closing(referring.layers.archive("web", 1)) as file:
        assert ArchivePackages(file, name="web:1").versions == {"six": "1.0"}


def test_a_bucket_in_another_region_is_read_there(referring, publish, faults):
    publish(referring)
    asked = []

    def elsewhere(_inner):
        def application(_environ, start_response):
            start_response("400 Bad Request", [("x-amz-bucket-region", "us-west-2")])
            return []

        return application

    def note(inner):
        def application(environ, start_response):
            asked.append(parse_qs(environ["QUERY_STRING"])["X-Amz-Credential"][0])
            return inner(environ, start_response)

        return application

    faults.script("HeadObject", elsewhere)
    faults.script("GetObject", note)
    with contextlib.closing(referring.layers.archive("web", 1)) as file:
        assert ArchivePackages(file, name="web:1").versions == {"six": "1.0"}
    assert [each.split("/")[2] for each in asked] == ["us-west-2"]


def test_an_archive_that_is_lost_says_where_it_was(referring, publish, s3, stored):
    publish(referring)
    ((key, version),) = stored()
    s3.delete_object(Bucket=NAME, Key=key, VersionId=version)
    with pytest.raises(AwsError, match=f"archive of web:1 in S3 does not exist: s3://{NAME}/{key}"):
        referring.layers.archive("web", 1)


def test_a_bucket_without_versions_is_refused_before_publishing(aws, connect, publish, other):
    aws.declare_bucket(NAME)
    with pytest.raises(AwsError, match="keeps no versions, which 'storage: reference' needs; enable them: "):
        publish(connect(aws, bucket=BUCKET))
    assert other.list_layer_versions(LayerName="web")["LayerVersions"] == []


def test_archives_go_after_the_layer_versions_that_referred_to_them(referring, publish, stored, s3, calls):
    for text in "123":
        publish(referring, text)
    newest = {("web", referring.layers.stored("web", 3).version)}
    for key in (f"{FOLDER}notes.txt", f"builds/{ACCOUNT}/us-east-1/web/{'0' * 64}.zip", f"{'0' * 64}.zip"):
        s3.put_object(Bucket=NAME, Key=key, Body=b"of others")
        newest.add(("other", max(stored(), key=lambda each: each[0] == key)[1]))
    s3.put_object(Bucket=NAME, Key=f"{FOLDER}{'0' * 64}.zip", Body=b"an upload that was never published")
    would = _pruned(referring, dry_run=True)
    assert calls("DeleteObject") == 0
    assert _pruned(referring) == would
    assert would.deleted == ("web:2", "web:1")
    assert len(would.archives) == 3
    assert {version for _, version in stored()} == {version for _, version in newest}


def test_archives_less_than_an_hour_old_stay(referring, publish, stored):
    publish(referring)
    referring.layers.delete("web", 1)
    now = datetime.now(tz=UTC)
    assert not prune(referring, [Retention("web", 0, "0" * 64)], now=lambda: now).archives
    assert len(stored()) == 1
    assert len(_pruned(referring).archives) == 1
    assert stored() == set()


def test_archives_stay_while_a_function_uses_a_version_that_is_deleted(
    aws, referring, publish, stored, other
):
    publish(referring)
    arn = other.get_layer_version(LayerName="web", VersionNumber=1)["LayerVersionArn"]
    aws.declare_function("api", layers=[arn])
    referring.layers.delete("web", 1)
    found = _pruned(referring)
    assert found.kept == ("the archives of web in S3, as functions use web:1, which is deleted",)
    assert len(stored()) == 1


def test_copies_prune_nothing_in_the_bucket(aws, connect, publish, stored, referring):
    publish(referring)
    referring.layers.delete("web", 1)
    assert not _pruned(connect(aws, bucket=BUCKET._replace(storage="copy"))).archives
    assert len(stored()) == 1


def test_what_may_not_be_listed_is_kept_with_the_reason(referring, publish, faults):
    publish(referring)
    denied = fault.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    faults.script("GetBucket", denied)  # all reads of a bucket have this name
    (kept,) = _pruned(referring).kept
    assert kept.startswith("archives of web in S3: ")
    assert kept.endswith("allow s3:ListBucketVersions to the role of this run")


READER = Reader(ACCOUNT, REGION)
LAYERS = {"web": FOLDER}
GOOD = bucket_policy(NAME, "builds/", [READER])["Statement"][0]
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{NAME}/*"}


def condition(operator, key, *values):
    return {"Condition": {operator: {key: list(values)}}}


ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:web"


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        ([GOOD], []),
        ([GOOD | {"Condition": {}}], []),
        ([GOOD | condition("StringEquals", "aws:SourceAccount", ACCOUNT)], []),
        ([GOOD | condition("ArnLike", "AWS:SourceArn", f"{ARN}*")], []),
        ([GOOD | {"Principal": "*", "Action": "s3:Get*", "Resource": "*", "Condition": {}}], []),
        ([GOOD, DENY | condition("Bool", "aws:SecureTransport", "false")], []),
        ([GOOD, DENY | {"Principal": {"AWS": "arn:aws:iam::1:root"}}], []),
        ([], ["error"]),
        ([GOOD | {"Action": "s3:GetObject"}], ["error"]),
        ([GOOD | {"Resource": f"arn:aws:s3:::{NAME}/other/*"}], ["error"]),
        ([GOOD | condition("StringEquals", "aws:SourceAccount", "210987654321")], ["error"]),
        ([GOOD | condition("ArnLike", "aws:SourceArn", ARN)], ["error"]),  # not with a version
        ([GOOD, DENY], ["error"]),
        ([GOOD, DENY | condition("StringNotEquals", "aws:SourceVpc", "vpc-1")], ["info"]),
        ([GOOD | condition("StringEquals", "aws:SourceOrgID", "o-1")], ["info"]),
    ],
)
def test_whether_the_policy_lets_lambda_read(statements, found):
    policy = {"Version": "2012-10-17", "Statement": statements}
    assert [str(each.severity) for each in examine_policy(policy, NAME, LAYERS, READER)] == found
