"""The command line -> a command and its arguments."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from entrypoint import __version__
from entrypoint.commands import HELP, command
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


class _Version(argparse.Action):
    """Prints the version, and those of what a run depends on."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        import platform  # noqa: PLC0415 - slow to import, as the next one
        from importlib import metadata  # noqa: PLC0415

        found = [f"Python {platform.python_version()}"]
        for name in _SHOWN:
            try:
                found.append(f"{name} {metadata.version(name)}")
            except metadata.PackageNotFoundError:
                found.append(f"{name} not installed")
        sys.stdout.write(f"{parser.prog} {__version__}\n{', '.join(found)}\n")
        parser.exit()


_SHOWN = ("pip", "pip-tools", "uv", "botocore", "docker")
"""The packages that --version shows: their versions change what a run does."""


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
    if argv[:1] == ["help"]:
        argv = [*argv[1:2], "--help"]
    parser = _Parser(
        prog="lambda-layers",
        description="Build, publish and roll out AWS Lambda layers.",
        epilog="lambda-layers help COMMAND shows the options of a command.",
    )
    shown = "show the versions of this program and of what it uses, and exit"
    parser.add_argument("--version", action=_Version, nargs=0, help=shown)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    # Where a command is named, only that one is imported: its options take time too.
    named = next((word for word in argv if not word.startswith("-")), "")
    chosen = command(named) if named in HELP else None
    for name in [named] if chosen else HELP:
        summary = f"{HELP[name][0].lower()}{HELP[name][1:].removesuffix('.')}"
        subparser = subparsers.add_parser(name, help=summary, description=HELP[name])
        if chosen:
            add_to(subparser, chosen)
    arguments = parser.parse_args(argv)
    return chosen or command(arguments.command), arguments
