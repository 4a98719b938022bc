"""`lambda-layers`: the only reader of the command line and of the environment.

Everything heavy (boto3, pip, rich) is imported by the command that needs it, so that `check`, which
people run at every commit, starts as quickly as Python does.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from entrypoint import __version__
from entrypoint.errors import AwsError, LayersError, MachineError, Place, RolloutError, UsageError
from entrypoint.project import Project, check_project, load_project
from entrypoint.schema import DEFAULT_PATH, MANIFEST
from entrypoint.targets import AwsLayer, Target, aging

if TYPE_CHECKING:
    from entrypoint.run import Run

_SOMETHING_TO_DO = 2
_INTERRUPTED = 130
_GRACE = 2.0
_EXTRAS = dict.fromkeys(
    ("boto3", "botocore", "docker", "elftools", "httpx2", "pathspec", "pip", "piptools", "rich", "unearth"),
    "all",
)
_EXTRAS |= dict.fromkeys(("flask", "flask_cors", "moto", "werkzeug"), "local")
"""Which extra of this distribution brings a library: the base installation serves the hooks alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; entrypoint/errors.py lists the codes."""
    environment = os.environ
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv, environment)
        code: int = arguments.run(arguments, environment)
    except LayersError as error:
        return _tell(error, environment)
    except ModuleNotFoundError as error:
        return _tell(_missing_extra(error), environment)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has had enough
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - or exit complains
            return 0
        place = Place(str(error.filename)) if error.filename else None
        remedy = "mend the permissions or the disk, and run again"
        return _tell(MachineError.of(error.strerror or str(error), remedy, place), environment)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no file is half-written; run it again and it will finish\n")
        _end_threads()
        return _INTERRUPTED
    return code


def _end_threads() -> None:
    """Let work in hand come to its end for a moment; then leave, whatever the network holds up."""
    deadline = time.monotonic() + _GRACE
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() and not thread.daemon for thread in threading.enumerate()[1:]):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_INTERRUPTED)


def _missing_extra(error: ModuleNotFoundError) -> LayersError:
    """Explain a library that the light installation does not have; any other missing module is a bug."""
    library = (error.name or "").partition(".")[0]
    if library not in _EXTRAS:
        raise error
    remedy = f"pip install 'lambda-layer-pipeline[{_EXTRAS[library]}]'"
    return UsageError.of(f"this installation lacks {library}", remedy)


def _tell(error: LayersError, environment: Mapping[str, str]) -> int:
    """Print an error's problems, in a workflow as annotations too; return its exit code."""
    for problem in error.problems:
        sys.stderr.write(f"error: {problem}\n")
    if environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.edges import github  # noqa: PLC0415 - a workflow's business only

        _print("\n".join(github.annotations("error", error.problems)))
    return error.exit_code


class _Parser(argparse.ArgumentParser):
    """Reports a wrong command line like every other problem."""

    def error(self, message: str) -> NoReturn:
        raise UsageError.of(message, f"see: {self.prog} --help")


def _parse(argv: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    if not argv and environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.edges import github  # noqa: PLC0415

        argv = github.arguments(environment)
    return _parser().parse_args(argv)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lambda-layers", description="Build, publish and roll out AWS Lambda layers.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace, Mapping[str, str]], int], text: str) -> _Parser:
        added: _Parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        added.set_defaults(run=run)
        return added

    init = command("init", _init, "write a first manifest from what is found here")
    check = command("check", _check, "check the manifest and its locks, offline")
    check.add_argument("--wheels", action="store_true", help="also ask the index for their wheels")
    lock = command("lock", _lock, "pin and hash the packages of every target")
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
    why = command("why", _why, "show what needs a package, from a target's lock; offline")
    why.add_argument("target", metavar="TARGET", help="such as web-python3.13-arm64")
    why.add_argument("package", metavar="PACKAGE", help="its name")
    build = command("build", _build, "build and verify the archives")
    build.add_argument("--target", action="append", default=[], help="only this one, as web-python3.13-arm64")
    plan = command("plan", _plan, "show what a deployment would do; changes nothing")
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    plan.add_argument(
        "--detailed-exitcode", action="store_true", help="exit with 2 if there is something to do"
    )
    deploy = command("deploy", _deploy, "build and publish what changed, and update the functions")
    rollback = command("rollback", _rollback, "give functions the layer versions that they had before")
    rollback.add_argument("--layer", action="append", default=[], metavar="NAME", help="only of this layer")
    rollback.add_argument("--to", type=int, metavar="VERSION", help="this version, not the one before")
    prune = command("prune", _prune, "delete the layer versions that nobody needs")
    prune.add_argument("--keep", type=int, metavar="N", help="versions of each layer to keep")
    policy = command("iam-policy", _iam_policy, "print the IAM policy that a deployment needs, and no more")
    policy.add_argument("--account", default="*", metavar="NUMBER", help="the account; default: any")
    command("schema", _schema, "print the manifest's JSON Schema, for editors")
    command("demo", _demo, "show the main job on an embedded AWS, with real packages")
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
    return parser


def _schema(_: argparse.Namespace, __: Mapping[str, str]) -> int:
    import json  # noqa: PLC0415

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": DEFAULT_PATH}
    _print(json.dumps(draft | MANIFEST.schema(), indent=2))
    return 0


