"""Publishing: exactly one version, whatever becomes of the answer; large archives by way of S3."""

import random

import boto3
import faults as fault
import pytest
from layers import assembled
from package_index import make_wheel
from planning import ACCOUNT, HASH, REGION, layer, read

from entrypoint.errors import AwsError
from entrypoint.layer.describe import BuiltArchive, BuiltPackage
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.manifest.model import Bucket
from entrypoint.release.plan import LayerAction, LayerChange
from entrypoint.release.publish import publish
from entrypoint.release.state import read_layer

WEB = "layers:\n" + layer("web", more=", license: MIT, description: Everything for the web")


def archive_of(folder, content):
    """An archive of one small package."""
    return assembled(folder, make_wheel(folder / "wheels", "six", "1.0", files={"six.py": content}))


@pytest.fixture
def archive(tmp_path):
    return archive_of(tmp_path, b"x = 1\n")


@pytest.fixture
def put(aws, connect, clock, archive):
    """Publish the archive as the layer of a manifest, as a plan made now would have it done."""

    def publish_it(text=WEB, *, what=archive, dependency_hash=HASH, bucket=None, packages=()):
        (aws_layer,) = read(text)[1]
        edge = connect(aws, bucket=bucket)
        stands = read_layer(edge, aws_layer.name, dependency_hash)
        change = LayerChange(
            layer=aws_layer,
            dependency_hash=dependency_hash,
            action=LayerAction.PUBLISH,
            latest=stands.latest,
            version=None,
        )
        built = BuiltArchive(
            path=what.path,
            sha256=what.sha256.hex(),
            compressed_size=what.compressed_size,
            unzipped_size=what.unzipped_size,
            packages=packages,
        )
        return publish(edge, change, built, sleep=clock.sleep)

    return publish_it


@pytest.fixture
def versions(other):
    """What stands under a layer's name, oldest first."""
    return lambda name="web": other.list_layer_versions(LayerName=name)["LayerVersions"][::-1]


def test_a_version_says_what_it_is_and_what_it_is_made_of(put, versions, other, archive):
    done = put()
    (version,) = versions()
    assert version["Description"] == f"Everything for the web deps:sha256:{HASH}"
    assert version["CompatibleRuntimes"] == ["python3.13"]
    assert version["CompatibleArchitectures"] == ["x86_64"]
    assert version["LicenseInfo"] == "MIT"
    assert (done.action, done.version.arn) == (LayerAction.PUBLISH, version["LayerVersionArn"])
    content = other.get_layer_version(LayerName="web", VersionNumber=1)["Content"]
    assert content["CodeSha256"] == archive.code_sha256


def test_libraries_are_named_as_far_as_there_is_room(put, versions):
    def package(name, *, is_system=True):
        return BuiltPackage(
            name=name, origin=f"{name} 1.0-1.amzn2023", compressed_size=1, size=1, is_system=is_system
        )

    put(packages=[package("six", is_system=False), package("expat"), package("x" * 140), package("zlib")])
    (version,) = versions()
    assert version["Description"] == f"Everything for the web, expat 1.0-1.amzn2023 deps:sha256:{HASH}"


def test_without_a_description_the_layer_and_its_platforms_are_named(put, versions):
    put("layers:\n" + layer("web", "python3.12", "python3.13", more=", name: all"))
    (version,) = versions("all")
    assert version["Description"].startswith("web for python3.12-x86_64, python3.13-x86_64 deps:sha256:")
    assert version["CompatibleRuntimes"] == ["python3.12", "python3.13"]


def test_the_longest_description_fits(put, versions):
    put("layers:\n" + layer("web", more=f', description: "{"é" * 150}"'))
    (version,) = versions()
    assert len(version["Description"]) <= 256
    assert version["Description"].endswith(HASH)


@pytest.mark.parametrize("trouble", [fault.reset_before, fault.reset_after, fault.BROKEN, fault.UNAVAILABLE])
def test_an_unclear_answer_is_settled_by_looking(put, versions, faults, trouble):
    faults.script("PublishLayerVersion", trouble)
    done = put()
    (version,) = versions()
    assert done.version.arn == version["LayerVersionArn"]


def test_what_was_published_and_lost_is_not_published_again(put, faults, calls):
    faults.script("PublishLayerVersion", fault.reset_before, fault.BROKEN, fault.reset_after)
    assert put().version.version == 1
    assert calls("PublishLayerVersion") == 3


def test_time_is_given_before_looking(put, faults, clock):
    faults.script("PublishLayerVersion", *[fault.BROKEN] * 3)
    before = clock()
    put()
    assert clock() - before >= 1 + 2 + 4


def test_an_aws_that_keeps_failing_is_given_up(put, faults, versions):
    faults.script("PublishLayerVersion", *[fault.UNAVAILABLE] * 10)
    with pytest.raises(AwsError, match="no clear answer to publishing web, 4 times; run again"):
        put()
    assert versions() == []


