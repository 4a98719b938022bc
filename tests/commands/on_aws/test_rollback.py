"""`rollback`: the state of AWS after a deployment of A and then B is what it was after A."""

import contextlib
import os
import subprocess
import tempfile

import boto3
import faults as fault
import pytest
from alarms import set_alarm
from deploying import MANIFEST, UPDATE, layers_of
from vpcs import MadeVpc

from entrypoint.cli import main

IDENTITY = {
    f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
ACCOUNT = "123456789012"


@pytest.fixture
def git(project):
    def run(*arguments):
        answer = subprocess.run(
            ["git", *arguments], cwd=project, env=os.environ | IDENTITY, check=True, capture_output=True
        )
        return answer.stdout.decode().strip()

    run("init", "-q", "-b", "main")
    return run


@pytest.fixture
def deployed(git, pin, project):
    """Commit and deploy: a version of six or attrs, or another manifest."""

    def deploy(*, six=None, attrs=None, manifest=None, expect=0):
        if six:
            pin("web.txt", "six", six)
        if attrs:
            pin("tools.txt", "attrs", attrs)
        if manifest:
            (project / "lambda-layers.yml").write_text(manifest)
        git("add", "-A", ":!.lambda-layers")
        git("commit", "-q", "--allow-empty", "-m", f"six {six}")
        assert main(["deploy"]) == expect
        return git("rev-parse", "HEAD")

    return deploy


@pytest.fixture
def everything(client):
    """What functions have, by boto3."""

    def look():
        found = {}
        for function in client.list_functions()["Functions"]:
            name = function["FunctionName"]
            latest = client.get_function(FunctionName=name)
            found[name] = {
                "layers": [layer["Arn"] for layer in latest["Configuration"].get("Layers", [])],
                "vpc": latest["Configuration"].get("VpcConfig", {}).get("SubnetIds", []),
                "reserved": latest.get("Concurrency"),
            }
        return found

    return look


def test_an_alias_that_does_not_exist(aws, deployed, project, capsys):
    """A deployment refuses that; the way back does not depend on it."""
    deployed(six="1.0", manifest=MANIFEST.replace("  api:", '  "other-*":'))
    deployed(six="2.0", manifest=MANIFEST)
    text = MANIFEST.replace("api: {layers: [web, tools]}", "api: {layers: [web, tools], aliases: [gone]}")
    (project / "lambda-layers.yml").write_text(text)
    assert main(["rollback", "--layer", "web-python313-x86_64", "--to", "1"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert main(["deploy"]) == 11
    assert main(["rollback", "HEAD~1"]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_to_the_revision_before(deployed, everything, written, capsys):
    first = deployed(six="1.0", attrs="3.0")
    before = everything()
    deployed(six="2.0")
    after = everything()
    written()
    assert main(["rollback", "--dry-run"]) == 0
    assert written() == []
    assert "to update: 2 functions" in capsys.readouterr().out
    assert main(["rollback"]) == 0
    assert written() == [UPDATE, UPDATE]
    assert f"rolling back to {first[:12]} (" in capsys.readouterr().err
    assert everything() == before
    assert main(["deploy"]) == 0  # which goes forward again: nothing in the manifest changed
    assert everything() == after


def test_twice_goes_further_back(deployed, everything):
    states = []
    for number in ("1.0", "2.0", "3.0"):
        deployed(six=number)
        states.append(everything())
    for expected in (states[1], states[0]):
        assert main(["rollback"]) == 0
        assert everything() == expected


def test_after_an_older_version_was_used_again(aws, deployed, everything):
    """Its number is lower than that of the version before."""
    deployed(six="1.0")
    deployed(six="2.0")
    before = everything()
    deployed(six="1.0")
    assert layers_of(aws, "api")[0] == "web-python313-x86_64:1"
    assert main(["rollback"]) == 0
    assert everything() == before


def test_versions_of_another_tool_are_never_used(aws, deployed, everything, capsys):
    deployed(six="1.0")
    before = everything()
    stranger = aws.declare_layer_version("web-python313-x86_64", account=ACCOUNT, version=2)
    deployed(six="2.0")
    assert layers_of(aws, "api")[0] == "web-python313-x86_64:3"
    assert main(["rollback"]) == 0
    assert everything() == before
    number = stranger.rpartition(":")[2]
    assert main(["rollback", "--layer", "web-python313-x86_64", "--to", number]) == 11
    said = capsys.readouterr().err
    assert f"web-python313-x86_64:{number} was published outside lambda-layers" in said
    assert "the versions of lambda-layers are 3, 1" in said


def test_a_function_that_lags_is_not_moved_forward(aws, deployed, everything):
    deployed(six="1.0")
    before = everything()
    aws.fail_next_update("report-daily")
    deployed(six="2.0", expect=12)
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]
    assert main(["rollback"]) == 0
    assert everything() == before


def test_one_layer(aws, deployed):
    deployed(six="1.0", attrs="3.0")
    deployed(six="2.0", attrs="4.0")
    deployed(attrs="5.0")
    assert main(["rollback", "--layer", "web"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:3"]
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]
    assert main(["rollback", "--layer", "tools", "--to", "1"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_what_a_newer_manifest_added_is_taken_away(aws, deployed, everything, client):
    """A layer and a function. What functions have from others stays."""
    aws.declare_function("new")
    one = MANIFEST.replace("layers: [web, tools]", "layers: [web]")
    one = "".join(f"{line}\n" for line in one.splitlines() if not line.startswith("  tools:"))
    deployed(six="1.0", manifest=one)
    own = aws.declare_layer_version("own", account=ACCOUNT)
    has = [layer["Arn"] for layer in client.get_function_configuration(FunctionName="api")["Layers"]]
    client.update_function_configuration(FunctionName="api", Layers=[own, *has])
    before = everything()
    deployed(six="2.0", manifest=MANIFEST + "  new: {layers: [web, tools]}\n")
    assert layers_of(aws, "api") == ["own:1", "web-python313-x86_64:2", "tools:1"]
    assert main(["rollback"]) == 0
    after = everything()
    before.pop("new"), after.pop("new")
    assert after == before
    # What it had before its first deployment is not known: it keeps what only it has.
    assert layers_of(aws, "new") == ["web-python313-x86_64:1", "tools:1"]


def test_settings_of_functions(aws, deployed, everything):
    with contextlib.closing(boto3.client("ec2")) as ec2:
        made = MadeVpc(ec2)
    first, second = made.private
    settings = f"vpc: {{subnets: [{first}], security_groups: [{made.group}]}}, concurrency: {{reserved: 50}}"
    deployed(six="1.0", manifest=MANIFEST.replace("tools]}", f"tools], {settings}}}", 1))
    before = everything()
    settings = settings.replace(first, second).replace("reserved: 50", "reserved: 7")
    deployed(six="2.0", manifest=MANIFEST.replace("tools]}", f"tools], {settings}}}", 1))
    assert everything()["api"]["vpc"] == [second]
    assert main(["rollback"]) == 0
    assert everything() == before


def test_a_version_that_was_deleted(aws, deployed, client, capsys):
    first = deployed(six="1.0")
    second = deployed(six="2.0")
    deployed(six="3.0")
    client.delete_layer_version(LayerName="web-python313-x86_64", VersionNumber=2)
    assert main(["rollback", "HEAD~1"]) == 11
    said = capsys.readouterr().err
    assert "AWS has no version of web-python313-x86_64 with the packages of" in said
    assert f"to build it, deploy that commit: git worktree add ../{second[:12]} {second[:12]}" in said
    assert main(["rollback"]) == 0
    said = capsys.readouterr().err
    assert f"skipped {second[:12]} (" in said
    assert f"rolling back to {first[:12]} (" in said
    assert layers_of(aws, "api")[0] == "web-python313-x86_64:1"
    assert main(["rollback"]) == 4
    assert "AWS has the layer versions of no earlier commit of this branch" in capsys.readouterr().err


def test_without_a_history(aws, pin, project, capsys, written):
    assert main(["deploy"]) == 0
    pin("web.txt", "six", "2.0")
    assert main(["deploy"]) == 0
    written()
    assert main(["rollback"]) == 4
    assert "is not in a git repository" in capsys.readouterr().err
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)
    assert main(["rollback"]) == 4
    assert "the history cannot be read" in capsys.readouterr().err
    assert main(["rollback", "--to", "1"]) == 4
    assert "--to needs the name of one layer in AWS; add --layer with one of web-" in capsys.readouterr().err
    assert main(["rollback", "HEAD", "--layer", "tools", "--to", "1"]) == 4
    assert main(["rollback", "--layer", "wbe"]) == 4
    assert "no layer wbe; choose from" in capsys.readouterr().err
    assert main(["rollback", "--layer", "web-python313-x86_64", "--to", "9"]) == 11
    assert "web-python313-x86_64:9 does not exist" in capsys.readouterr().err
    assert written() == []
    assert main(["rollback", "--layer", "web-python313-x86_64", "--to", "1"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_what_was_deployed_from_no_commit(deployed, pin, everything, capsys, written):
    deployed(six="1.0")
    before = everything()
    for name, package in (("web.txt", "six"), ("tools.txt", "attrs")):
        pin(name, package, "8.0")
    assert main(["deploy"]) == 0
    assert main(["rollback"]) == 0  # from the working tree
    assert everything() == before
    assert main(["deploy"]) == 0
    for name, package in (("web.txt", "six"), ("tools.txt", "attrs")):
        pin(name, package, "9.0")
    written()
    assert main(["rollback"]) == 4
    expected = "no commit of this branch asks for the layer versions that the functions use"
    assert expected in capsys.readouterr().err
    assert written() == []
    assert main(["rollback", "HEAD"]) == 0
    assert everything() == before


def test_where_another_layer_keeps_few_versions(project, git, client, capsys):
    """It used to end in a KeyError of the layer that was not rolled back, and prunes nothing."""
    entries = [f"  {name}: {{content: {name}, runtimes: [python3.13], keep: 1}}" for name in ("a", "b")]
    text = "\n".join(["version: 1", "regions: [eu-west-1]", "layers:", *entries, "functions:"])
    (project / "lambda-layers.yml").write_text(text + "\n  api: {layers: [a, b]}\n")
    for number in ("1", "2", "3"):
        for name in ("a", "b"):
            (project / name / "python").mkdir(parents=True, exist_ok=True)
            (project / name / "python" / f"{name}.py").write_text(f"number = {number}\n")
        git("add", "-A")
        git("commit", "-qm", number)
        assert main(["deploy"]) == 0
    published = [client.list_layer_versions(LayerName=name)["LayerVersions"] for name in ("a", "b")]
    assert main(["rollback", "--layer", "a"]) == 0
    layers = client.get_function_configuration(FunctionName="api")["Layers"]
    assert [layer["Arn"].split(":layer:")[1] for layer in layers] == ["a:2", "b:3"]
    assert [client.list_layer_versions(LayerName=name)["LayerVersions"] for name in ("a", "b")] == published
    assert "Traceback" not in capsys.readouterr().err


class TestAliases:
    MANIFEST = MANIFEST.replace("api: {layers: [web, tools]}", "api: {layers: [web, tools], aliases: [live]}")

    @pytest.fixture(autouse=True)
    def _live(self, client):
        client.publish_version(FunctionName="api")
        client.create_alias(FunctionName="api", Name="live", FunctionVersion="1")

    @pytest.fixture
    def live(self, client):
        def look():
            alias = client.get_alias(FunctionName="api", Name="live")
            served = client.get_function(FunctionName="api", Qualifier="live")["Configuration"]
            layers = [layer["Arn"].rpartition(":layer:")[2] for layer in served.get("Layers", [])]
            return alias["FunctionVersion"], alias.get("RoutingConfig"), layers, served["CodeSha256"]

        return look

    def test_go_back_to_the_version_that_they_had(self, aws, deployed, live, written):
        deployed(six="1.0", manifest=self.MANIFEST)
        before = live()
        deployed(six="2.0")
        assert live()[0] == "3"
        written()
        assert main(["rollback"]) == 0
        assert live() == before
        assert "PublishVersion" not in written()
        assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]

    def test_with_settings_that_nobody_released_in_latest(self, deployed, live, client):
        deployed(six="1.0", manifest=self.MANIFEST)
        before = live()
        deployed(six="2.0")
        client.update_function_configuration(FunctionName="api", MemorySize=1024)
        revision = client.get_function(FunctionName="api")["Configuration"]["RevisionId"]
        assert main(["rollback"]) == 0
        assert live() == before
        assert client.get_function(FunctionName="api")["Configuration"]["RevisionId"] == revision

    def test_where_no_version_has_the_settings_with_the_old_layers(self, deployed, live, client):
        """They were released after the layer that is bad."""
        deployed(six="1.0", manifest=self.MANIFEST)
        old = live()
        deployed(six="2.0")
        client.update_function_configuration(FunctionName="api", MemorySize=1024)
        version = client.publish_version(FunctionName="api")["Version"]
        client.update_alias(FunctionName="api", Name="live", FunctionVersion=version)
        assert main(["rollback"]) == 0
        assert live()[2] == old[2]
        served = client.get_function(FunctionName="api", Qualifier="live")["Configuration"]
        assert served["MemorySize"] == 1024

    @pytest.mark.parametrize("more", [[], ["--now"]])
    def test_while_an_alarm_rings(self, deployed, live, more):
        check = "rollout: {canary: 10, check: {alarms: [errors], invoke: {function: api}}}\n"
        with contextlib.closing(boto3.client("cloudwatch")) as client:
            set_alarm(client, "errors", "OK")
            deployed(six="1.0", manifest=self.MANIFEST + check)
            before = live()
            deployed(six="2.0")
            set_alarm(client, "errors", "ALARM")
        assert main(["rollback", *more]) == 0
        assert live() == before


def test_a_rollback_whose_answers_are_lost(deployed, everything, faults):
    deployed(six="1.0")
    before = everything()
    deployed(six="2.0")
    faults.script(UPDATE, fault.reset_after, fault.BROKEN)
    assert main(["rollback"]) == 0
    assert everything() == before


def test_files_of_a_neighbour_in_the_temporary_folder_change_nothing(
    deployed, everything, project, tmp_path, monkeypatch
):
    neighbour = tmp_path / "tmp"
    (neighbour / ".git").mkdir(parents=True)
    (neighbour / ".gitignore").write_text("x.py\n")
    monkeypatch.setattr(tempfile, "tempdir", str(neighbour))
    (project / "own").mkdir()
    (project / "own" / "x.py").write_text("x = 1\n")
    deployed(six="1.0", manifest=MANIFEST.replace("lock: web.txt,", "lock: web.txt, include: [own],"))
    before = everything()
    deployed(six="2.0")
    assert main(["rollback"]) == 0
    assert everything() == before
