"""What each command does: arguments and environment go in, the exit code comes out.

Everything heavy (boto3, pip, rich) is imported by the command that needs it, so that `check`, which
people run at every commit, starts as quickly as Python does.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.errors import AwsError, PlanError, RolloutError, UsageError
from entrypoint.project import Project, check_project, load_project
from entrypoint.schema import DEFAULT_PATH, MANIFEST
from entrypoint.targets import AwsLayer, Target, aging

if TYPE_CHECKING:
    from entrypoint.run import Run

_SOMETHING_TO_DO = 2


def schema(_: argparse.Namespace, __: Mapping[str, str]) -> int:
    """Print the manifest's JSON Schema, for editors."""
    import json  # noqa: PLC0415

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": DEFAULT_PATH}
    _print(json.dumps(draft | MANIFEST.schema(), indent=2))
    return 0


def init(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Write a first manifest from what is found here."""
    from entrypoint.starter import write_starter  # noqa: PLC0415

    path = write_starter(Path(arguments.manifest))
    _print(f"wrote {path}; next: lambda-layers lock")
    return 0


def demo(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Show the main job on an embedded AWS, with real packages."""
    from entrypoint.demo import demo as run_demo  # noqa: PLC0415

    return run_demo(arguments.main)


def check(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Check the manifest and its locks, offline."""
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


def lock(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Pin and hash the packages of every target."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        upgrade, packages = arguments.upgrade, _packages(arguments.upgrade_package)
        targets = _targets(run.project, arguments.target)
        pipeline.lock(run, targets, upgrade=upgrade, packages=packages, check=arguments.check)
    return 0


def why(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show what needs a package, from a target's lock; offline."""
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


def build(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Build and verify the archives."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        pipeline.build(run, _targets(run.project, arguments.target))
    return 0


def plan(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show what a deployment would do; changes nothing."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import plan_outputs, plans_as_json  # noqa: PLC0415
        from entrypoint.report.summary import plan_summary  # noqa: PLC0415

        found = pipeline.plan(run)
        plans = found.plans
        if arguments.json:
            run.console.result(plans_as_json(plans))
        else:
            run.console.plans(plans)
    _tell_workflow(environment, plan_outputs(plans), plan_summary(plans))
    if found.failures:
        raise AwsError(*(problem for failure in found.failures for problem in failure.problems))
    something_to_do = not all(plan.is_empty for plan in plans)
    return _SOMETHING_TO_DO if arguments.detailed_exitcode and something_to_do else 0


def diff(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show which packages of each layer AWS or a git revision has, and the locks here or there do not."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import differences_as_json  # noqa: PLC0415

        def load(root: Path, manifest: Path) -> Project:
            return load_project(manifest, root=root, variables=_variables(arguments, environment))

        found = pipeline.diff(run, arguments.revision, arguments.other_revision, load)
        if arguments.json:
            run.console.result(differences_as_json(found))
        else:
            run.console.differences(found)
    differs = any(difference.changes for difference in found)
    return _SOMETHING_TO_DO if arguments.detailed_exitcode and differs else 0


def deploy(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Build and publish what changed, and update the functions."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import deployment_outputs  # noqa: PLC0415
        from entrypoint.report.summary import deployment_summary  # noqa: PLC0415

        deployment = pipeline.deploy(run, Path(arguments.artifacts) if arguments.artifacts else None)
        run.console.deployed(deployment)
    _tell_workflow(environment, deployment_outputs(deployment), deployment_summary(deployment))
    if deployment.problems:
        raise RolloutError(*deployment.problems)
    return 0


def rollback(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Give functions the layer versions that they had before."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        deployment = pipeline.rollback(run, _layers(run.project, arguments.layer), arguments.to)
        run.console.deployed(deployment)
    if deployment.problems:
        raise RolloutError(*deployment.problems)
    return 0


def prune(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Delete the layer versions that nobody needs."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        pruned = pipeline.prune(run, arguments.keep)
        run.console.deployed(pruned)
    if pruned.problems:
        raise AwsError(*pruned.problems)
    return 0


def doctor(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine the functions' VPCs, roles and throttles; changes nothing."""
    with _started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        found = pipeline.doctor(run)
        run.console.diagnoses(found.diagnoses)
    if found.problems:
        raise AwsError(*found.problems)
    return 0 if all(diagnosis.is_sound for diagnosis in found.diagnoses) else PlanError.exit_code


def iam_policy(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the IAM policy that a deployment needs, and no more."""
    import json  # noqa: PLC0415

    from entrypoint.release.iam_policy import iam_policy  # noqa: PLC0415

    project = _project(arguments, environment)
    regions = project.manifest.regions or (environment.get("AWS_REGION") or "*",)
    policy = iam_policy(project.manifest, project.layers, regions=regions, account=arguments.account)
    _print(json.dumps(policy, indent=2))
    return 0


def _tell_workflow(environment: Mapping[str, str], outputs: Mapping[str, str], summary: str) -> None:
    """Give a workflow the step's outputs and its summary; the comment is that summary."""
    from entrypoint.edges import github  # noqa: PLC0415

    github.set_outputs(environment, {**outputs, "comment": summary})
    github.add_summary(environment, summary)


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
    variables = _variables(arguments, environment)
    return load_project(Path(arguments.manifest), root=Path.cwd(), variables=variables)


def _variables(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Mapping[str, str]:
    variables = dict(environment)
    for pair in arguments.set:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError.of(f"--set {pair} is no NAME=VALUE", "write it as --set STAGE=prod")
        variables[name] = value
    return variables


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
