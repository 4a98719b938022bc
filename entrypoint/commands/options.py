"""The command line: commands, options and their help, as a table."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from entrypoint import __version__
from entrypoint.commands import all as commands
from entrypoint.errors import UsageError
from entrypoint.manifest.schema import DEFAULT_PATH

_COMMANDS: dict[str, Callable[[argparse.Namespace, Mapping[str, str]], int]] = {
    "init": commands.init,
    "check": commands.check,
    "lock": commands.lock,
    "why": commands.why,
    "audit": commands.audit,
    "build": commands.build,
    "plan": commands.plan,
    "status": commands.status,
    "diff": commands.diff,
    "report": commands.report,
    "deploy": commands.deploy,
    "rollback": commands.rollback,
    "prune": commands.prune,
    "doctor": commands.doctor,
    "iam-policy": commands.iam_policy,
    "schema": commands.schema,
    "demo": commands.demo,
}
"""A command's docstring is its help."""


class _Option(NamedTuple):
    """An option or argument, and the commands that have it."""

    name: str
    commands: str
    help: str
    settings: Mapping[str, Any] = {}


_SWITCH = {"action": "store_true"}
_REPEATED = {"action": "append", "default": []}
_REVISION = {"nargs": "?", "metavar": "REVISION"}
_WORKING = "check lock audit build plan status report diff deploy rollback prune doctor"
_WITH_A_MANIFEST = f"{_WORKING} why iam-policy"

_OPTIONS = (
    _Option("target", "why", "such as web-python3.13-arm64", {"metavar": "TARGET"}),
    _Option("package", "why", "its name", {"metavar": "PACKAGE"}),
    _Option("revision", "diff", "a git revision; default: what AWS has", _REVISION),
    _Option("other_revision", "diff", "default: the files as they are", _REVISION),
    _Option("--from-aws", "init", "from the layers that the functions in AWS use", _SWITCH),
    _Option("--wheels", "check", "also ask the index for their wheels", _SWITCH),
    _Option("--upgrade", "lock", "take the newest versions that are allowed", _SWITCH),
    _Option("--upgrade-package", "lock", "only of this one", {**_REPEATED, "metavar": "NAME"}),
    _Option("--check", "lock", "write nothing; fail and say what would change, if anything would", _SWITCH),
    _Option(
        "--engine",
        "lock",
        "who finds the versions",
        {"choices": ["pip-compile", "uv"], "default": "pip-compile"},
    ),
    _Option(
        "--target", "lock build", "only this one: web-python3.13-arm64", {**_REPEATED, "metavar": "TARGET"}
    ),
    _Option("--json", "plan status diff doctor", "print it as JSON", _SWITCH),
    _Option("--detailed-exitcode", "plan", "exit with 2 if anything is to do", _SWITCH),
    _Option(
        "--output", "report", "default: %(default)s", {"default": "lambda-layers.html", "metavar": "FILE"}
    ),
    _Option("--artifacts", "deploy", "publish what 'build' left in this folder", {"metavar": "FOLDER"}),
    _Option("--layer", "rollback", "only of this layer", {**_REPEATED, "metavar": "NAME"}),
    _Option("--to", "rollback", "this version, not the one before", {"type": int, "metavar": "VERSION"}),
    _Option("--keep", "prune", "versions of each layer to keep", {"type": int, "metavar": "N"}),
    _Option("--account", "iam-policy", "the account; default: any", {"default": "*", "metavar": "NUMBER"}),
    _Option(
        "--manifest",
        f"init {_WITH_A_MANIFEST}",
        "default: %(default)s",
        {"default": DEFAULT_PATH, "metavar": "FILE"},
    ),
    _Option("--set", _WITH_A_MANIFEST, "a value for ${NAME}", {**_REPEATED, "metavar": "NAME=VALUE"}),
    _Option("--quiet", _WORKING, "print results, warnings and errors only", _SWITCH),
    _Option(
        "--verbose",
        "plan status report diff deploy rollback prune doctor",
        "tell of each call to AWS",
        _SWITCH,
    ),
    _Option(
        "--cache",
        "check lock build plan status report deploy",
        "for wheels; default: ~/.cache/lambda-layers",
        {"metavar": "FOLDER"},
    ),
    _Option(
        "--sarif",
        "check audit build",
        "also write all problems to this file, for code scanning",
        {"metavar": "FILE"},
    ),
    _Option("--locked", "audit build plan status report deploy", "refuse layers without a lock", _SWITCH),
    _Option(
        "--aws",
        "plan status diff report deploy rollback prune doctor",
        "use an embedded AWS, kept in .lambda-layers/",
        {"choices": ["local"]},
    ),
)


def options_by_command() -> dict[str, frozenset[str]]:
    """Return the options that each command takes."""
    return {
        command: frozenset(option.name for option in _OPTIONS if command in option.commands.split())
        for command in _COMMANDS
    }


class _Help(argparse.HelpFormatter):
    """As wide as the terminal; argparse itself asks for that through a module that is slow to import."""

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


def parse(argv: Sequence[str], into: argparse.Namespace, main: Callable[[Sequence[str]], int]) -> None:
    """Put the arguments into a namespace; among them the command as `run`, and `main` for the demo to call.

    Raises:
        UsageError: where the command line cannot be understood.
    """
    parser = _Parser(prog="lambda-layers", description="Build, publish and roll out AWS Lambda layers.")
    parser.set_defaults(main=main, sarif=None)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    # Where a command is named, it alone is made: argparse takes its time over each.
    named = next((word for word in argv if not word.startswith("-")), "")
    for name in [named] if named in _COMMANDS else _COMMANDS:
        text = _COMMANDS[name].__doc__ or ""
        help_text = f"{text[0].lower()}{text[1:].removesuffix('.')}"
        command: _Parser = subparsers.add_parser(name, help=help_text, description=text)
        command.set_defaults(run=_COMMANDS[name])
        for option in _OPTIONS:
            if name in option.commands.split():
                command.add_argument(option.name, help=option.help, **option.settings)
    parser.parse_args(argv, into)
