"""run/action.yml, the action without Docker, as GitHub's runner runs it: the real steps, AWS over the network."""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import yaml
from github_runner import Step, annotations_of, read_outputs
from package_index import make_wheel, sha256

from entrypoint.local_aws.server import LocalAws

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "run"
ACTION = yaml.safe_load((FOLDER / "action.yml").read_text())
CONTAINER = yaml.safe_load((ROOT / "action.yml").read_text())
MANIFEST = """\
version: 1
regions: [eu-west-1]
layers:
  web: {requirements: [six], lock: web.txt, runtimes: [python3.13]}
functions:
  api: {layers: [web]}
"""
_EXPRESSION = re.compile(r"\$\{\{ (inputs|steps\.(\w+)\.outputs)\.([\w-]+) \}\}")


class Runner:
    """One job on a hosted runner; variables, files and the shell are those of actions/runner."""

    def __init__(self, home, variables):
        self.workspace, self.temp = home / "workspace", home / "temp"
        for folder in (self.workspace, self.temp):
            folder.mkdir()
        self.variables = variables

    def run(self, **given):
        inputs = {name: str(value.get("default", "")) for name, value in ACTION["inputs"].items()} | given
        outputs, out, err, summary, code = {}, "", "", "", 0
        for step in ACTION["runs"]["steps"]:
            files = {name: self.temp / f"{name}-{uuid.uuid4()}" for name in ("OUTPUT", "ENV", "STEP_SUMMARY")}
            for file in files.values():
                file.touch()
            script = self.temp / "script.sh"
            script.write_text(step["run"])
            environment = {
                **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTION_PATH": str(FOLDER),
                "GITHUB_WORKSPACE": str(self.workspace),
                "RUNNER_TEMP": str(self.temp),
                **{f"GITHUB_{name}": str(file) for name, file in files.items()},
                **self.variables,
                **{name: _filled(text, inputs, outputs) for name, text in step.get("env", {}).items()},
            }
            command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", script]
            ended = subprocess.run(
                command, cwd=self.workspace, env=environment, capture_output=True, text=True, check=False
            )
            out, err, code = out + ended.stdout, err + ended.stderr, ended.returncode
            outputs[step.get("id")] = read_outputs(files["OUTPUT"].read_text())
            summary += files["STEP_SUMMARY"].read_text()
            if code:
                break
        values = {name: _filled(each["value"], inputs, outputs) for name, each in ACTION["outputs"].items()}
        return Step(
            exit_code=code,
            out=out,
            err=err,
            outputs={name: value for name, value in values.items() if value},
            summary=summary,
            annotations=tuple(annotations_of(f"{out}\n{err}")),
            settings="",
        )


def _filled(text, inputs, outputs):
    def value(match):
        scope, step, name = match.groups()
        return inputs.get(name, "") if scope == "inputs" else outputs.get(step, {}).get(name, "")

    return _EXPRESSION.sub(value, text)


@pytest.fixture
def runner(tmp_path):
    wheel = make_wheel(tmp_path / "wheels", "six", "1.0")
    with LocalAws() as aws:
        aws.declare_function("api")
        variables = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(tmp_path / "wheels"),
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "DOCKER_HOST": "tcp://127.0.0.1:1",
            **aws.environment(),
        }
        runner = Runner(tmp_path, variables)
        (runner.workspace / "lambda-layers.yml").write_text(MANIFEST)
        (runner.workspace / "web.txt").write_text(f"six==1.0 --hash=sha256:{sha256(wheel)}\n")
        yield runner


@pytest.fixture
def installed(runner):
    """What the first step installs is there, with the packages of this environment: it takes ten seconds."""
    folder = runner.temp / "lambda-layers-environment"
    folder.mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (folder / name).symlink_to(Path(sys.prefix) / name)
    (folder / "ready").touch()
    return runner


def test_one_table_of_inputs_and_outputs_for_both():
    assert ACTION["inputs"] == CONTAINER["inputs"]
    described = {name: {"description": each["description"]} for name, each in ACTION["outputs"].items()}
    assert described == CONTAINER["outputs"]
    (step,) = (step for step in ACTION["runs"]["steps"] if step.get("id") == "run")
    assert step["env"] == {f"INPUT_{name.upper()}": f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]}


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="the tests do not run in a virtual environment")
def test_plan_deploy_and_nothing_to_do(installed):
    for name in ("entrypoint", "boto3", "yaml"):  # nothing of the checkout is imported
        (installed.workspace / name).mkdir()
        (installed.workspace / name / "__init__.py").write_text(
            "raise SystemExit('the checkout was imported')\n"
        )
    plan = installed.run(command="plan")
    assert plan.exit_code == 0, plan.err
    assert json.loads(plan.outputs["changed"]) is True
    assert [job["target"] for job in json.loads(plan.outputs["matrix"])["include"]] == [
        "web-python3.13-x86_64"
    ]
    assert "web" in plan.summary
    deploy = installed.run()
    assert deploy.exit_code == 0, deploy.err
    assert json.loads(deploy.outputs["functions"]) == {"eu-west-1": ["api"]}
    again = installed.run()
    assert json.loads(again.outputs["changed"]) is False


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="the tests do not run in a virtual environment")
def test_problems_become_annotations(installed):
    step = installed.run(command="plam")
    assert step.exit_code == 4
    assert "unknown command 'plam'" in step.annotations[0].message


@pytest.mark.nightly
@pytest.mark.network
def test_it_installs_what_it_needs(runner):
    """Once in a job, from the index of the runner, by hash, and only wheels."""
    del runner.variables["PIP_NO_INDEX"]
    runner.variables |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    runner.variables.pop("PIP_CONFIG_FILE", None)
    first = runner.run(command="check")
    assert first.exit_code == 0, first.err
    ready = runner.temp / "lambda-layers-environment" / "ready"
    before = ready.stat().st_mtime_ns
    assert runner.run(command="check").exit_code == 0
    assert ready.stat().st_mtime_ns == before
