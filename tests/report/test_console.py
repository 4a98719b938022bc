"""What is said in a workflow's log."""

from entrypoint.errors import Diagnostic
from entrypoint.report.console import Console
from entrypoint.report.github import without_commands


def test_strangers_give_a_runner_no_commands(capsys):
    console = Console(disarm=without_commands)
    console.say("::set-output name=changed::false")
    console.warn([Diagnostic("a build says: ##[add-path]/tmp/evil", "do not listen")])
    said = capsys.readouterr().err
    assert "name=changed" in said
    assert "/tmp/evil" in said
    assert "::set-output" not in said.split()
    assert "##[" not in said


def test_what_a_compiler_says_is_folded_in_a_workflow_and_nowhere_else(capsys):
    for console, folded in ((Console(disarm=without_commands), True), (Console(), False)):
        with console.group("compiling from source"):
            console.say("gcc ...")
        lines = capsys.readouterr().err.splitlines()
        assert lines == (
            ["::group::compiling from source", "gcc ...", "::endgroup::"] if folded else ["gcc ..."]
        )
