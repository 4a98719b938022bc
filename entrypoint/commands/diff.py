"""`lambda-layers diff`: the packages of AWS or a git revision, compared with the locks."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Option, Result

if TYPE_CHECKING:
    from entrypoint.commands.context import Context

_REVISION = {"nargs": "?", "metavar": "REVISION"}


def run(context: "Context") -> Result:
    """Compare packages."""
    from entrypoint.report.results import differences_as_json  # noqa: PLC0415 - slow to import
    from entrypoint.report.summary import difference_summary  # noqa: PLC0415 - as above

    before, after = context.arguments.revision, context.arguments.other_revision
    comparison = context.pipeline.comparison
    found = comparison.with_aws() if before is None else comparison.of_revisions(before, after, context.load)
    return Result(
        show=lambda console: console.differences(found),
        data=differences_as_json(found),
        summary=difference_summary(found),
    )


COMMAND = Command(
    (
        Option("revision", "a git revision; default: what is in AWS", _REVISION),
        Option("other_revision", "a git revision; default: the working tree", _REVISION),
        *options.ON_AWS,
        options.JSON,
    ),
    run,
)