def test_a_throttled_publication_was_not_carried_out(put, faults, versions, clock):
    faults.script("PublishLayerVersion", fault.throttled(retry_after=3))
    before = clock()
    put()
    assert len(versions()) == 1
    assert clock() - before >= 3


def test_the_same_bytes_under_another_hash_are_published_so_that_aws_carries_it(put, versions):
    put()
    again = put(dependency_hash="1" * 64)
    assert (again.action, again.version.version) == (LayerAction.PUBLISH, 2)
    assert versions()[1]["Description"].endswith("1" * 64)


def test_the_same_bytes_for_other_platforms_are_published(put, versions):
    named = ", name: web"
    put("layers:\n" + layer("web", more=named))
    put("layers:\n" + layer("web", "python3.12", "python3.13", more=named), dependency_hash="1" * 64)
    both = named + ", architectures: [x86_64, arm64]"
    put("layers:\n" + layer("web", "python3.12", "python3.13", more=both), dependency_hash="2" * 64)
    compatible = [(each["CompatibleRuntimes"], each["CompatibleArchitectures"]) for each in versions()]
    assert compatible == [
        (["python3.13"], ["x86_64"]),
        (["python3.12", "python3.13"], ["x86_64"]),
        (["python3.12", "python3.13"], ["x86_64", "arm64"]),
    ]


def test_a_refusal_says_what_to_allow(put, faults):
    text = "User: x is not authorized to perform: lambda:PublishLayerVersion on resource: arn:aws:lambda:y"
    faults.script("PublishLayerVersion", fault.error(403, "AccessDeniedException", text))
    with pytest.raises(AwsError) as caught:
        put()
    (problem,) = caught.value.problems
    assert problem.message.startswith("AWS refuses PublishLayerVersion for web: User: x is not")
    assert problem.hint == "allow lambda:PublishLayerVersion to the role of this run, on arn:aws:lambda:y"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """An archive over the limit of a direct upload: bytes that no method makes smaller."""
    content = random.Random(1).randbytes(DIRECT_UPLOAD_BYTES + 1)
    return archive_of(tmp_path_factory.mktemp("large"), content)


def test_a_large_archive_goes_through_the_bucket(put, aws, large, other):
    aws.declare_bucket("layers-eu-west-1")
    put(what=large, bucket=Bucket(bucket="layers-{region}", prefix="builds/"))
    content = other.get_layer_version(LayerName="web", VersionNumber=1)["Content"]
    assert (content["CodeSha256"], content["CodeSize"]) == (large.code_sha256, large.compressed_size)
    uploads = {call.path for call in aws.call_log if call.service == "s3" and not call.reads_only}
    assert uploads == {f"/layers-eu-west-1/builds/web/{large.sha256.hex()}.zip"}
    assert "DeleteObject" not in {call.operation for call in aws.call_log}  # another run may be publishing it


def test_a_copied_archive_is_pinned_and_removed_where_the_bucket_keeps_versions(
    put, aws, large, other, faults
):
    aws.declare_bucket("layers", referenced=True)
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "local"}
    s3 = boto3.client("s3", endpoint_url=aws.endpoint_url, region_name=REGION, **keys)
    key = f"web/{large.sha256.hex()}.zip"

    def overwrite():
        s3.put_object(Bucket="layers", Key=key, Body=b"by another run")

    faults.script("PublishLayerVersion", fault.after(overwrite))
    put(what=large, bucket=Bucket(bucket="layers"))
    content = other.get_layer_version(LayerName="web", VersionNumber=1)["Content"]
    assert content["CodeSha256"] == large.code_sha256
    (left,) = s3.list_object_versions(Bucket="layers")["Versions"]
    assert left["Size"] == len(b"by another run")
    s3.close()


def test_a_copy_that_may_not_be_deleted_stays_and_the_layer_is_published(put, aws, large, faults, versions):
    aws.declare_bucket("layers", referenced=True)
    denied = fault.answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
    faults.script("DeleteObject", denied)
    put(what=large, bucket=Bucket(bucket="layers"))
    assert len(versions()) == 1
    assert faults.hits["DeleteObject"] == 1


def test_a_small_archive_goes_directly_even_where_there_is_a_bucket(put, aws):
    put(bucket=Bucket(bucket="nowhere", prefix=""))
    assert {call.service for call in aws.call_log} == {"lambda"}


def test_a_bucket_that_is_not_there_is_told(put, large, versions):
    with pytest.raises(AwsError) as caught:
        put(what=large, bucket=Bucket(bucket="layers-{region}", prefix=""))
    assert "layer.zip cannot be uploaded to the bucket layers-eu-west-1: " in str(caught.value)
    assert "NoSuchBucket" in str(caught.value)
    assert "is in eu-west-1" in str(caught.value)
    assert versions() == []
