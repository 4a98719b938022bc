"""What a workflow says in `with:`, and the command line that it stands for."""

import pytest

from entrypoint.cli import main
from entrypoint.commands import options_by_command
from entrypoint.commands.action_inputs import DEFAULTS, arguments, check_beside_args
from entrypoint.errors import UsageError


def step(**given):
    """The variables that a runner makes of `with:`, defaults included."""
    values = DEFAULTS | {name.replace("_", "-"): value for name, value in given.items()}
    return {"GITHUB_ACTIONS": "true"} | {f"INPUT_{name.upper()}": value for name, value in values.items()}


def line(**given):
    return arguments(step(**given), options_by_command())


def problems(**given):
    with pytest.raises(UsageError) as caught:
        line(**given)
    return [str(problem) for problem in caught.value.problems]


def test_defaults_are_a_deployment():
    assert line() == ["deploy"]
    assert line(command="") == ["deploy"]


def test_each_input_is_the_flag_of_its_name():
    given = {"manifest": "a/b.yml", "locked": "True", "cache": ".cache", "target": "one\n\n  two \n"}
    assert line(command="build", set="A=1\nB=x = y\nSTAGE\n", **given) == [
        "build",
        "--manifest=a/b.yml",
        "--set=A=1",
        "--set=B=x = y",
        "--set=STAGE",
        "--target=one",
        "--target=two",
        "--locked",
        "--cache=.cache",
    ]


def test_a_value_is_never_taken_for_an_option():
    assert line(command="plan", manifest="--json") == ["plan", "--manifest=--json"]
    (problem,) = problems(command="diff", revision="--aws=local")
    assert problem == "the revision '--aws=local' begins with -; name a commit, tag or branch"


def test_the_revision_and_the_upgrade():
    assert line(command="diff", revision="HEAD") == ["diff", "HEAD"]
    assert line(command="rollback", revision="v1.4") == ["rollback", "v1.4"]
    assert line(command="lock", upgrade="true") == ["lock", "--upgrade"]


def test_all_that_is_wrong_is_told_at_once():
    assert problems(
        command="plan", locked="maybe", set="my-stage\n2=3", target="web", lockd="true", other="x"
    ) == [
        "unknown input 'lockd'; did you mean 'locked'?",
        "unknown input 'other'; choose from command, manifest, set, from, target, upgrade, revision, layer, artifacts, trust, locked, cache, sarif",
        "the input 'locked' is 'maybe'; set it to 'true' or 'false'",
        "the input 'set' has 'my-stage', which is not NAME or NAME=VALUE; write it as STAGE=prod",
        "the input 'set' has '2=3', which is not NAME or NAME=VALUE; write it as STAGE=prod",
        "the command 'plan' does not use the input 'target'; remove it; it is for lock, build",
    ]


def test_a_command_that_is_not_there():
    (problem,) = problems(command="depoly", target="web")
    assert problem == "unknown command 'depoly'; did you mean 'deploy'?"
    (problem,) = problems(command="x")
    assert problem.startswith("unknown command 'x'; choose from ")


def test_defaults_that_a_command_does_not_read_are_no_problem():
    assert line(command="schema") == ["schema"]
    (problem,) = problems(command="doctor", locked="true")
    assert problem == (
        "the command 'doctor' does not use the input 'locked'; remove it; "
        "it is for audit, build, plan, status, report, deploy"
    )


def test_inputs_beside_args_would_be_lost():
    check_beside_args(step(args="rollback --layer web"))
    check_beside_args(step(locked="true"))  # a step of its own that calls the command, in some other action
    with pytest.raises(UsageError) as caught:
        check_beside_args(step(args="rollback", locked="true", stage="prod"))
    assert len(caught.value.problems) == 2


def test_a_step_that_runs_the_command_itself_deploys_nothing_unasked(monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert main([]) == 4
    assert "the following arguments are required: COMMAND" in capsys.readouterr().err


def test_a_step_tells_all_its_problems_as_annotations(monkeypatch, capsys):
    for name, value in step(command="deploy", locked="yes", target="web").items():
        monkeypatch.setenv(name, value)
    assert main([]) == 4
    said = capsys.readouterr()
    assert said.err.count("error: ") == said.out.count("::error") == 2
