"""What our own workflows may do: zizmor's strictest checks, roles, expressions in scripts, pinned installations."""

import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
import yaml
from snippets import snippets

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").iterdir()}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


def test_zizmor_has_no_findings_even_where_it_is_pedantic():
    command = [BIN / "zizmor", "--offline", "--quiet", "--persona", "pedantic", "."]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_only_the_release_job_has_the_role_that_releases():
    roles = {
        name: [
            step["with"]["role-to-assume"]
            for step in job.get("steps", ())
            if "role-to-assume" in step.get("with", {})
        ]
        for name, job in WORKFLOWS["layers.yml"]["jobs"].items()
    }
    assert roles == {
        "plan": ["${{ inputs.plan-role }}"],
        "build": [],
        "release": ["${{ inputs.role-to-assume }}"],
    }
    asked = WORKFLOWS["layers.yml"][True]["workflow_call"]["inputs"]  # YAML 1.1 reads the key `on` as true
    assert asked["plan-role"] == {
        "description": "the role that plans; it only needs to read",
        "type": "string",
        "required": True,
    }


@pytest.mark.parametrize("name", WORKFLOWS)
def test_scripts_have_no_expressions(name):
    for step in steps(WORKFLOWS[name]):
        assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_example_gives_values_of_an_event_to_a_script_or_to_args(page):
    for snippet in snippets(page):
        if snippet.kind == "workflow":
            for step in steps(yaml.safe_load(snippet.text)):
                values = [step.get("run", ""), str(step.get("with", {}).get("args", ""))]
                assert not re.search(r"\$\{\{[^}]*\b(inputs|event|head_ref)\b", "".join(values)), snippet


def test_everything_that_ci_installs_is_pinned_by_hash():
    files = [ROOT / "Makefile", ROOT / "Dockerfile", *(ROOT / ".github/workflows").iterdir()]
    commands = [
        line.strip().removeprefix("RUN ").removeprefix("- run: ")
        for path in files
        for line in path.read_text().splitlines()
        if "pip install" in line and ".venv/bench" not in line  # benchmarks do not run in CI
    ]
    assert len(commands) >= 7
    for command in commands:
        assert "--require-hashes" in command or "--no-deps" in command, command
    for name in ("dev", "build", "docs", "image"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        pins = re.findall(r"^[\w.-]+==.*\\\n +--hash=sha256:", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) > 0


NODE24 = {
    "actions/attest": 4,
    "actions/cache": 5,
    "actions/checkout": 7,
    "actions/download-artifact": 8,
    "actions/github-script": 8,
    "actions/setup-python": 7,
    "actions/upload-artifact": 7,
    "aws-actions/configure-aws-credentials": 6,
}
"""The major versions of actions that run on Node 24; GitHub has removed Node 20."""


def uses(text):
    """Yield each action of a workflow's text with its reference, and the version in the comment behind it."""
    return re.findall(r"uses: ([\w/.-]+)@(\S+)(?: # v([\d.]+))?", text)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_our_own_workflows_refer_to_nothing_that_can_be_moved(name):
    text = (ROOT / ".github" / "workflows" / name).read_text()
    for action, reference, version in uses(text):
        assert re.fullmatch("[0-9a-f]{40}", reference), action
        assert int(version.split(".")[0]) >= NODE24.get(action, 1), action
    every = [step["uses"] for step in steps(WORKFLOWS[name]) if "uses" in step]
    assert all(each in {"$/", "$/run"} or "@" in each for each in every)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_use_actions_that_run_on_node_24(page):
    for action, reference, _ in uses(page.read_text()):
        if action in NODE24:
            assert reference == f"v{NODE24[action]}", action


def test_the_preset_for_renovate():
    """It is valid, and finds the pins of a manifest and nothing else."""
    path = ROOT / "renovate" / "lambda-layers.json"
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.renovate", path]
    subprocess.run(command, check=True, capture_output=True)
    preset = json.loads(path.read_text())
    (manager,) = preset["customManagers"]
    (pattern,) = (text.replace("(?<", "(?P<") for text in manager["matchStrings"])
    manifest = """
layers:
  web:
    requirements: [requests==2.32.5, "pydantic[email]==2.12", 'idna >=3', "pytz==2025.2; python_version < '3.12'"]
    size_budget: 80 MB
  x:
    requirements:
      - urllib3==2.5.0
"""
    assert [(found["depName"], found["currentValue"]) for found in re.finditer(pattern, manifest)] == [
        ("requests", "2.32.5"),
        ("pydantic", "2.12"),
        ("pytz", "2025.2"),
        ("urllib3", "2.5.0"),
    ]
    locks, is_enabled = preset["packageRules"][0]["matchFileNames"], preset["packageRules"][0]["enabled"]
    assert not is_enabled
    lock = PurePosixPath("layers/web-python3.13-arm64.txt")
    assert any(lock.match(glob) for glob in locks)
