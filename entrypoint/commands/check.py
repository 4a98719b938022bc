"""`lambda-layers check`: the manifest and its locks, offline. The pre-commit hook runs the same."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, switch
from entrypoint.layer.check import check_project

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Check; with `--wheels`, ask the index too."""
    project = context.project
    check_project(project)
    wheels: bool = context.arguments.wheels
    if wheels:
        context.pipeline.check_wheels()
    number = len(project.targets)
    text = f"{context.arguments.manifest}: {number:,} target{'' if number == 1 else 's'}, all locks in sync"
    text += ", all wheels available" if wheels else ""
    return Result(
        text="" if context.arguments.quiet else text,
        data={"targets": [str(target) for target in project.targets], "wheels": wheels},
    )


COMMAND = Command(
    (
        switch("--wheels", "also check that the index has their wheels"),
        *options.COMMON,
        options.CACHE,
        options.SARIF,
        options.JSON,
    ),
    run,
)
