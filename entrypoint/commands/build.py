"""`lambda-layers build`: builds and verifies the archives."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, valued
from entrypoint.files import atomic_write

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Build the archives of all targets, or of those that are named."""
    from entrypoint.report.outputs import archive_outputs  # noqa: PLC0415 - slow to import
    from entrypoint.report.results import archives_as_json  # noqa: PLC0415

    built = context.pipeline.build(context.targets(context.arguments.target))
    if context.arguments.output:
        folder = Path(context.arguments.output)
        for archive in built.values():
            with archive.path.open("rb") as source, atomic_write(folder / archive.path.name) as out:
                shutil.copyfileobj(source, out)
    return Result(data={"archives": archives_as_json(built)}, outputs=archive_outputs(built))


COMMAND = Command(
    (
        options.TARGETS,
        valued("--output", "FOLDER", "also copy the archives into this folder"),
        *options.COMMON,
        options.CACHE,
        options.SARIF,
        options.LOCKED,
        options.JSON,
    ),
    run,
)
