"""`lambda-layers rollback`: gives functions the layer versions that they had before."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed, repeated, valued
from entrypoint.errors import RolloutError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Update the functions to earlier layer versions."""
    from entrypoint.report.results import deployment_as_json, deployment_outputs  # noqa: PLC0415 - slow to import
    from entrypoint.report.summary import deployment_summary  # noqa: PLC0415

    deployment = context.pipeline.rollback(
        context.layers(context.arguments.layer),
        context.arguments.to,
        reviewed=lambda plans: context.console.plans(plans.values),
    )
    return Result(
        show=lambda console: console.deployed(deployment),
        data=deployment_as_json(deployment),
        outputs=deployment_outputs(deployment),
        summary=deployment_summary(deployment),
        error=failed(RolloutError, deployment.problems),
    )


COMMAND = Command(
    (
        repeated("--layer", "NAME", "only this layer"),
        valued("--to", "VERSION", "this version instead of the previous one", type=int),
        *options.ON_AWS,
        options.JSON,
    ),
    run,
)
