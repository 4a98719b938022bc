"""What a command is made of. Light, as `check` runs at every commit: named tuples, not dataclasses."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from entrypoint.errors import Diagnostic, LayersError


class Option(NamedTuple):
    """An option, or an argument; `settings` are argparse's own."""

    name: str
    help: str
    settings: Mapping[str, Any] = {}


class Result(NamedTuple):
    """What a command found or did, in every form in which it is shown."""

    #: Prints it on the `Console` for people, unless --json.
    show: Callable[..., None] | None = None
    #: The same as plain text, for commands that need no more.
    text: str = ""
    #: The same for --json.
    data: Mapping[str, Any] = {}
    #: The outputs of a workflow step.
    outputs: Mapping[str, str] = {}
    #: The summary of a workflow step as Markdown, and the body of a pull request comment.
    summary: str = ""
    #: Whether the summary is for a comment too.
    is_comment: bool = True
    #: Findings that are part of what is shown: for annotations and code scanning.
    findings: Sequence[Diagnostic] = ()
    #: What could not be done, although the rest was.
    error: LayersError | None = None
    exit_code: int = 0


class Command(NamedTuple):
    """One command of `lambda-layers`; its name and help are in `entrypoint.commands.HELP`."""

    options: tuple[Option, ...]
    #: Takes the `Context`; neither type is named here, as typing takes a millisecond for each in quotes.
    run: Callable[..., Result]


def failed(kind: type[LayersError], problems: Sequence[Diagnostic]) -> LayersError | None:
    """Return the error of these problems, if there are any."""
    return kind(*problems) if problems else None


def switch(name: str, text: str) -> Option:
    """Return an option without a value."""
    return Option(name, text, {"action": "store_true"})


def repeated(name: str, metavar: str, text: str) -> Option:
    """Return an option that may be given several times."""
    return Option(name, text, {"action": "append", "default": [], "metavar": metavar})


def valued(name: str, metavar: str, text: str, **settings: Any) -> Option:  # noqa: ANN401 - argparse's own
    """Return an option with a value."""
    return Option(name, text, {"metavar": metavar, **settings})


def add_to(parser: argparse.ArgumentParser, command: Command) -> None:
    """Add a command's options to its parser."""
    for option in command.options:
        parser.add_argument(option.name, help=option.help, **option.settings)
