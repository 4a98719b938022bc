"""The scripts of upgrade.yml, on real repositories; a script in place of GitHub's own command records its calls."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

WORKFLOW = Path(__file__).parent.parent / ".github" / "workflows" / "upgrade.yml"
JOBS = yaml.safe_load(WORKFLOW.read_text())["jobs"]
GH = """#!/bin/sh
echo "$@" >> "$GH_CALLS"
case "$1 $2" in
  "pr list") cat "$GH_OPEN" ;;
esac
"""
AUTHOR = {f"GIT_{role}_{key}": "x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}


def script(job):
    (step,) = (step for step in JOBS[job]["steps"] if "run" in step)
    return step["run"]


@pytest.fixture
def git(tmp_path):
    def run(*arguments, folder="checkout"):
        command = ["git", *arguments]
        environment = os.environ | AUTHOR
        done = subprocess.run(
            command, cwd=tmp_path / folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    (tmp_path / "origin").mkdir()
    run("init", "-q", "--bare", "-b", "main", folder="origin")
    run("clone", "-q", str(tmp_path / "origin"), str(tmp_path / "checkout"), folder="origin")
    (tmp_path / "checkout" / "web.txt").write_text("six==1.0\n")
    (tmp_path / "checkout" / "main.py").write_text("x = 1\n")
    run("add", "-A")
    run("commit", "-qm", "first")
    run("push", "-q", "origin", "HEAD:main")
    return run


@pytest.fixture
def step(tmp_path, git):
    """Run the script of a job; return the calls of `gh`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    (tmp_path / "open").write_text("")

    def run(job, **variables):
        environment = os.environ | AUTHOR | variables
        environment |= {
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_OUTPUT": str(tmp_path / "outputs"),
            "GH_CALLS": str(tmp_path / "calls"),
            "GH_OPEN": str(tmp_path / "open"),
        }
        subprocess.run(
            ["bash", "-e", "-c", script(job)], cwd=tmp_path / "checkout", env=environment, check=True
        )
        calls = tmp_path / "calls"
        return calls.read_text().splitlines() if calls.exists() else []

    return run


BODY = {
    "MANIFEST": "lambda-layers.yml",
    "BODY": "## 1 package changed",
    "BUILD": "success",
    "AUDIT": "failure",
    "RUN": "https://example.org/1",
}
PULL = {"MANIFEST": "lambda-layers.yml", "BRANCH": "lambda-layers/upgrade", "TITLE": "Upgrade"}


def test_a_pull_request_is_opened_and_then_updated(tmp_path, git, step):
    (tmp_path / "checkout" / "web.txt").write_text("six==2.0\n")
    (tmp_path / "checkout" / "lambda-layers.lock").write_text("arn\n")
    (tmp_path / "checkout" / "main.py").write_text("x = 2\n")  # nothing but locks is proposed
    step("upgrade", **BODY)
    assert (tmp_path / "outputs").read_text() == "changed=true\n"
    body = (tmp_path / "upgrade" / "body.md").read_text()
    assert body.startswith("## 1 package changed\n")
    assert "| audit | failure |" in body
    git("reset", "-q", "--hard")
    calls = step("propose", **PULL)
    file = tmp_path / "upgrade" / "body.md"
    assert calls[-1] == f"pr create --head lambda-layers/upgrade --title Upgrade --body-file {file}"
    assert git("show", "lambda-layers/upgrade:web.txt", folder="origin") == "six==2.0"
    assert git("show", "lambda-layers/upgrade:lambda-layers.lock", folder="origin") == "arn"
    assert git("show", "lambda-layers/upgrade:main.py", folder="origin") == "x = 1"
    assert git("log", "--format=%s", "lambda-layers/upgrade", folder="origin").splitlines() == [
        "Upgrade",
        "first",
    ]
    (tmp_path / "open").write_text("7\n")
    git("switch", "-q", "main")
    git("branch", "-q", "-D", "lambda-layers/upgrade")
    assert step("propose", **PULL)[-1] == f"pr edit 7 --body-file {file}"


def test_nothing_changed(tmp_path, step):
    step("upgrade", **BODY)
    assert not (tmp_path / "outputs").exists()
    assert JOBS["propose"]["if"] == "${{ needs.upgrade.outputs.changed }}"


def test_only_the_job_that_runs_nothing_of_packages_may_write():
    # A role, if one is given, reads versions of layers; builds run in containers without credentials.
    assert JOBS["upgrade"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert [each for each in JOBS["propose"]["steps"] if each.get("uses") == "$/"] == []
    assert json.dumps(JOBS).count("github.token") == 1


def test_no_other_files_of_a_patch_are_pushed():
    """Each job that applies what another job left, in workflows and on the pages, names the files."""
    root = WORKFLOW.parent.parent.parent
    pages = [*root.glob(".github/workflows/*.yml"), *root.glob("docs/*.md")]
    lines = [line.strip() for page in pages for line in page.read_text().split("\n") if "git apply" in line]
    assert len(lines) == 2
    assert all(" --include='*.txt' " in line for line in lines)
