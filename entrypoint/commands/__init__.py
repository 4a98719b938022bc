"""The commands, one file each; a command's module is imported only where it is named."""

from importlib import import_module

from entrypoint.commands.command import Command

NAMES = (
    "init",
    "check",
    "lock",
    "why",
    "audit",
    "build",
    "plan",
    "status",
    "diff",
    "report",
    "deploy",
    "rollback",
    "prune",
    "doctor",
    "iam-policy",
    "schema",
    "demo",
)
"""In the order of --help."""


def command(name: str) -> Command:
    """Return a command; its module has the same name, with underscores."""
    module = import_module(f"entrypoint.commands.{name.replace('-', '_')}")
    found: Command = module.COMMAND
    return found


def options_by_command() -> dict[str, frozenset[str]]:
    """Return the names of the options and arguments of each command."""
    return {name: frozenset(option.name for option in command(name).options) for name in NAMES}
