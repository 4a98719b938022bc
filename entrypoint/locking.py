"""Targets -> locks: the one that stands beside the inputs, the user's own, or one made now."""

from collections.abc import Sequence
from pathlib import Path

from entrypoint.build.dependencies import Describing
from entrypoint.build.lock import Lock, write_lock
from entrypoint.build.requirement_lines import shown
from entrypoint.build.requirements import read_requirements
from entrypoint.build.resolve import resolve
from entrypoint.compiling import compile_for
from entrypoint.errors import LockError
from entrypoint.parallel import for_each
from entrypoint.run import Run
from entrypoint.targets import Target


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
            remedy = "run: lambda-layers lock, and commit what it writes"
            raise LockError.of(message, remedy, target.layer.place)
        run.console.say(f"{target} has no lock, so it is resolved afresh; pin it with: lambda-layers lock")
        return _resolve(run, target)

    return dict(zip(targets, for_each(targets, lock_of), strict=True))


def write_locks(run: Run, *, upgrade: bool, packages: Sequence[str]) -> None:
    """Write the lock of every target that has none of the user's own, several at once."""
    project = run.project

    def relock(target: Target) -> None:
        path = project.lock_path(target)
        locked = _resolve(run, target, existing=path, upgrade=upgrade, packages=packages)
        files = target.layer.requirements.files or (project.manifest.path,)
        write_lock(path, locked, made_from=[shown(file, project.folder) for file in files])
        for pin in locked.pins:
            if pin.from_source and pin.name not in target.layer.from_source:
                run.console.say(f"{target} compiles {pin}: no version that may be used has a wheel that fits")
        run.console.say(f"locked {target}: {len(locked.pins)} packages in {shown(path, project.root)}")

    for_each(tuple({project.lock_path(target): target for target in project.lockable}.values()), relock)


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
