"""The locks of a project: read, resolve, write, compare."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.figures import count
from entrypoint.index.candidates import yank_reason
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.lock.build_requirements import BuildSections, KeptBuilds, read_sections
from entrypoint.lock.changes import changes
from entrypoint.lock.current import current_lock, no_lock
from entrypoint.lock.engine import Describe, Engine
from entrypoint.lock.header import LOCK_HINT
from entrypoint.lock.input_files import display_path
from entrypoint.lock.libraries import LibraryPins, read_libraries
from entrypoint.lock.lock_file import Lock, lock_text, read_lock, without_packages, write_lock
from entrypoint.lock.requirements import read_requirements
from entrypoint.lock.resolve import resolve
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each
from entrypoint.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """Reads and makes the locks of a project, several at a time."""

    project: Project
    index: Callable[[IndexOptions], PackageIndex]
    #: pip-compile or uv.
    engine: Engine
    #: Returns what describes the packages without a compatible wheel, for a target and an index.
    describe: Callable[[Target, IndexOptions, KeptBuilds], Describe]
    #: Pins the build requirements of the packages of a lock that are built from source.
    pin_builds: Callable[[Target, Lock, KeptBuilds], BuildSections]
    #: Finds the packages of a target's libraries; the argument after it is what an existing lock has.
    pin_libraries: Callable[[Target, LibraryPins | None], LibraryPins | None]
    progress: Progress
    #: Refuse to resolve: every target must have a lock that is in sync.
    locked: bool = False

    def of(self, targets: Sequence[Target]) -> dict[Target, Lock]:
        """Return each target's lock; resolve it now if there is none, and report that.

        Raises:
            LockError: a lock is out of sync, or is missing although `locked`.
        """
        return dict(zip(targets, for_each(targets, self._lock), strict=True))

    def write(self, targets: Sequence[Target], *, upgrade: bool, packages: Sequence[str]) -> None:
        """Write the generated locks of these targets."""

        def relock(target: Target) -> Lock:
            path = self.project.lock_path(target)
            lock = self._resolve(target, existing=path, upgrade=upgrade, packages=packages)
            write_lock(path, lock, made_from=self._input_names(target))
            for pin in lock.pins:
                if pin.from_source and not lock.options.wants_source(pin.name):
                    self.progress.say(f"{target} builds {pin} from source: it has no compatible wheel")
            index = self.index(lock.options)
            self.progress.warn(
                yanked(pin, reason, target)
                for pin in lock.pins
                if (reason := yank_reason(pin, index.files(pin.name))) is not None
            )
            name = display_path(path, self.project.root)
            self.progress.say(f"locked {target}: {count(len(lock.pins), 'package')} in {name}")
            return lock

        locks = for_each(self._one_for_each_file(targets), relock)
        locked = {pin.name for lock in locks for pins in (lock.pins, *lock.builds.values()) for pin in pins}
        libraries = [lock.libraries for lock in locks if lock.libraries]
        unknown = [
            name
            for name in packages
            if canonicalize_name(Requirement(name).name) not in locked
            and not any(pins.has(name) for pins in libraries)
        ]
        self.progress.warn(
            Diagnostic(f"no lock has the package {name}", "--upgrade-package has no effect for it")
            for name in unknown
        )

    def compare(self, targets: Sequence[Target], *, upgrade: bool, packages: Sequence[str]) -> None:
        """Check that `write` would change no lock; nothing is written.

        Raises:
            LockError: with every lock that would change, and its changes.
        """

        def compare(target: Target) -> None:
            path = self.project.lock_path(target)
            current = read_lock(path, target.platform, root=self.project.root)
            fresh = self._resolve(target, existing=path, upgrade=upgrade, packages=packages)
            if path.read_text("utf-8-sig") == lock_text(fresh, made_from=self._input_names(target)):
                return
            changed = ", ".join(changes(current, fresh)) or "only its comments"
            message = f"the lock of {target} would change: {changed}"
            raise LockError.of(message, LOCK_HINT, Location(display_path(path, self.project.root)))

        compared = self._one_for_each_file(targets)
        for_each(compared, compare)
        self.progress.say(
            f"{count(len(compared), 'lock')} {'is' if len(compared) == 1 else 'are'} up to date"
        )

    def _lock(self, target: Target) -> Lock:
        current = current_lock(self.project, target)
        if current is not None:
            return current
        if self.locked:
            raise LockError(no_lock(target))
        self.progress.say(f"{target} has no lock, resolving it now; to pin it, run: lambda-layers lock")
        return without_packages(self._resolve(target), target.layer.exclude_packages)

    def _one_for_each_file(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Return the targets with a generated lock, one for each lock file."""
        ours = (target for target in self.project.lockable if target in targets)
        return tuple({self.project.lock_path(target): target for target in ours}.values())

    def _input_names(self, target: Target) -> list[str]:
        files = target.layer.requirements.files or (self.project.manifest.path,)
        return [display_path(file, self.project.folder) for file in files]

    def _resolve(
        self,
        target: Target,
        *,
        existing: Path | None = None,
        upgrade: bool = False,
        packages: Sequence[str] = (),
    ) -> Lock:
        requirements, from_source = target.layer.requirements, target.layer.from_source
        root = self.project.root
        libraries = None if existing is None or upgrade else _libraries(existing)
        if libraries and (of_system := {name for name in packages if libraries.has(name)}):
            libraries, packages = None, [name for name in packages if name not in of_system]
        options = read_requirements(requirements, root=root, from_source=from_source).options
        sections = {} if existing is None or upgrade else self._sections(existing)
        kept = KeptBuilds(sections=sections, upgrade_packages=tuple(packages))
        lock = resolve(
            requirements,
            target.platform,
            from_source=from_source,
            describe=self.describe(target, options, kept),
            existing=existing,
            upgrade=upgrade,
            upgrade_packages=tuple(packages),
            engine=self.engine,
            index=self.index(options),
            root=root,
            folder=self.project.folder,
        )
        return replace(
            lock,
            builds=self.pin_builds(target, lock, kept),
            libraries=self.pin_libraries(target, libraries),
        )

    def _sections(self, existing: Path) -> BuildSections:
        """Return the build requirements that a lock pins; none if it cannot be read."""
        try:
            return read_sections(existing.read_text("utf-8-sig"), Location(str(existing)))
        except (OSError, UnicodeDecodeError, LockError):
            return {}


def _libraries(existing: Path) -> LibraryPins | None:
    """Return the system packages that a lock pins; None if it cannot be read."""
    try:
        return read_libraries(existing.read_text("utf-8-sig"), Location(str(existing)))
    except (OSError, UnicodeDecodeError, LockError):
        return None


def yanked(pin: Pin, reason: str, target: Target) -> Diagnostic:
    """Describe a pin whose files were all yanked from the index."""
    message = f"{target}: {pin} was yanked from the index{f': {reason}' if reason else ''}"
    return Diagnostic(message, "require another version", pin.location)
