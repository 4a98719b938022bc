"""`lambda-layers check`: the manifest and its locks, offline. The pre-commit hook runs the same."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, switch
from entrypoint.errors import ArchiveError, Diagnostic, LockError, VerifyError
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.lock.current import lock_problems
from entrypoint.manifest.model import Layer
from entrypoint.manifest.project import Project

if TYPE_CHECKING:
    from entrypoint.commands.context import Context

HELP = "Check the manifest and its locks, offline."


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


def check_project(project: Project) -> None:
    """Make sure that every lock is in sync and the repository's files fit into their layers.

    Raises:
        LockError: with every lock that is missing or out of sync, and everything else that is wrong.
        VerifyError: the locks are right, and the repository's files are too large for a layer.
    """
    locks = lock_problems(project)
    files = [problem for layer in project.manifest.layers.values() for problem in _size_problems(layer)]
    if locks:
        raise LockError(*dict.fromkeys([*locks, *files]))
    if files:
        raise VerifyError(*files)


def _size_problems(layer: Layer) -> tuple[Diagnostic, ...]:
    if not layer.include and not layer.content:
        return ()
    from entrypoint.layer.repository_files import repository_files  # noqa: PLC0415 - rarely needed

    try:
        size = sum(file.source.stat().st_size for file in repository_files(layer))
    except ArchiveError as error:
        return error.problems
    most = min(layer.size_budget or UNZIPPED_BYTES, UNZIPPED_BYTES)
    if size <= most:
        return ()
    message = f"the repository's files have {size:,} bytes; the layer may have {most:,}"
    hint = "remove some, for example with 'exclude'" + (
        "" if most == UNZIPPED_BYTES else ", or raise the limit"
    )
    return (Diagnostic(message, hint, layer.location),)


COMMAND = Command(
    "check",
    HELP,
    (
        switch("--wheels", "also check that the index has their wheels"),
        *options.COMMON,
        options.CACHE,
        options.SARIF,
        options.JSON,
    ),
    run,
)
