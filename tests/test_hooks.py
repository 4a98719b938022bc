"""The check hook, in the repository of a user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from layers import PYTHON313

from entrypoint.errors import Location
from entrypoint.lock.header import inputs_hash
from entrypoint.lock.lock_file import Lock, write_lock
from entrypoint.lock.requirement_lines import read_lines
from entrypoint.manifest.model import Requirements
from hooks import lambda_layers_check

ROOT = Path(__file__).parent.parent
MANIFEST = "version: 1\nlayers:\n  web: {requirements: web.in, runtimes: [python3.13]}\n"
LOCK = "web-python3.13-x86_64.txt"
GIT = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env=os.environ | GIT)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    (folder / "web.in").write_text("# nothing yet\n")
    write_locks(folder)
    for name in ("entrypoint", "hooks"):  # names that a hook run as `python -m` would import from here
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('their code was run')\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "start")
    return folder


def write_locks(folder):
    """Write an empty lock that is up to date with web.in."""
    asked = read_lines(Requirements(files=(folder / "web.in",), location=Location("web.in")))
    lock = Lock(platform=PYTHON313, pins=(), inputs=inputs_hash(asked, PYTHON313))
    write_lock(folder / LOCK, lock, made_from=["web.in"])


def check(folder, monkeypatch, capsys, *arguments):
    monkeypatch.chdir(folder)
    code = lambda_layers_check.main(arguments)
    return code, capsys.readouterr().out.splitlines()


def test_a_valid_repository(repository, monkeypatch, capsys):
    assert check(repository, monkeypatch, capsys) == (0, [])


def test_every_problem_of_every_manifest(repository, monkeypatch, capsys):
    (repository / "web.in").write_text("requests\n")
    service = "service/lambda-layers.yml"
    (repository / "service").mkdir()
    (repository / service).write_text("version: 2\n")
    git(repository, "add", "-A")
    assert check(repository, monkeypatch, capsys) == (
        1,
        [
            f"{LOCK}: this lock is out of sync with web.in; run: lambda-layers lock",
            f"{service}:1:1: missing key 'layers'; add 'layers:' (Layers by name)",
            f"{service}:1:10: expected 1, found '2'; write 1",
        ],
    )
    (code, lines) = check(repository, monkeypatch, capsys, service)
    assert (code, len(lines)) == (1, 2)


def test_a_package_that_nobody_asked_for(repository, monkeypatch, capsys):
    with (repository / LOCK).open("a") as lock:
        lock.write(f"tiny==1.0 \\\n    --hash=sha256:{'0' * 64}\n    # via web.in\n")
    code, (line,) = check(repository, monkeypatch, capsys)
    assert code == 1
    assert line.startswith(f"{LOCK}: this lock was changed by hand or by a merge")


def test_no_program_of_the_configuration_of_git_runs(repository, monkeypatch, capsys):
    git(repository, "config", "core.fsmonitor", "touch ran; false")
    assert check(repository, monkeypatch, capsys) == (0, [])
    assert not (repository / "ran").exists()
    subprocess.run(["git", "ls-files"], cwd=repository, check=False, capture_output=True)
    assert (repository / "ran").exists()  # git itself runs it


def test_a_repository_without_a_manifest(tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").touch()
    hint = "create it with: lambda-layers init, or name another file with --manifest"
    assert check(tmp_path, monkeypatch, capsys) == (
        1,
        [f"lambda-layers.yml: file not found; {hint}"],
    )


def test_the_check_of_a_valid_repository_imports_nothing_heavy(repository):
    heavy = {"boto3", "dataclasses", "docker", "elftools", "json", "packaging", "pip", "rich", "subprocess"}
    code = "import sys, hooks.lambda_layers_check as h; h.main(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-I", "-c", code, "lambda-layers.yml"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    assert heavy.isdisjoint(name.partition(".")[0] for name in result.stdout.split())


@pytest.mark.parametrize("budget", ["100 kB", "1 kB"])
def test_the_repository_files_against_the_budget(repository, monkeypatch, capsys, budget):
    (repository / "common").mkdir()
    (repository / "common" / "__init__.py").write_text("#" * 2000)
    layer = f"include: common, runtimes: [python3.13], size_budget: {budget}"
    (repository / "lambda-layers.yml").write_text(f"version: 1\nlayers:\n  web: {{{layer}}}\n")
    message = "the repository's files have 2,000 bytes; the layer may have 1,000"
    hint = "remove some, for example with 'exclude', or raise the limit"
    lines = [f"lambda-layers.yml:3:3: {message}; {hint}"] if budget == "1 kB" else []
    assert check(repository, monkeypatch, capsys) == (len(lines), lines)
