"""Killed at any call, or run twice at once: the next run ends where an undisturbed one would have."""

import signal
import subprocess
import sys
import threading

import faults as fault
import pytest
from deploying import COMMAND, layers_of, started

from entrypoint.cli import main

ONE = """\
version: 1
regions: [eu-west-1]
layers:
  tools:
    requirements: [attrs]
    lock: tools.txt
    runtimes: [python3.13]
    bytecode: false
    share: {accounts: ["210987654321"]}
functions:
  api: {layers: [tools], aliases: [live]}
rollout: {canary: 10}
"""
CALLS = 16
"""How many calls an undisturbed run makes."""


@pytest.fixture(autouse=True)
def _one_function(project, client):
    (project / "lambda-layers.yml").write_text(ONE)
    version = client.publish_version(FunctionName="api")["Version"]
    client.create_alias(FunctionName="api", Name="live", FunctionVersion=version)


class KillAt:
    """Kills a process at the n-th call that it makes: before the call is carried out, or just after."""

    def __init__(self, inner, number, *, carried_out):
        self.inner, self.number, self.carried_out = inner, number, carried_out
        self.seen = 0
        self.process = None
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            self.seen += 1
            is_it = self.seen == self.number
        if not is_it:
            return self.inner(environ, start_response)
        if self.carried_out:
            list(self.inner(environ, lambda *_: None))
        self.process.kill()
        return fault.reset_before(self.inner)(environ, start_response)


def stands(aws, client):
    alias = client.get_alias(FunctionName="api", Name="live")
    serving = client.get_function(FunctionName="api", Qualifier="live")["Configuration"]
    return {
        "latest": layers_of(aws, "api"),
        "alias": [layer["Arn"].rpartition(":layer:")[2] for layer in serving["Layers"]],
        "weights": alias.get("RoutingConfig"),
        "shared": "210987654321"
        in client.get_layer_version_policy(LayerName="tools", VersionNumber=1)["Policy"],
    }


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_killed_at_any_call(aws, faults, client, number, carried_out):
    running = started("deploy")
    kill = None

    def at_the_nth(inner):
        nonlocal kill
        kill = kill or KillAt(inner, number, carried_out=carried_out)
        kill.process = running
        return kill

    faults.every_call(at_the_nth)
    running.join(60)
    assert running.exitcode == -signal.SIGKILL
    faults.stop()
    assert main(["deploy"]) == 0
    assert stands(aws, client) == {
        "latest": ["tools:1"],
        "alias": ["tools:1"],
        "weights": None,
        "shared": True,
    }
    assert len(client.list_layer_versions(LayerName="tools")["LayerVersions"]) == 1
    assert main(["plan", "--detailed-exitcode"]) == 0


def test_as_many_calls_as_are_killed(aws):
    before = len(aws.call_log)
    assert main(["deploy"]) == 0
    assert len(aws.call_log) - before == CALLS


def test_two_runs_at_once_agree_on_one_version(aws, faults, client):
    """Both publish: the lower number wins, and the function goes to it and stays there."""
    meet = threading.Barrier(2, timeout=60)
    faults.script("PublishLayerVersion", fault.after(meet.wait), fault.after(meet.wait))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", COMMAND, "deploy"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert len(client.list_layer_versions(LayerName="tools")["LayerVersions"]) == 2
    assert layers_of(aws, "api") == ["tools:1"]
    assert main(["plan", "--detailed-exitcode"]) == 0
