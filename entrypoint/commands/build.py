"""`lambda-layers build`: builds and verifies the archives."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Build the archives of all targets, or of those that are named."""
    from entrypoint.report.results import archive_outputs, archives_as_json  # noqa: PLC0415 - slow to import

    built = context.pipeline.build(context.targets(context.arguments.target))
    return Result(data={"archives": archives_as_json(built)}, outputs=archive_outputs(built))


COMMAND = Command(
    (
        options.TARGETS,
        *options.COMMON,
        options.CACHE,
        options.SARIF,
        options.LOCKED,
        options.JSON,
    ),
    run,
)
