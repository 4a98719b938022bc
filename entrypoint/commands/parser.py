"""The command line -> a command and its arguments."""

import argparse
import os
from collections.abc import Sequence
from typing import Any, NoReturn

from entrypoint import __version__
from entrypoint.commands import NAMES, command
from entrypoint.commands.command import Command, add_to
from entrypoint.errors import UsageError


class _Help(argparse.HelpFormatter):
    """As wide as the terminal; argparse itself imports a slow module to find out."""

    def __init__(self, prog: str) -> None:
        try:
            columns = int(os.environ.get("COLUMNS") or os.get_terminal_size().columns)
        except (OSError, ValueError):
            columns = 80
        super().__init__(prog, width=columns - 2)


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line like every other problem."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**settings, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        raise UsageError.of(message, f"see: {self.prog} --help")


def parse(argv: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Return the command that is named, and its arguments.

    Raises:
        UsageError: the command line is wrong.
    """
    parser = _Parser(prog="lambda-layers", description="Build, publish and roll out AWS Lambda layers.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    # Where a command is named, only that one is imported: its options take time too.
    named = next((word for word in argv if not word.startswith("-")), "")
    commands = {name: command(name) for name in ([named] if named in NAMES else NAMES)}
    for name, each in commands.items():
        summary = f"{each.help[0].lower()}{each.help[1:].removesuffix('.')}"
        add_to(subparsers.add_parser(name, help=summary, description=each.help), each)
    arguments = parser.parse_args(argv)
    return commands[arguments.command], arguments