def _init(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    from entrypoint.starter import write_starter  # noqa: PLC0415

    path = write_starter(Path(arguments.manifest))
    _print(f"wrote {path}; next: lambda-layers lock")
    return 0


def _demo(_: argparse.Namespace, __: Mapping[str, str]) -> int:
    from entrypoint.demo import demo  # noqa: PLC0415

    return demo(main)


def _check(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    project = _project(arguments, environment)
    check_project(project)
    if arguments.wheels:
        with _started(arguments, environment) as run:
            from entrypoint import pipeline  # noqa: PLC0415

            pipeline.check_wheels(run)
    if not arguments.quiet:
        have = ", and every package its wheel" if arguments.wheels else ""
        _print(f"{arguments.manifest}: {len(project.targets)} targets, every lock is in step{have}")
    return 0


def _lock(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        upgrade, packages = arguments.upgrade, _packages(arguments.upgrade_package)
        pipeline.lock(run, upgrade=upgrade, packages=packages, check=arguments.check)
    return 0


def _why(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    from entrypoint.why import why  # noqa: PLC0415

    project = _project(arguments, environment)
    (target,) = _targets(project, [arguments.target])
    _print(why(project, target, arguments.package))
    return 0


def _packages(texts: Sequence[str]) -> Sequence[str]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    for text in texts:
        try:
            Requirement(text)
        except InvalidRequirement:
            remedy = "write NAME or NAME==VERSION"
            raise UsageError.of(f"--upgrade-package {text!r} is no package", remedy) from None
    return texts


def _build(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        pipeline.build(run, _targets(run.project, arguments.target))
    return 0


def _plan(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import plan_outputs, plans_as_json  # noqa: PLC0415

        found = pipeline.plan(run)
        plans = found.plans
        if arguments.json:
            run.console.result(plans_as_json(plans))
        else:
            run.console.plans(plans)
    _set_outputs(environment, plan_outputs(plans))
    if found.failures:
        raise AwsError(*(problem for failure in found.failures for problem in failure.problems))
    something_to_do = not all(plan.is_empty for plan in plans)
    return _SOMETHING_TO_DO if arguments.detailed_exitcode and something_to_do else 0


def _deploy(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import deployment_outputs  # noqa: PLC0415

        deployment = pipeline.deploy(run)
        run.console.deployed(deployment)
    _set_outputs(environment, deployment_outputs(deployment))
    if deployment.problems:
        raise RolloutError(*deployment.problems)
    return 0


def _rollback(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        deployment = pipeline.rollback(run, _layers(run.project, arguments.layer), arguments.to)
        run.console.deployed(deployment)
    if deployment.problems:
        raise RolloutError(*deployment.problems)
    return 0


def _prune(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        pruned = pipeline.prune(run, arguments.keep)
        run.console.deployed(pruned)
    if pruned.problems:
        raise AwsError(*pruned.problems)
    return 0


def _iam_policy(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    import json  # noqa: PLC0415

    from entrypoint.release.iam_policy import iam_policy  # noqa: PLC0415

    project = _project(arguments, environment)
    regions = project.manifest.regions or (environment.get("AWS_REGION") or "*",)
    policy = iam_policy(project.manifest, project.layers, regions=regions, account=arguments.account)
    _print(json.dumps(policy, indent=2))
    return 0


def _set_outputs(environment: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    from entrypoint.edges import github  # noqa: PLC0415

    github.set_outputs(environment, outputs)


@contextmanager
def _started(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Iterator["Run"]:
    """Read the manifest and open the outside world, for the commands that do the work."""
    from entrypoint.outside import open_run  # noqa: PLC0415
    from entrypoint.report.console import Console  # noqa: PLC0415

    console = Console(quiet=arguments.quiet)
    project = _project(arguments, environment)
    console.warn(aging(project.manifest, datetime.now(tz=UTC).date()))
    with open_run(
        project,
        console,
        environment=environment,
        cache=getattr(arguments, "cache", None),
        locked=getattr(arguments, "locked", False),
        local=getattr(arguments, "aws", None) == "local",
        engine=getattr(arguments, "engine", "pip-compile"),
    ) as run:
        yield run


def _project(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Project:
    variables = dict(environment)
    for pair in arguments.set:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError.of(f"--set {pair} is no NAME=VALUE", "write it as --set STAGE=prod")
        variables[name] = value
    return load_project(Path(arguments.manifest), root=Path.cwd(), variables=variables)


def _targets(project: Project, names: Sequence[str]) -> tuple[Target, ...]:
    by_name = {str(target): target for target in project.targets}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        from difflib import get_close_matches  # noqa: PLC0415

        close = get_close_matches(unknown[0], by_name, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"choose from {', '.join(by_name)}"
        raise UsageError.of(f"there is no target {', '.join(unknown)}", remedy)
    return tuple(by_name[name] for name in names) or project.targets


def _layers(project: Project, names: Sequence[str]) -> tuple[AwsLayer, ...]:
    """Return the layers of AWS that are meant: by their name there, or by the manifest's."""
    known = {layer.name for layer in project.layers} | set(project.manifest.layers)
    if unknown := sorted(set(names) - known):
        remedy = f"choose from {', '.join(sorted(known))}"
        raise UsageError.of(f"there is no layer {', '.join(unknown)}", remedy)
    return tuple(
        layer
        for layer in project.layers
        if not names or layer.name in names or layer.targets[0].layer.name in names
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
