"""`lambda-layers deploy`: builds and publishes what changed, and updates the functions."""

from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Option, Result, failed, valued
from entrypoint.errors import RolloutError, UsageError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context
    from entrypoint.pipeline import Plans


def run(context: "Context") -> Result:
    """Make AWS match the manifest."""
    from entrypoint.report.outputs import deployment_outputs  # noqa: PLC0415 - slow to import
    from entrypoint.report.results import deployment_as_json  # noqa: PLC0415
    from entrypoint.report.reviewed import refuse_other  # noqa: PLC0415
    from entrypoint.report.summary import deployment_summary  # noqa: PLC0415

    artifacts, trusted = context.arguments.artifacts, context.arguments.trust is not None
    if trusted and not artifacts:
        raise UsageError.of("--trust has no effect without --artifacts", "add --artifacts FOLDER")
    if artifacts and context.source:
        raise UsageError.of("--artifacts has no effect with --from", "remove one: --from builds nothing")

    def reviewed(plans: "Plans") -> None:
        context.console.plans(plans.values)
        if context.arguments.plan:
            refuse_other(Path(context.arguments.plan), plans)

    deployment = context.pipeline.deploy(
        artifacts=Path(artifacts) if artifacts else None,
        trusted=trusted,
        explained=context.has_summary,
        reviewed=reviewed,
    )
    return Result(
        show=lambda console: console.deployed(deployment),
        data=deployment_as_json(deployment),
        outputs=deployment_outputs(deployment),
        summary=deployment_summary(deployment, context.warnings),
        error=failed(RolloutError, deployment.problems),
    )


COMMAND = Command(
    (
        valued(
            "--artifacts",
            "FOLDER",
            "compare archives with those that 'build' left in this folder, or in one for each target in it",
        ),
        Option(
            "--trust",
            "build-jobs: use wheels that the jobs of --artifacts compiled; default: compile them again",
            {"choices": ["build-jobs"]},
        ),
        valued(
            "--plan",
            "FILE",
            "do only what 'plan --out' wrote to this file; stop if anything has changed",
        ),
        options.FROM,
        *options.ON_AWS,
        options.CACHE,
        options.LOCKED,
        options.JSON,
    ),
    run,
)
