"""Texts of packages, indexes and builds, printed to terminals, logs of workflows, and Markdown."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from layers import raw_wheel

from entrypoint.commands.runner import report_error
from entrypoint.errors import ArchiveError, Diagnostic
from entrypoint.printable import has_controls, printable
from entrypoint.report import github
from entrypoint.report.console import Console
from entrypoint.report.summary import _code, _text
from entrypoint.wheels.wheel import read_members

ATTACKS = (
    "a\r::error::forged",
    "a\n\x08::add-mask::forged",
    "\x1b]0;title\x07\x1b[2Jgone",
    "\x9b31m red",
    "a\u202egnp.exe",
    "a\u200fb",
    "a\U000e0041b",
    "a\ud800b",
    "a\n  ::set-output name=x::y",
    "##[error]forged",
)
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)


@pytest.mark.parametrize("text", ATTACKS)
def test_a_log_of_a_workflow_has_no_forged_command(text, capsys):
    console = Console(disarm=github.without_commands)
    console.say(text)
    console.warn([Diagnostic(text, text)])
    (annotation,) = github.annotations("error", [Diagnostic(text, text)])
    said = capsys.readouterr().err
    assert not COMMAND.search(said)
    assert printable(said) == said
    assert printable(annotation) == annotation
    assert "\n" not in annotation
    assert annotation.startswith("::error ::")


@pytest.mark.parametrize("text", ATTACKS)
def test_a_terminal_gets_no_control_character(text, capsys):
    console = Console()
    console.say(text)
    console.warn([Diagnostic(text, text)])
    said = capsys.readouterr().err
    assert printable(said) == said


@given(st.text())
def test_only_control_characters_change(text):
    shown = printable(text)
    assert printable(shown) == shown
    assert not has_controls(shown.replace("\n", "").replace("\t", ""))
    if text.isprintable() and not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", text):
        assert shown == text


@given(st.text(alphabet="`[](){}!<>@|*_#\\\n\r\x1bab"))
def test_markdown_stays_text(text):
    code, shown = _code(text), _text(text)
    assert code.count("`") == 2
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`\[\]]|[<>@]", shown.replace("&#64;", ""))


@pytest.mark.parametrize("character", ["\r", "\n", "\x08", "\x1b", "\x9b", "\u202e", "\u200f", "\U000e0041"])
def test_no_member_of_a_wheel_has_a_control_character(tmp_path, character):
    wheel = raw_wheel(tmp_path / "x-1-py3-none-any.whl", {f"x/a{character}::error::b.py": b""})
    with pytest.raises(ArchiveError) as caught:
        read_members(wheel)
    assert not has_controls(printable(str(caught.value)).replace("\n", ""))


def test_the_error_of_a_command(monkeypatch):
    for environment in ({}, {"GITHUB_ACTIONS": "true"}):
        stderr = io.StringIO()
        monkeypatch.setattr("sys.stderr", stderr)
        report_error(ArchiveError.of("a\r::error::forged\x1b[2J", "none"), environment)
        assert stderr.getvalue() == "error: a\\r::error::forged\\x1b[2J; none\n"
