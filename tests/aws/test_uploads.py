"""Large archives go through S3 in parts: none are left where an upload fails or is interrupted."""

import threading

import boto3
import faults as fault
import pytest

from entrypoint.aws.access import Access
from entrypoint.aws.client import Aws
from entrypoint.errors import AwsError
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Bucket, Destination

KEYS = {"access_key": "123456789012", "secret_key": "local", "region": "eu-west-1"}


@pytest.fixture
def faults():
    return fault.Faults()


@pytest.fixture
def upload(faults, tmp_path):
    """What publishes a layer through S3, how to interrupt it, and what S3 has then: files and started uploads."""
    with LocalAws(middleware=faults) as local:
        s3 = boto3.client(
            "s3",
            endpoint_url=local.endpoint_url,
            region_name="eu-west-1",
            aws_access_key_id="123456789012",
            aws_secret_access_key="local",
        )
        where = {"LocationConstraint": "eu-west-1"}
        s3.create_bucket(Bucket="layers", CreateBucketConfiguration=where)
        access = Access(endpoint_url=local.endpoint_url, **KEYS)
        aws = Aws(Destination("eu-west-1"), access=access, bucket=Bucket("layers"))
        archive = tmp_path / "web.zip"
        with archive.open("wb") as file:
            file.truncate(52 << 20)

        def publish():
            return aws.layers.publish(
                name="web", description="d", archive=archive, runtimes=(), architectures=(), license=None
            )

        def left():
            started = s3.list_multipart_uploads(Bucket="layers").get("Uploads", [])
            return s3.list_objects_v2(Bucket="layers")["KeyCount"], len(started)

        yield publish, aws.close, left
        aws.close()
        s3.close()


def test_a_part_that_is_refused(upload, faults):
    publish, _, left = upload
    faults.script("PutObject", None, None, fault.answer(403, b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(AwsError, match="cannot be uploaded to the bucket layers"):
        publish()
    assert left() == (0, 0)


def test_an_interruption(upload, faults):
    publish, close, left = upload
    begun = threading.Event()
    faults.script("PutObject", None, *[fault.after(lambda: begun.set() or threading.Event().wait(0.5))] * 9)
    failures = []

    def run():
        try:
            publish()
        except AwsError as error:
            failures.append(error)

    running = threading.Thread(target=run)
    running.start()
    assert begun.wait(10)
    assert left() == (0, 1)
    close()
    running.join(10)
    assert not running.is_alive()
    assert left() == (0, 0)
    assert failures
