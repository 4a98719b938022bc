"""`lambda-layers prune`: deletes the layer versions that nothing needs."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed, switch, valued
from entrypoint.errors import AwsError, UsageError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Delete old layer versions."""
    from entrypoint.report.results import pruned_as_json  # noqa: PLC0415 - slow to import

    keep, dry_run = context.arguments.keep, context.arguments.dry_run
    if keep is not None and keep < 0:
        raise UsageError.of(f"--keep is {keep}", "write how many versions to keep, such as 5")
    pruned = context.pipeline.prune(keep, dry_run=dry_run, alarms=context.arguments.alarms)
    return Result(
        show=lambda console: console.pruned(pruned, dry_run=dry_run),
        data=pruned_as_json(pruned),
        error=failed(AwsError, pruned.diagnostics),
    )


COMMAND = Command(
    (
        valued("--keep", "N", "how many versions of each layer to keep", type=int),
        switch("--dry-run", "show what would be deleted, and delete nothing"),
        switch("--alarms", "also delete the alarms of functions that the manifest no longer watches"),
        *options.ON_AWS,
        options.JSON,
    ),
    run,
)
