"""The template for GitLab CI and the buildspec: their scripts, in a shell, against the embedded AWS."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from deploying import layers_of
from package_index import make_wheel, sha256
from snippets import snippets

from entrypoint.local_aws.server import LocalAws

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAGE = ROOT / "docs" / "other-ci.md"
SPEC, TEMPLATE = (ROOT / "templates" / "gitlab-ci.yml").read_text().split("---\n")
INPUTS = yaml.safe_load(SPEC)["spec"]["inputs"]
GIVEN = yaml.safe_load(next(each.text for each in snippets(PAGE) if each.title == ".gitlab-ci.yml"))[
    "include"
][0]["inputs"]
MANIFEST = "version: 1\nregions: [eu-west-1]\nlayers:\n  web: {requirements: [six], lock: web.txt, runtimes: [python3.13]}\nfunctions:\n  api: {layers: [web]}\n"


def filled():
    values = {name: value.get("default") for name, value in INPUTS.items()} | GIVEN
    return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda match: values[match[1]], TEMPLATE)


@pytest.fixture
def shell(tmp_path):
    """Run the lines of a job as one script, as runners do."""
    wheel = make_wheel(tmp_path / "wheels", "six", "1.0")
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    (folder / "web.txt").write_text(f"six==1.0 --hash=sha256:{sha256(wheel)}\n")
    with LocalAws() as aws:
        aws.declare_function("api")
        environment = {
            "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
            "HOME": str(tmp_path / "home"),
            "TMPDIR": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(tmp_path / "wheels"),
            "DOCKER_HOST": "tcp://127.0.0.1:1",
            **aws.environment(),
        }

        def run(lines, **variables):
            script = "\n".join(lines)
            ended = subprocess.run(
                ["sh", "-e", "-c", script],
                cwd=folder,
                env=environment | variables,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode == 0, ended.stderr
            return ended.stdout

        yield run, aws


def test_the_inputs_of_the_example():
    assert {name for name, value in INPUTS.items() if "default" not in value} <= set(GIVEN) <= set(INPUTS)


def test_gitlab_accepts_it(tmp_path):
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(filled())
    subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", path],
        check=True,
        capture_output=True,
    )


def test_plan_and_deploy_in_gitlab(shell):
    run, aws = shell
    jobs = yaml.safe_load(filled())
    variables = {"MANIFEST": jobs[".lambda-layers"]["variables"]["MANIFEST"], "AWS_ID_TOKEN": "token"}
    for name in ("lambda-layers plan", "lambda-layers deploy"):
        assert jobs[name]["extends"] == ".lambda-layers"
    before = jobs[".lambda-layers"]["before_script"]
    said = run([*before, *jobs["lambda-layers plan"]["script"]], **variables)
    assert "to publish: 1 layer, to update: 1 function" in said
    run([*before, *jobs["lambda-layers deploy"]["script"]], **variables)
    assert layers_of(aws, "api") == ["web:1"]


def test_the_buildspec(shell):
    run, aws = shell
    (text,) = (each.text for each in snippets(PAGE) if each.title == "buildspec.yml")
    run(yaml.safe_load(text)["phases"]["build"]["commands"])
    assert layers_of(aws, "api") == ["web:1"]
