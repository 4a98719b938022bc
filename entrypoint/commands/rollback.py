"""`lambda-layers rollback`: gives functions the layer versions that a git revision asks for."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Option, Result, failed, repeated, switch, valued
from entrypoint.errors import RolloutError, UsageError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context
    from entrypoint.pipeline import Plans


def run(context: "Context") -> Result:
    """Update the functions to earlier layer versions."""
    from entrypoint.report.outputs import deployment_outputs  # noqa: PLC0415 - slow to import
    from entrypoint.report.results import deployment_as_json, plans_as_json  # noqa: PLC0415
    from entrypoint.report.summary import deployment_summary  # noqa: PLC0415

    with _plans(context) as plans:
        context.console.plans(plans.values)
        if context.arguments.dry_run:
            return Result(data=plans_as_json(plans), error=failed(RolloutError, plans.diagnostics))
        deployment = context.pipeline.roll_back(plans, now=context.arguments.now)
    return Result(
        show=lambda console: console.deployed(deployment),
        data=deployment_as_json(deployment),
        outputs=deployment_outputs(deployment),
        summary=deployment_summary(deployment),
        error=failed(RolloutError, deployment.problems),
    )


@contextmanager
def _plans(context: "Context") -> Iterator["Plans"]:
    """Plan by a revision, whose files are kept for as long as the plan, or by a version."""
    from entrypoint.release.history import History  # noqa: PLC0415 - slow to import

    arguments, pipeline = context.arguments, context.pipeline
    layers = context.layers(arguments.layer)
    if arguments.to is None:
        with closing(History(context.project, context.load)) as history:
            yield pipeline.plan_revision(history, arguments.revision, layers if arguments.layer else ())
        return
    if arguments.revision is not None:
        raise UsageError.of("--to and a revision exclude each other", "leave one out")
    if not arguments.layer or len(layers) != 1:
        names = ", ".join(layer.name for layer in layers)
        raise UsageError.of("--to needs the name of one layer in AWS", f"add --layer with one of {names}")
    yield pipeline.plan_version(layers[0], arguments.to)


COMMAND = Command(
    (
        Option(
            "revision",
            "a git revision; default: the one before the newest that functions use",
            {"nargs": "?", "metavar": "REVISION"},
        ),
        repeated("--layer", "NAME", "only this layer"),
        valued("--to", "VERSION", "this version of the layer, instead of a revision", type=int),
        switch("--now", "update all functions at once, without waves and checks"),
        switch("--dry-run", "show what would be done, and change nothing"),
        *options.ON_AWS,
        options.JSON,
    ),
    run,
)
