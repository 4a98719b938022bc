"""What each command does: arguments and environment go in, the exit code comes out.

Everything heavy (boto3, pip, rich) is imported by the command that needs it, so that `check`, which
people run at every commit, starts as quickly as Python does.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.commands.arguments import layers_named, project_of, started, targets_named, variables_of
from entrypoint.errors import AwsError, Diagnostic, LayersError, PlanError, RolloutError, UsageError
from entrypoint.lock.project import Project, check_project, load_project
from entrypoint.manifest.schema import DEFAULT_PATH, MANIFEST
from entrypoint.report.figures import count

_SOMETHING_TO_DO = 2


def schema(_: argparse.Namespace, __: Mapping[str, str]) -> int:
    """Print the manifest's JSON Schema, for editors."""
    import json  # noqa: PLC0415

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": DEFAULT_PATH}
    _print(json.dumps(draft | MANIFEST.schema(), indent=2))
    return 0


def init(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Write a first manifest from what is found here, or in AWS."""
    from entrypoint.init import draft_of, refuse_existing, write_draft  # noqa: PLC0415

    path = Path(arguments.manifest)
    refuse_existing(path)
    if arguments.from_aws:
        from entrypoint.commands.outside import open_aws  # noqa: PLC0415
        from entrypoint.init.account import found_in_account  # noqa: PLC0415

        with open_aws() as aws:
            draft = found_in_account(aws, aws.destination.region)
    else:
        draft = draft_of(path.parent)
    write_draft(path, draft)
    _print(f"wrote {path}; next: lambda-layers lock")
    return 0


def demo(arguments: argparse.Namespace, _: Mapping[str, str]) -> int:
    """Show the main job on an embedded AWS, with real packages."""
    from entrypoint.commands.demo import demo as run_demo  # noqa: PLC0415

    return run_demo(arguments.main)


def check(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Check the manifest and its locks, offline."""
    project = project_of(arguments, environment)
    check_project(project)
    if arguments.wheels:
        with started(arguments, environment) as run:
            from entrypoint import pipeline  # noqa: PLC0415

            pipeline.check_wheels(run)
    if not arguments.quiet:
        have = ", and every package its wheel" if arguments.wheels else ""
        _print(f"{arguments.manifest}: {count(len(project.targets), 'target')}, every lock is in step{have}")
    return 0


def lock(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Pin and hash the packages of every target."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        upgrade, packages = arguments.upgrade, _packages(arguments.upgrade_package)
        targets = targets_named(run.project, arguments.target)
        pipeline.lock(run, targets, upgrade=upgrade, packages=packages, check=arguments.check)
    return 0


def audit(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Ask whether vulnerabilities are known of what the locks pin."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        number = pipeline.audit(run)
    if not arguments.quiet:
        _print(f"{number} package versions, and none has a known vulnerability that counts")
    return 0


def why(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show what needs a package, from a target's lock; offline."""
    from entrypoint.lock.why import why  # noqa: PLC0415

    project = project_of(arguments, environment)
    (target,) = targets_named(project, [arguments.target])
    _print(why(project, target, arguments.package))
    return 0


def _packages(texts: Sequence[str]) -> Sequence[str]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    for text in texts:
        try:
            Requirement(text)
        except InvalidRequirement:
            hint = "write NAME or NAME==VERSION"
            raise UsageError.of(f"--upgrade-package {text!r} is no package", hint) from None
    return texts


def build(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Build and verify the archives."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import archive_outputs  # noqa: PLC0415

        built = pipeline.build(run, targets_named(run.project, arguments.target))
    _tell_workflow(environment, archive_outputs(built))
    return 0


def plan(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show what a deployment would do; changes nothing."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import plan_outputs, plans_as_json  # noqa: PLC0415
        from entrypoint.report.summary import plan_summary  # noqa: PLC0415

        found = pipeline.plan(run)
        plans = found.plans
        if arguments.json:
            run.console.result(plans_as_json(plans))
        else:
            run.console.plans(plans)
        explained = pipeline.explain(run, found) if _is_summarized(environment) else ()
    _tell_workflow(environment, plan_outputs(plans), plan_summary(plans, explained))
    _raise_all(AwsError, [problem for failure in found.failures for problem in failure.problems])
    something_to_do = not all(plan.is_empty for plan in plans)
    return _SOMETHING_TO_DO if arguments.detailed_exitcode and something_to_do else 0


def status(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Tell where AWS does not stand as the manifest asks; exits with 2 where it does not."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report import github  # noqa: PLC0415
        from entrypoint.report.results import statuses_as_json  # noqa: PLC0415
        from entrypoint.report.summary import status_summary  # noqa: PLC0415

        found = pipeline.status(run)
        if arguments.json:
            run.console.result(statuses_as_json(found.regions, found.failures))
        else:
            run.console.statuses(found.regions)
    if found.regions:
        github.add_summary(environment, status_summary(found.regions))
    _raise_all(AwsError, [problem for failure in found.failures for problem in failure.located])
    return _SOMETHING_TO_DO if any(region.drift for region in found.regions) else 0


def diff(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Show which packages of each layer AWS or a git revision has, and the locks here or there do not."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import differences_as_json  # noqa: PLC0415

        def load(root: Path, manifest: Path) -> Project:
            return load_project(manifest, root=root, variables=variables_of(arguments, environment))

        found = pipeline.diff(run, arguments.revision, arguments.other_revision, load)
        if arguments.json:
            run.console.result(differences_as_json(found))
        else:
            run.console.differences(found)
    return 0


def report(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Write a page with the layers' sizes, versions, functions, duplicates and drift."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.files import write_text  # noqa: PLC0415
        from entrypoint.report.page import render  # noqa: PLC0415

        found = pipeline.report(run)
        run.console.warn(found.missing)
        write_text(Path(arguments.output), render(found))
    _print(f"wrote {arguments.output}")
    return 0


def deploy(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Build and publish what changed, and update the functions."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import deployment_outputs  # noqa: PLC0415
        from entrypoint.report.summary import deployment_summary  # noqa: PLC0415

        artifacts = Path(arguments.artifacts) if arguments.artifacts else None
        deployment = pipeline.deploy(run, artifacts, explained=_is_summarized(environment))
        run.console.deployed(deployment)
    summary = deployment_summary(deployment, arguments.warnings)
    _tell_workflow(environment, deployment_outputs(deployment), summary)
    _raise_all(RolloutError, deployment.problems)
    return 0


def rollback(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Give functions the layer versions that they had before."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import deployment_outputs  # noqa: PLC0415
        from entrypoint.report.summary import deployment_summary  # noqa: PLC0415

        deployment = pipeline.rollback(run, layers_named(run.project, arguments.layer), arguments.to)
        run.console.deployed(deployment)
    _tell_workflow(environment, deployment_outputs(deployment), deployment_summary(deployment))
    _raise_all(RolloutError, deployment.problems)
    return 0


def prune(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Delete the layer versions that nobody needs."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415

        pruned = pipeline.prune(run, arguments.keep)
        run.console.deployed(pruned)
        if not any(region.deleted or region.error for region in pruned.regions):
            run.console.result("nothing to delete")
    _raise_all(AwsError, pruned.problems)
    return 0


def doctor(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Examine the functions' VPCs, roles and throttles; changes nothing."""
    with started(arguments, environment) as run:
        from entrypoint import pipeline  # noqa: PLC0415
        from entrypoint.report.results import diagnoses_as_json  # noqa: PLC0415

        found = pipeline.doctor(run)
        if arguments.json:
            run.console.result(diagnoses_as_json(found.diagnoses))
        else:
            run.console.diagnoses(found.diagnoses)
    _raise_all(AwsError, found.problems)
    return 0 if all(diagnosis.is_sound for diagnosis in found.diagnoses) else PlanError.exit_code


def iam_policy(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the IAM policy that a deployment needs, and no more."""
    import json  # noqa: PLC0415

    from entrypoint.release.iam_policy import iam_policy  # noqa: PLC0415

    project = project_of(arguments, environment)
    regions = project.manifest.regions or (environment.get("AWS_REGION") or "*",)
    policy = iam_policy(project.manifest, project.layers, regions=regions, account=arguments.account)
    _print(json.dumps(policy, indent=2))
    return 0


def _is_summarized(environment: Mapping[str, str]) -> bool:
    """Tell whether a workflow shows what a step did: then it is worth some more calls to explain it."""
    return "GITHUB_STEP_SUMMARY" in environment


def _tell_workflow(environment: Mapping[str, str], outputs: Mapping[str, str], summary: str = "") -> None:
    """Give a workflow the step's outputs and its summary; the comment is that summary, as far as it fits."""
    from entrypoint.report import github  # noqa: PLC0415
    from entrypoint.report.results import named  # noqa: PLC0415

    comment = {"comment": github.cut(named(summary), github.COMMENT_BYTES)} if summary else {}
    too_large = github.set_outputs(environment, {**outputs, **comment})
    sys.stdout.writelines(f"{line}\n" for line in github.annotations("warning", too_large))
    github.add_summary(environment, summary)


def _raise_all(kind: type[LayersError], problems: Sequence[Diagnostic]) -> None:
    """Let a command fail that did what it could."""
    if problems:
        raise kind(*problems)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
