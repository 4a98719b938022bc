"""The command line: commands, options and their help."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from entrypoint import __version__, commands
from entrypoint.errors import UsageError
from entrypoint.schema import DEFAULT_PATH


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line like every other problem."""

    def error(self, message: str) -> NoReturn:
        raise UsageError.of(message, f"see: {self.prog} --help")


def parser(main: Callable[[Sequence[str]], int]) -> argparse.ArgumentParser:
    """Return the parser; what it parses knows its command as `run`, and `main` for the demo to call."""
    made = _Parser(prog="lambda-layers", description="Build, publish and roll out AWS Lambda layers.")
    made.set_defaults(main=main)
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = made.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace, Mapping[str, str]], int]) -> _Parser:
        text = run.__doc__ or ""
        help_text = f"{text[0].lower()}{text[1:].removesuffix('.')}"
        added: _Parser = subparsers.add_parser(name, help=help_text, description=text)
        added.set_defaults(run=run)
        return added

    init = command("init", commands.init)
    check = command("check", commands.check)
    check.add_argument("--wheels", action="store_true", help="also ask the index for their wheels")
    lock = command("lock", commands.lock)
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions that are allowed")
    lock.add_argument(
        "--upgrade-package", action="append", default=[], metavar="NAME", help="only of this one"
    )
    lock.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail and say what would change, if anything would",
    )
    lock.add_argument(
        "--engine", choices=["pip-compile", "uv"], default="pip-compile", help="who finds the versions"
    )
    why = command("why", commands.why)
    why.add_argument("target", metavar="TARGET", help="such as web-python3.13-arm64")
    why.add_argument("package", metavar="PACKAGE", help="its name")
    lock.add_argument("--target", action="append", default=[], metavar="TARGET", help="only this one's")
    build = command("build", commands.build)
    build.add_argument(
        "--target", action="append", default=[], metavar="TARGET", help="only this one: web-python3.13-arm64"
    )
    plan = command("plan", commands.plan)
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    plan.add_argument(
        "--detailed-exitcode", action="store_true", help="exit with 2 if there is something to do"
    )
    deploy = command("deploy", commands.deploy)
    rollback = command("rollback", commands.rollback)
    rollback.add_argument("--layer", action="append", default=[], metavar="NAME", help="only of this layer")
    rollback.add_argument("--to", type=int, metavar="VERSION", help="this version, not the one before")
    prune = command("prune", commands.prune)
    prune.add_argument("--keep", type=int, metavar="N", help="versions of each layer to keep")
    policy = command("iam-policy", commands.iam_policy)
    policy.add_argument("--account", default="*", metavar="NUMBER", help="the account; default: any")
    command("schema", commands.schema)
    command("demo", commands.demo)
    for sub in (init, check, lock, why, build, plan, deploy, rollback, prune, policy):
        sub.add_argument("--manifest", default=DEFAULT_PATH, metavar="FILE", help="default: %(default)s")
    for sub in (check, lock, why, build, plan, deploy, rollback, prune, policy):
        sub.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="a value for ${NAME}"
        )
    for sub in (check, lock, build, plan, deploy, rollback, prune):
        sub.add_argument("--quiet", action="store_true", help="print results, warnings and errors only")
    for sub in (check, lock, build, plan, deploy):
        sub.add_argument("--cache", metavar="FOLDER", help="for wheels; default: ~/.cache/lambda-layers")
    for sub in (build, plan, deploy):
        sub.add_argument("--locked", action="store_true", help="refuse layers without a lock")
    for sub in (plan, deploy, rollback, prune):
        sub.add_argument("--aws", choices=["local"], help="use an embedded AWS, kept in .lambda-layers/")
    return made
