"""The lock of a target on disk, and whether it is in sync with its inputs. Offline.

Imported by the check hook at every commit: what reads a lock in full is imported only when it is needed.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrypoint.errors import Diagnostic, LockError
from entrypoint.lock.header import LOCK_HINT, is_in_sync
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import Target

if TYPE_CHECKING:
    from entrypoint.lock.lock_file import Lock


def current_lock(project: Project, target: Target, *, in_sync: bool = True) -> "Lock | None":
    """Return a target's lock, generated or of another tool; None if it has none.

    Packages that the layer leaves out are not part of it. With `in_sync=False`, a generated lock is read
    without its inputs and their index options.

    Raises:
        LockError: the lock is out of sync with its inputs, or invalid.
    """
    from dataclasses import replace  # noqa: PLC0415 - see above

    from entrypoint.lock.folders import with_content  # noqa: PLC0415
    from entrypoint.lock.lock_file import (  # noqa: PLC0415 - see above
        Lock,
        read_lock,
        read_pinned,
        without_packages,
    )
    from entrypoint.lock.requirements import read_requirements  # noqa: PLC0415

    layer, root = target.layer, project.root
    own = layer.own_locks.get(target.platform)
    if own is not None:
        lock = read_pinned(
            own,
            target.platform,
            requirements=layer.requirements,
            from_source=layer.from_source,
            root=root,
        )
        return without_packages(lock, layer.exclude_packages)
    if not any(layer.requirements.inputs):
        return Lock(platform=target.platform, pins=())
    path = project.lock_path(target)
    if not path.is_file():
        return None
    lock = read_lock(
        path,
        target.platform,
        requirements=layer.requirements if in_sync else None,
        from_source=layer.from_source,
        root=root,
    )
    if not in_sync and any(pin.is_folder for pin in lock.pins):
        parsed = read_requirements(layer.requirements, root=root, from_source=layer.from_source)
        lock = replace(lock, pins=with_content(lock.pins, parsed.options))
    return without_packages(lock, layer.exclude_packages)


def no_lock(target: Target) -> Diagnostic:
    """Describe a missing lock."""
    message = f"the layer {target.layer.name!r} has no lock for {target.platform}"
    return Diagnostic(message, LOCK_HINT, target.layer.location)


def lock_problems(project: Project) -> tuple[Diagnostic, ...]:
    """Describe every lock that is missing, out of sync or damaged."""
    found = (problem for target in project.targets for problem in _problems(project, target))
    return tuple(dict.fromkeys(found))


def outdated(project: Project) -> tuple[Target, ...]:
    """Return the targets whose generated lock is missing or out of sync, one for each lock file."""
    by_path = {project.lock_path(target): target for target in project.lockable}
    return tuple(target for target in by_path.values() if not _is_in_sync(project, target))


def _problems(project: Project, target: Target) -> Sequence[Diagnostic]:
    try:
        if _is_in_sync(project, target) or current_lock(project, target):
            return ()
    except LockError as error:
        return error.problems
    return (no_lock(target),)


def _is_in_sync(project: Project, target: Target) -> bool:
    """Return whether a generated lock is in sync, from its header; most hook runs need no more."""
    layer = target.layer
    if target.platform in layer.own_locks or not any(layer.requirements.inputs):
        return False
    return is_in_sync(
        project.lock_path(target),
        target.platform,
        requirements=layer.requirements,
        from_source=layer.from_source,
        root=project.root,
    )
