"""Targets -> locks: the one that stands beside the inputs, the user's own, or one made now."""

from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.lock.changes import changes
from entrypoint.lock.dependencies import Describing
from entrypoint.lock.lock_file import LOCK_COMMAND, Lock, lock_text, read_lock, write_lock
from entrypoint.lock.project import Project
from entrypoint.lock.requirement_lines import shown
from entrypoint.lock.requirements import read_requirements
from entrypoint.lock.resolve import resolve
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each
from entrypoint.report.figures import count
from entrypoint.wheels.compiled import compile_for


def locks_of(run: Run, targets: Sequence[Target]) -> dict[Target, Lock]:
    """Return each target's lock; where there is none, it is resolved afresh, and the user is told.

    Raises:
        LockError: where a lock is out of step, or there is none and the run insists on one.
    """

    def lock_of(target: Target) -> Lock:
        standing = run.project.standing_lock(target)
        if standing is not None:
            return standing
        if run.locked:
            message = f"the layer {target.layer.name!r} has no lock for {target.platform}"
            hint = f"{LOCK_COMMAND}, and commit what it writes"
            raise LockError.of(message, hint, target.layer.location)
        run.console.say(f"{target} has no lock, so it is resolved afresh; pin it with: lambda-layers lock")
        return _resolve(run, target)

    return dict(zip(targets, for_each(targets, lock_of), strict=True))


def write_locks(run: Run, targets: Sequence[Target], *, upgrade: bool, packages: Sequence[str]) -> None:
    """Write the locks of those of these targets that have none of the user's own, several at once."""
    project = run.project

    def relock(target: Target) -> Lock:
        path = project.lock_path(target)
        lock = _resolve(run, target, existing=path, upgrade=upgrade, packages=packages)
        write_lock(path, lock, made_from=_inputs(project, target))
        for pin in lock.pins:
            if pin.from_source and pin.name not in target.layer.from_source:
                run.console.say(f"{target} compiles {pin}: no version that may be used has a wheel that fits")
        run.console.say(f"locked {target}: {count(len(lock.pins), 'package')} in {shown(path, project.root)}")
        return lock

    locks = for_each(_one_for_each_lock(project, targets), relock)
    locked = {pin.name for lock in locks for pin in lock.pins}
    unknown = [name for name in packages if canonicalize_name(Requirement(name).name) not in locked]
    run.console.warn(
        Diagnostic(f"no lock has the package {name}", "--upgrade-package did nothing for it")
        for name in unknown
    )


def compare_locks(run: Run, targets: Sequence[Target], *, upgrade: bool, packages: Sequence[str]) -> None:
    """Make sure that every lock is what `write_locks` would write; nothing is written.

    Raises:
        LockError: with each lock that would change, and what would.
    """
    project = run.project

    def compare(target: Target) -> None:
        path = project.lock_path(target)
        standing = read_lock(path, target.platform, root=project.root)
        fresh = _resolve(run, target, existing=path, upgrade=upgrade, packages=packages)
        if path.read_text("utf-8-sig") == lock_text(fresh, made_from=_inputs(project, target)):
            return
        changed = ", ".join(changes(standing, fresh)) or "its comments alone"
        message = f"this lock of {target} would change: {changed}"
        raise LockError.of(message, LOCK_COMMAND, Location(shown(path, project.root)))

    compared = _one_for_each_lock(project, targets)
    for_each(compared, compare)
    told = "1 lock is as it" if len(compared) == 1 else f"{len(compared)} locks are as they"
    run.console.say(f"{told} would be made now")


def _one_for_each_lock(project: Project, targets: Sequence[Target]) -> tuple[Target, ...]:
    """Return the targets whose locks are ours to make; those that share a lock come once."""
    ours = (target for target in project.lockable if target in targets)
    return tuple({project.lock_path(target): target for target in ours}.values())


def _inputs(project: Project, target: Target) -> list[str]:
    files = target.layer.requirements.files or (project.manifest.path,)
    return [shown(file, project.folder) for file in files]


def _resolve(
    run: Run,
    target: Target,
    *,
    existing: Path | None = None,
    upgrade: bool = False,
    packages: Sequence[str] = (),
) -> Lock:
    requirements, from_source = target.layer.requirements, target.layer.from_source
    options = read_requirements(requirements, root=run.project.root, from_source=from_source).options
    index = run.index(options)
    describe = Describing(
        index=index,
        platform=target.platform,
        cache=run.cache,
        compile=lambda sdist: compile_for(run, target, sdist, options),
    )
    return resolve(
        requirements,
        target.platform,
        from_source=from_source,
        describe=describe,
        existing=existing,
        upgrade=upgrade,
        upgrade_packages=tuple(packages),
        compile=run.compile,
        index=index,
        root=run.project.root,
        folder=run.project.folder,
    )
