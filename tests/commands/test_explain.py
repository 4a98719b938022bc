"""`explain`, `help` and `--version`: what the program says of itself."""

import json
from importlib import metadata

import command
import pytest

from entrypoint.layer.verify import RULES


@pytest.fixture
def run(tmp_path):
    return lambda *arguments: command.run(arguments, folder=tmp_path, environment={})


def test_every_rule(run):
    rules = json.loads(run("explain", "--json").stdout)["rules"]
    assert {rule.id for rule in RULES} <= set(rules)
    said = dict(line.split(maxsplit=1) for line in run("explain").stdout.splitlines())
    assert list(said) == list(rules)
    assert said["case-collision"] == "Two paths differ only in case"


def test_one_rule(run):
    said = run("explain", "symbol-version").stdout
    assert said.startswith("symbol-version\n\nError. ")
    assert "GLIBC" in said
    assert "## `" not in said


def test_a_rule_that_does_not_exist(run):
    answer = run("explain", "symbol-versions")
    assert answer.returncode == 4
    assert "there is no rule symbol-versions; did you mean symbol-version?" in answer.stderr
    assert "see all of them: lambda-layers explain" in run("explain", "xyz").stderr


def test_help_of_a_command(run):
    assert run("help", "lock").stdout == run("lock", "--help").stdout
    assert run("help").stdout == run("--help").stdout


def test_versions_of_what_a_run_depends_on(run):
    first, second = run("--version").stdout.splitlines()
    assert first.startswith("lambda-layers ")
    for name in ("pip", "pip-tools", "botocore", "docker"):
        assert f"{name} {metadata.version(name)}" in second
