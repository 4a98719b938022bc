"""Versions of layers say which commit they are from, so that an older commit does not overtake unnoticed."""

import io
import os
import subprocess
from urllib.parse import parse_qs

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


def test_an_audit_finds_the_run(git, project, faults, monkeypatch):
    """CloudTrail records the user agent of each call, and the name of the session of a role."""
    seen, sessions = set(), set()

    def watch(inner):
        def application(environ, start_response):
            seen.add(environ["HTTP_USER_AGENT"])
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            sessions.update(parse_qs(body.decode("latin-1")).get("RoleSessionName", ()))
            return inner(environ, start_response)

        return application

    manifest = (project / "lambda-layers.yml").read_text()
    role = "arn:aws:iam::210987654321:role/layers"
    (project / "lambda-layers.yml").write_text(f"{manifest}accounts: ['{role}']\n")
    git("add", "-A")
    git("commit", "-qm", "one")
    commit = git("rev-parse", "HEAD")[:12]
    monkeypatch.setenv("GITHUB_RUN_ID", "12345")
    faults.every_call(watch)
    main(["status"])
    ours = {agent for agent in seen if f"lambda-layers/0.1.0 git/{commit} run/12345" in agent}
    assert ours == seen != set()
    assert sessions == {f"lambda-layers-{commit}-12345"}
