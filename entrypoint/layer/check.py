"""What can be checked offline: the locks, and the size of the repository's files.

Imported by the check hook at every commit: what is slow to import is imported where it is needed.
"""

from entrypoint.errors import ArchiveError, Diagnostic, LockError, VerifyError
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.lock.current import lock_problems
from entrypoint.manifest.layer_pins import pin_problems
from entrypoint.manifest.model import Layer
from entrypoint.manifest.project import Project


def check_project(project: Project) -> None:
    """Make sure that every lock is in sync and the repository's files fit into their layers.

    Raises:
        LockError: with every lock that is missing or out of sync, and everything else that is wrong.
        VerifyError: the locks are right, and the repository's files are too large for a layer.
    """
    locks = [*lock_problems(project), *pin_problems(project.manifest)]
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
