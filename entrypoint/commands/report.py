"""`lambda-layers report`: an HTML page about the layers."""

from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, valued

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Write the page."""
    from entrypoint.files import write_text  # noqa: PLC0415 - slow to import, like the next
    from entrypoint.report.page import render  # noqa: PLC0415

    overview = context.pipeline.overview()
    context.console.warn(overview.missing)
    output: str = context.arguments.output
    write_text(Path(output), render(overview))
    return Result(text=f"wrote {output}")


COMMAND = Command(
    (
        valued("--output", "FILE", "default: %(default)s", default="lambda-layers.html"),
        *options.ON_AWS,
        options.CACHE,
        options.LOCKED,
    ),
    run,
)
