"""Plan in one job, build in others, release in a last one: the flow of the reusable workflow, by hand."""

import hashlib
import json
import shutil
import subprocess

import pytest
from deploying import layers_of

from entrypoint.cli import main
from entrypoint.local_aws.calls import ACCOUNT


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """The outputs of the steps so far."""
    path = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))

    def read():
        found, lines = {}, iter(path.read_text("utf-8").splitlines())
        for line in lines:
            name, _, delimiter = line.partition("<<")
            found[name] = "\n".join(iter(lambda: next(lines), delimiter))
        return found

    return read


@pytest.fixture
def artifacts(tmp_path, project, outputs):
    """Plan, then build each target of the matrix in a clean checkout; where a release job finds them."""
    assert main(["plan"]) == 0
    matrix = json.loads(outputs()["matrix"])["include"]
    for job in matrix:
        assert main(["build", "--target", job["target"]]) == 0
        shutil.move(project / ".lambda-layers" / "build", tmp_path / "artifacts" / job["target"])
    return tmp_path / "artifacts"


def test_what_other_jobs_built_is_released(aws, artifacts, project, outputs, monkeypatch, tmp_path, capsys):
    matrix = json.loads(outputs()["matrix"])["include"]
    assert matrix == [
        {"target": "web-python3.12-x86_64", "runner": "ubuntu-latest"},
        {"target": "web-python3.13-x86_64", "runner": "ubuntu-latest"},
        {"target": "tools-python3.13-x86_64", "runner": "ubuntu-latest"},
    ]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    capsys.readouterr()
    assert main(["deploy", "--artifacts", str(artifacts)]) == 0
    assert "built" not in capsys.readouterr().err
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert not (project / ".lambda-layers" / "build").exists()
    assert main(["plan"]) == 0
    assert json.loads(outputs()["matrix"]) == {"include": []}


def test_archives_of_something_else_are_refused(artifacts, pin, capsys, written):
    pin("tools.txt", "attrs", "4.0")  # the lock of another commit
    zipped = artifacts / "web-python3.13-x86_64" / "web-python3.13-x86_64.zip"
    zipped.write_bytes(zipped.read_bytes() + b"more")
    (artifacts / "web-python3.12-x86_64" / "web-python3.12-x86_64.json").write_text("[]")
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    told = capsys.readouterr().err
    assert "web-python3.13-x86_64.zip does not match its description in web-python3.13-x86_64.json" in told
    assert "web-python3.12-x86_64.json is not a valid description of an archive" in told
    assert "tools-python3.13-x86_64.zip was built from other packages, files or options" in told
    assert "build it from this commit: lambda-layers build --target tools-python3.13-x86_64" in told
    assert written() == []


def test_an_archive_that_is_missing(artifacts, capsys, written):
    shutil.rmtree(artifacts / "tools-python3.13-x86_64")
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "no archive of tools-python3.13-x86_64 found in" in capsys.readouterr().err
    assert written() == []


def test_what_was_built_here_is_released(aws, project, capsys):
    assert main(["build"]) == 0
    assert main(["deploy", "--artifacts", ".lambda-layers/build"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_an_archive_in_the_artifact_of_another_job(artifacts, capsys, written):
    """A package that is compiled in the job of web leaves an archive of tools, its own or a second one."""
    own, other = artifacts / "tools-python3.13-x86_64", artifacts / "web-python3.13-x86_64" / "deep"
    shutil.copytree(own, other)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "several archives of tools-python3.13-x86_64 found: " in capsys.readouterr().err
    shutil.rmtree(own)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "tools-python3.13-x86_64.json is not in an artifact of tools-python3.13-x86_64" in (
        capsys.readouterr().err
    )
    other.rename(artifacts / "lambda-layers-tools-python3.13-x86_64")
    (artifacts / "lambda-layers-tools-python3.13-x86_64" / "tools-python3.13-x86_64.zip").rename(
        artifacts / "x.zip"
    )
    (artifacts / "lambda-layers-tools-python3.13-x86_64" / "tools-python3.13-x86_64.zip").symlink_to(
        artifacts / "x.zip"
    )
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "or its archive is a link" in capsys.readouterr().err
    assert written() == []


def test_a_folder_that_a_pull_request_committed(artifacts, project, capsys, written):
    shutil.copytree(artifacts, project / ".artifacts")
    for arguments in (["init", "-q"], ["add", "-f", ".artifacts"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    assert main(["deploy", "--artifacts", ".artifacts"]) == 9
    assert ".json is a file of the repository, not of a build job" in capsys.readouterr().err
    assert written() == []


def test_no_repository_in_an_artifact_is_obeyed(artifacts, project, tmp_path, written):
    """Its configuration names a program for git to run, and the release job has AWS credentials."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/obeyed\n")
    program.chmod(0o755)
    for repository in (artifacts, project):
        subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
        settings = ["config", "core.fsmonitor", str(program)]
        subprocess.run(["git", *settings], cwd=repository, check=True)
    subprocess.run(["git", "ls-files"], cwd=artifacts, check=True)
    assert (tmp_path / "obeyed").exists()  # git itself does
    (tmp_path / "obeyed").unlink()
    assert main(["deploy", "--artifacts", str(artifacts)]) == 0
    assert not (tmp_path / "obeyed").exists()


def test_an_artifact_of_a_target_whose_name_ends_the_same(artifacts, capsys, written):
    own = artifacts / "tools-python3.13-x86_64"
    own.rename(artifacts / "lambda-layers-other-tools-python3.13-x86_64")
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "is not in an artifact of tools-python3.13-x86_64" in capsys.readouterr().err
    assert written() == []


def test_outputs_survive_a_masked_account(aws, outputs, project, capsys):
    """GitHub drops a job's output with a secret in it, and the account's number may be one."""
    for command in (["plan"], ["deploy"], ["plan"], ["rollback"]):
        main(command)
        holding = {name for name, value in outputs().items() if ACCOUNT in value}
        assert holding <= {"arns"}
    assert json.loads(outputs()["layers"])["tools-python3.13-x86_64"]["eu-west-1"]["name"] == "tools"
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:tools:1"
    assert json.loads(outputs()["arns"])["tools-python3.13-x86_64"] == {"eu-west-1": arn}


def test_a_build_tells_the_digest_of_each_archive(outputs, project):
    assert main(["build", "--target", "tools-python3.13-x86_64"]) == 0
    (about,) = json.loads(outputs()["archives"]).values()
    archive = project / about["file"]
    assert about["file"] == ".lambda-layers/build/tools-python3.13-x86_64.zip"
    assert about == {
        "file": about["file"],
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "bytes": archive.stat().st_size,
    }
