"""Layers of vendors whose version the manifest leaves open: lambda-layers.lock pins it."""

import json
import os
import subprocess

import pytest
from deploying import layers_of

from entrypoint.cli import main

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
VENDORS = {
    "017000801446": "AWSLambdaPowertoolsPythonV3-python313-x86_64",
    "464622532012": "Datadog-Python313",
    "451483290750": "NewRelicPython313",
    "184161586896": "opentelemetry-python-0_16_0",
    "770693421928": "Klayers-p313-requests",
}
MANIFEST = """\
version: 1
regions: [eu-west-1, us-east-1]
layers:
  web: {requirements: [six], lock: web.txt, runtimes: [python3.13]}
functions:
  api: {layers: [web, %s]}
"""
LAYER = "arn:aws:lambda:{region}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64"


@pytest.fixture
def manifest(project):
    def write(*layers):
        (project / "lambda-layers.yml").write_text(MANIFEST % ", ".join(f'"{layer}"' for layer in layers))

    return write


@pytest.fixture
def published(aws):
    """Publish versions of a vendor's layer in both regions, which have different numbers."""

    def publish(last, account="017000801446"):
        for region, number in {"eu-west-1": last, "us-east-1": last + 1}.items():
            for version in range(max(1, number - 3), number + 1):
                aws.declare_layer_version(VENDORS[account], account=account, version=version, region=region)

    aws.declare_function("api", region="us-east-1")
    return publish


def pins(project):
    return [line for line in (project / "lambda-layers.lock").read_text().splitlines() if line[:1] != "#"]


def test_locked_deployed_and_upgraded(aws, project, manifest, published, capsys):
    published(4)
    manifest(f"{LAYER}:latest")
    assert main(["lock"]) == 0
    assert "locked 2 layer versions of other accounts in lambda-layers.lock" in capsys.readouterr().err
    assert pins(project) == [f"{LAYER.format(region='eu-west-1')}:4", f"{LAYER.format(region='us-east-1')}:5"]
    assert main(["check"]) == 0
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api") == ["web:1", f"{VENDORS['017000801446']}:4"]
    assert layers_of(aws, "api", "us-east-1")[1].endswith(":5")

    published(9)
    capsys.readouterr()
    assert main(["lock"]) == 0
    assert main(["lock", "--check"]) == 0
    assert main(["plan"]) == 0
    assert "nothing to do" in capsys.readouterr().out  # nothing moves by itself
    assert main(["lock", "--upgrade", "--check"]) == 6
    assert main(["lock", "--upgrade"]) == 0
    assert pins(project)[0].endswith(":9")
    capsys.readouterr()
    assert main(["plan"]) == 0
    said = capsys.readouterr().out
    assert f"- {VENDORS['017000801446']}:4" in said
    assert f"+ {VENDORS['017000801446']}:9" in said


def test_no_calls_for_what_is_pinned(aws, manifest, published):
    published(4)
    manifest(f"{LAYER}:latest")
    assert main(["lock"]) == 0
    before = len(aws.call_log)
    assert main(["lock"]) == 0
    assert main(["check"]) == 0
    assert len(aws.call_log) == before


@pytest.mark.parametrize("account", VENDORS)
def test_vendors(aws, project, manifest, published, account):
    """Each shares its layers with lambda:GetLayerVersion alone."""
    published(37, account)
    layer = f"arn:aws:lambda:{{region}}:{account}:layer:{VENDORS[account]}"
    manifest(f"{layer}:>=20")
    assert main(["lock"]) == 0
    assert pins(project) == [
        f"{layer.format(region='eu-west-1')}:37",
        f"{layer.format(region='us-east-1')}:38",
    ]
    assert {call.operation for call in aws.call_log if call.service == "lambda"} == {"GetLayerVersionByArn"}


