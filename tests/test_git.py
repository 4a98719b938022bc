"""git runs no program that a repository's configuration names, and gets no credentials."""

import os
import subprocess

import pytest

from entrypoint.git import git, tracked
from entrypoint.release.git import Repository
from entrypoint.variables import is_credential

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
_SIGNATURE = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n text\n -----END PGP SIGNATURE-----"


def run(folder, *arguments, given=""):
    command = ["git", *arguments]
    answer = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | IDENTITY,
        input=given,
        capture_output=True,
        check=True,
        text=True,
    )
    return answer.stdout


@pytest.fixture
def repository(tmp_path):
    run(tmp_path, "init", "-q")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    return tmp_path


@pytest.fixture
def program(repository):
    """A program that leaves a file if it runs."""
    path = repository / "program"
    path.write_text(f"#!/bin/sh\ntouch {repository}/ran\n")
    path.chmod(0o755)
    return path


def test_no_program_checks_signatures(repository, program):
    head, _, message = run(repository, "cat-file", "commit", "HEAD").partition("\n\n")
    signed = f"{head}\n{_SIGNATURE}\n\n{message}"
    sha = run(repository, "hash-object", "-t", "commit", "-w", "--stdin", given=signed).strip()
    run(repository, "update-ref", "HEAD", sha)
    run(repository, "config", "log.showSignature", "true")
    run(repository, "config", "gpg.program", str(program))
    assert Repository(repository).commit("HEAD").sha == sha
    assert not (repository / "ran").exists()


def test_the_configuration_allows_no_protocol(repository, program):
    run(repository, "config", "protocol.ext.allow", "always")
    answer = git(["ls-remote", f"ext::{program}"], repository)
    assert b"transport 'ext' not allowed" in answer.stderr
    assert not (repository / "ran").exists()


def test_git_gets_no_credentials(repository, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    answer = git(["-c", "alias.show-variables=!env", "show-variables"], repository)
    assert b"GIT_ALLOW_PROTOCOL=" in answer.stdout
    assert b"secret" not in answer.stdout


class TestTracked:
    @pytest.fixture
    def outside(self, tmp_path_factory):
        return tmp_path_factory.mktemp("outside")

    def test_files(self, repository, outside):
        for name in ("new", "committed"):
            (repository / name).mkdir()
            (repository / name / "file").touch()
        run(repository, "add", "committed")
        assert tracked(repository / "new", repository) is None
        assert tracked(repository / "committed", repository) == "committed/file"
        assert tracked(outside, repository) is None
        assert tracked(repository, outside) is None

    def test_a_submodule_is_of_the_repository(self, repository, outside):
        run(outside, "init", "-q")
        (outside / "folder").mkdir()
        (outside / "folder" / "file").touch()
        run(outside, "add", "folder")
        run(outside, "commit", "-q", "-m", "one")
        run(
            repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(outside), "sub"
        )
        for folder in ("sub", "sub/folder"):
            assert tracked(repository / folder, repository), folder

    def test_a_repository_that_git_cannot_read(self, repository):
        (repository / "folder").mkdir()
        (repository / ".git" / "index").write_text("not an index")
        assert tracked(repository / "folder", repository) == str(repository / "folder")


CREDENTIALS = [
    "GITHUB_TOKEN",
    "TOKEN_V2",
    "SYSTEM_ACCESSTOKEN",
    "GH_PAT",
    "CI_JOB_JWT",
    "CI_JOB_JWT_V2",
    "PGPASSWORD",
    "MYSQL_PWD",
    "DB_PASS",
    "SSH_PRIVATE_KEY",
    "STORAGE_ACCESS_KEY",
    "APIKEY",
    "AZURE_CREDENTIALS",
    "GPG_PASSPHRASE",
    "NPM_AUTH",
    "DOCKER_AUTH_CONFIG",
    "AWS_PROFILE",
    "CLIENT_SECRET_ID",
]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_names_of_credentials(name):
    assert is_credential(name)


@pytest.mark.parametrize(
    "name", ["PWD", "PATH", "STAGE", "TOKENIZERS_PARALLELISM", "CACHE_KEY", "AUTHOR", "PATTERN"]
)
def test_other_names(name):
    assert not is_credential(name)
