"""`lambda-layers prune`: deletes the layer versions that nothing needs."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed, valued
from entrypoint.errors import AwsError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Delete old layer versions."""
    from entrypoint.report.results import pruned_as_json  # noqa: PLC0415 - slow to import

    pruned = context.pipeline.prune(context.arguments.keep)
    return Result(
        show=lambda console: console.pruned(pruned),
        data=pruned_as_json(pruned),
        error=failed(AwsError, pruned.diagnostics),
    )


COMMAND = Command(
    (
        valued("--keep", "N", "how many versions of each layer to keep", type=int),
        *options.ON_AWS,
        options.JSON,
    ),
    run,
)
