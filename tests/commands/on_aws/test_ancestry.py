"""Versions of layers say which commit they are from, so that an older commit does not overtake unnoticed."""

import os
import subprocess

import pytest

from entrypoint.cli import main

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture
def git(project):
    def run(*arguments):
        answer = subprocess.run(
            ["git", *arguments], cwd=project, env=os.environ | IDENTITY, check=True, capture_output=True
        )
        return answer.stdout.decode().strip()

    run("init", "-q", "-b", "main")
    return run


def test_an_older_commit_that_overtakes(git, pin, client, capsys):
    def commit(number):
        pin("tools.txt", "attrs", number)
        git("add", "-A", ":!.lambda-layers")
        git("commit", "-qm", number)
        return git("rev-parse", "HEAD")

    older, newer = commit("3.0"), commit("4.0")
    assert main(["deploy"]) == 0
    (version,) = client.list_layer_versions(LayerName="tools")["LayerVersions"]
    assert f" git:{newer[:12]} deps:sha256:" in version["Description"]
    git("checkout", "-q", older)
    capsys.readouterr()
    assert main(["plan"]) == 0
    said = capsys.readouterr().err
    assert f"tools:1 was published from the commit {newer[:12]}, which this commit does not contain" in said
    git("checkout", "-q", "main")
    commit("5.0")
    assert main(["plan"]) == 0
    assert "which this commit does not contain" not in capsys.readouterr().err


def test_without_git(client, capsys):
    assert main(["deploy"]) == 0
    (version,) = client.list_layer_versions(LayerName="tools")["LayerVersions"]
    assert "git:" not in version["Description"]