def test_what_the_lock_does_not_have(project, manifest, published, capsys):
    published(4)
    manifest(f"{LAYER}:latest")
    eu, us = (LAYER.format(region=region) for region in ("eu-west-1", "us-east-1"))
    for command in ("check", "plan", "deploy"):
        assert main([command]) == 6
        said = capsys.readouterr().err
        assert (
            f"lambda-layers.yml:6:3: lambda-layers.lock has no version of {eu}; run: lambda-layers lock"
            in said
        )
        assert f"has no version of {us}" in said
    (project / "lambda-layers.lock").write_text(f"{eu}:3\n{us}:5\n{us}x:1\n")
    manifest(f"{LAYER}:>=4")
    assert main(["check"]) == 6
    said = capsys.readouterr().err
    assert f"lambda-layers.lock has version 3, below 4, of {eu}" in said
    assert f"{us}x is not in the manifest" in said
    assert main(["lock"]) == 0
    assert pins(project) == [f"{eu}:4", f"{us}:5"]


def test_in_a_region_that_was_not_locked(project, manifest, published, capsys, monkeypatch):
    """Without `regions`, those of the credentials are meant; the hint leads on."""
    published(4)
    manifest(f"{LAYER}:latest")
    path = project / "lambda-layers.yml"
    path.write_text(path.read_text().replace("regions: [eu-west-1, us-east-1]\n", ""))
    assert main(["lock"]) == 0
    assert [line.split(":")[3] for line in pins(project)] == ["eu-west-1"]
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    capsys.readouterr()
    assert main(["plan"]) == 6
    hint = f"has no version of {LAYER.format(region='us-east-1')}; set AWS_REGION=us-east-1, and run: lambda-layers lock"
    assert hint in capsys.readouterr().err
    assert main(["lock"]) == 0
    assert [line.split(":")[3] for line in pins(project)] == ["eu-west-1", "us-east-1"]
    assert main(["plan"]) == 0


def test_the_way_back_has_the_versions_of_its_commit(aws, project, manifest, published):
    def commit(name):
        for words in (["init", "-q"], ["add", "-A", ":!.lambda-layers"], ["commit", "-qm", name]):
            subprocess.run(["git", *words], cwd=project, env=os.environ | IDENTITY, check=True)

    published(4)
    manifest(f"{LAYER}:latest")
    assert main(["lock"]) == 0
    commit("one")
    assert main(["deploy"]) == 0
    before = layers_of(aws, "api")
    published(9)
    assert main(["lock", "--upgrade"]) == 0
    commit("two")
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api")[1].endswith(":9")
    assert main(["rollback", "HEAD~1"]) == 0
    assert layers_of(aws, "api") == before


def test_a_damaged_lock(project, manifest, published, capsys):
    published(4)
    manifest(f"{LAYER}:latest")
    (project / "lambda-layers.lock").write_text("# a comment\nrm -rf /\n")
    assert main(["check"]) == 5
    assert "lambda-layers.lock:2: is not the ARN of a layer version; run: lambda-layers lock" in (
        capsys.readouterr().err
    )


def test_an_upgrade_without_credentials_keeps_them(project, manifest, published, capsys, monkeypatch):
    published(4)
    manifest(f"{LAYER}:latest")
    assert main(["lock"]) == 0
    before = pins(project)
    published(9)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    capsys.readouterr()
    assert main(["lock", "--upgrade"]) == 0
    assert "warning: the versions of other accounts' layers are not upgraded: " in capsys.readouterr().err
    assert pins(project) == before
    assert main(["lock", "--upgrade", "--check"]) == 10


def test_a_layer_that_nobody_shares(project, manifest, capsys):
    manifest(f"{LAYER}:latest")
    assert main(["lock"]) == 11
    said = capsys.readouterr().err
    assert f"{LAYER.format(region='eu-west-1')} has no version from 1 on that this account may read" in said
    assert not (project / "lambda-layers.lock").exists()


def test_as_json(project, manifest, published, capsys):
    published(4)
    manifest(f"{LAYER}:latest")
    assert main(["lock"]) == 0
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    assert f"{LAYER.format(region='eu-west-1')}:4" in json.dumps(json.loads(capsys.readouterr().out))
