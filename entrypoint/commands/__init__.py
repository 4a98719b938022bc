"""The commands, one file each; a command's module is imported only where it is named."""

from entrypoint.commands.command import Command

HELP = {
    "init": "Write a first manifest from what is in this folder, or in AWS.",
    "check": "Check the manifest and its locks, offline.",
    "lock": "Pin and hash the packages of every target.",
    "why": "Show what requires a package, from a target's lock; offline.",
    "audit": "Check the locked packages for known vulnerabilities.",
    "build": "Build and verify the archives.",
    "plan": "Show what a deployment would do; changes nothing.",
    "status": "Show where AWS differs from the manifest; exits with 2 if it does.",
    "diff": "Show the package changes between AWS, or a git revision, and the locks.",
    "report": "Write an HTML page with the layers' sizes, versions, functions, duplicates and drift.",
    "deploy": "Build and publish what changed, and update the functions.",
    "rollback": "Give functions the previous versions of their layers.",
    "prune": "Delete the layer versions that nothing needs, and alarms with --alarms.",
    "doctor": "Examine the functions' VPCs, roles and throttles; changes nothing.",
    "iam-policy": "Print the least IAM policy that a deployment needs.",
    "explain": "Show what a rule finds, and what to do.",
    "schema": "Print the manifest's JSON Schema, for editors.",
    "completion": "Print a script that completes commands and options in a shell.",
    "demo": "Run the main job on an embedded AWS, with real packages.",
}
"""What each command does, in the order of --help, which so needs none of their modules."""


def command(name: str) -> Command:
    """Return a command; its module has the same name, with underscores."""
    # importlib alone takes longer to import than a command does.
    module = __import__(f"entrypoint.commands.{name.replace('-', '_')}", fromlist=["COMMAND"])
    found: Command = module.COMMAND
    return found


def options_by_command() -> dict[str, frozenset[str]]:
    """Return the names of the options and arguments of each command."""
    return {name: frozenset(option.name for option in command(name).options) for name in HELP}
