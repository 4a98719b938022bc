"""`storage: reference`: deployed, read, examined and pruned by commands, with what `iam-policy` prints."""

import contextlib
import json
import shutil

import boto3
import pytest
import yaml
from deploying import MANIFEST, layers_of
from iam import Judge

from entrypoint.cli import main
from entrypoint.local_aws.server import LocalAws

REFERENCE = MANIFEST + "s3: {bucket: 'layers-{account}', storage: reference}\n"
BUCKET = "layers-123456789012"


@pytest.fixture
def judge():
    return Judge()


@pytest.fixture
def aws(judge):
    with LocalAws(middleware=judge) as local:
        local.declare_function("api")
        local.declare_function("report-daily", runtime="python3.12")
        yield local


@pytest.fixture(autouse=True)
def _manifest(project):
    (project / "lambda-layers.yml").write_text(REFERENCE)


@pytest.fixture
def s3(project):
    with contextlib.closing(boto3.client("s3")) as client:
        yield client


@pytest.fixture
def bucket(s3, capsys):
    """A bucket as it is set up by hand, with the policy that is printed."""
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert main(["iam-policy", "--bucket", BUCKET, "--account", "123456789012"]) == 0
    s3.put_bucket_policy(Bucket=BUCKET, Policy=capsys.readouterr().out)


def test_what_was_deployed_is_compared_and_read(bucket, aws, pin, project, capsys):
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert main(["plan", "--detailed-exitcode"]) == 0
    pin("tools.txt", "attrs", "4.0")
    capsys.readouterr()
    assert main(["diff"]) == 0
    assert "attrs  3.0 -> 4.0" in capsys.readouterr().out
    shutil.rmtree(project / ".lambda-layers")
    assert main(["report"]) == 0
    assert "tools:1 in eu-west-1" in (project / "lambda-layers.html").read_text()
    (project / "lambda-layers.yml").unlink()
    assert main(["init", "--from-aws"]) == 0
    drafted = yaml.safe_load((project / "lambda-layers.yml").read_text())
    assert drafted["layers"]["tools"]["requirements"] == ["attrs==3.0"]


def _problems(command, capsys, code):
    assert main([command, "--json"]) == code
    return [
        each["message"]
        for each in json.loads(capsys.readouterr().out)["diagnostics"]
        if "bucket" in each["message"]
    ]


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_a_bucket_that_lambda_cannot_use_is_found_before(command, s3, capsys):
    told = f"eu-west-1: the bucket {BUCKET}"
    assert _problems(command, capsys, 11) == [f"{told} does not exist"]
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    no_policy = f"eu-west-1: the policy of the bucket {BUCKET} does not allow Lambda s3:GetObject, s3:GetObjectVersion"
    assert _problems(command, capsys, 11) == [
        f"{told} keeps no versions of its objects, which 'storage: reference' needs",
        no_policy,
    ]
    assert main(["iam-policy", "--bucket", BUCKET, "--account", "123456789012"]) == 0
    s3.put_bucket_policy(Bucket=BUCKET, Policy=capsys.readouterr().out)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert _problems(command, capsys, 0) == []


ACTIONS = ["s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:ListBucketVersions", "s3:PutObject"]
LOOKING = ["s3:GetBucketPolicy", "s3:GetBucketVersioning"]


@pytest.fixture
def policy(project, capsys):
    text = REFERENCE.replace("runtimes: [python3.13]}", "runtimes: [python3.13], keep: 1}")
    (project / "lambda-layers.yml").write_text(text)
    assert main(["iam-policy", "--account", "123456789012"]) == 0
    return json.loads(capsys.readouterr().out)


def test_with_just_this_policy_a_deployment_goes_through(bucket, judge, policy, capsys):
    judge.policy = policy
    assert main(["deploy"]) == 0
    assert main(["deploy"]) == 0
    told = capsys.readouterr()
    assert "to the role of this run" not in told.out + told.err
    assert {each for each in judge.asked if each.startswith("s3:")} == {
        *(set(ACTIONS) - {"s3:DeleteObjectVersion"}),
        *LOOKING,
    }


@pytest.mark.parametrize("action", [*ACTIONS[1:], *LOOKING])
def test_with_one_action_less_it_says_which_lacks(bucket, judge, policy, capsys, action):
    for statement in policy["Statement"]:
        statement["Action"] = [each for each in statement["Action"] if each != action]
    judge.policy = policy
    assert (main(["deploy"]) == 0) == (action in {*LOOKING, "s3:ListBucketVersions"})
    told = capsys.readouterr()
    assert action in told.out + told.err


def test_the_policy_names_the_bucket_of_each_account(project, capsys):
    text = REFERENCE + "accounts: ['arn:aws:iam::210987654321:role/a', 'arn:aws:iam::345678901234:role/b']\n"
    (project / "lambda-layers.yml").write_text(text)
    assert main(["iam-policy", "--bucket", "layers-210987654321"]) == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ["210987654321"]}
    assert statement["Resource"] == "arn:aws:s3:::layers-210987654321/*"
    (project / "lambda-layers.yml").write_text(text.replace("layers-{account}", "layers"))
    assert main(["iam-policy", "--bucket", "layers"]) == 0
    (statement,) = json.loads(capsys.readouterr().out)["Statement"]
    accounts = {"aws:SourceAccount": ["210987654321", "345678901234"]}
    assert statement["Condition"]["StringEquals"] == accounts
    assert main(["iam-policy", "--bucket", "other"]) == 4
    assert "write one of these: layers" in capsys.readouterr().err


def test_the_policy_of_a_bucket_needs_an_account_and_a_reference(project, capsys):
    assert main(["iam-policy", "--bucket", BUCKET]) == 4
    assert "add --account NUMBER" in capsys.readouterr().err
    (project / "lambda-layers.yml").write_text(REFERENCE.replace(", storage: reference", ""))
    assert main(["iam-policy", "--bucket", BUCKET, "--account", "123456789012"]) == 4
    assert "storage: reference" in capsys.readouterr().err


def test_locally_the_bucket_and_its_archives_are_there_again(pin, capsys):
    assert main(["deploy", "--aws", "local"]) == 0
    pin("tools.txt", "attrs", "4.0")
    assert main(["deploy", "--aws", "local"]) == 0
    assert main(["plan", "--aws", "local", "--detailed-exitcode"]) == 0
