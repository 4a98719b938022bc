"""Locks -> wheels: downloaded, or built from source in the environment that the layer requires."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from entrypoint.errors import CompileError, Diagnostic, FetchError
from entrypoint.index.candidates import choose, yank_reason
from entrypoint.index.incompatible import no_compatible_file, why_no_wheel
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.lock.build_requirements import BuildSections, KeptBuilds
from entrypoint.lock.libraries import LibraryPins
from entrypoint.lock.lock_file import Lock
from entrypoint.lock.stage import yanked
from entrypoint.manifest.model import DEFAULT_BUILDER
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each
from entrypoint.progress import Progress
from entrypoint.wheels.build_environment import BuildEnvironment
from entrypoint.wheels.build_plan import BuildPlan
from entrypoint.wheels.fetch import Sdist, Wheel, fetch
from entrypoint.wheels.libraries import Libraries, SystemLibraries
from entrypoint.wheels.metadata import Metadata
from entrypoint.wheels.source_builds import Compiler


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """Gets the wheels of locks."""

    index: Callable[[IndexOptions], PackageIndex]
    builds: Compiler
    system: SystemLibraries
    cache: Path
    progress: Progress

    def of(
        self,
        locks: Mapping[Target, Lock],
        compiled: Callable[[Target, Sdist], Wheel | None] = lambda *_: None,
    ) -> dict[Target, tuple[Wheel, ...]]:
        """Return the wheels of each target, including those that had to be built from source.

        `compiled` returns the wheel that a trusted job built from an sdist.

        Raises:
            FetchError: with every file that is missing or not what the lock allows.
            CompileError: with everything that cannot be built.
        """
        fetched = {target: self._fetch(target, lock) for target, lock in locks.items()}
        sdists = [
            (target, file) for target, files in fetched.items() for file in files if isinstance(file, Sdist)
        ]

        def built(item: tuple[Target, Sdist]) -> Wheel:
            target, sdist = item
            return compiled(target, sdist) or self._build(sdist, self._plan_of(target, locks[target]))

        with self.progress.group("building from source") if sdists else nullcontext():
            first, others = _once_first(sdists, locks)
            wheels = dict(zip(first, for_each(first, built), strict=True))
            wheels |= zip(others, for_each(others, built), strict=True)
        return {
            target: tuple(file if isinstance(file, Wheel) else wheels[target, file] for file in files)
            for target, files in fetched.items()
        }

    def metadata(self, target: Target, options: IndexOptions, kept: KeptBuilds) -> Metadata:
        """Return what describes packages that have no compatible wheel, for a target without a lock."""
        plan = build_plan_of(target, options, kept=kept)
        return Metadata(
            index=self.index(options),
            platform=target.platform,
            cache=self.cache,
            compile=lambda sdist: self._build(sdist, plan),
        )

    def pin_builds(self, target: Target, lock: Lock, kept: KeptBuilds) -> BuildSections:
        """Pin the build requirements of the packages of a lock that are built from source.

        Raises:
            FetchError: if a source archive cannot be downloaded.
            CompileError: if the build requirements of a package cannot be resolved.
        """
        compiled = replace(lock, pins=tuple(pin for pin in lock.pins if pin.from_source))
        if not compiled.pins:
            return {}
        plan = build_plan_of(target, lock.options, kept=kept)
        sections: dict[str, tuple[Pin, ...]] = {}
        for file in fetch(compiled, target.platform, index=self.index(lock.options), cache=self.cache):
            if isinstance(file, Sdist):
                sections |= self.builds.pin(file, plan)
        return sections

    def libraries(self, locks: Mapping[Target, Lock]) -> dict[Target, Libraries]:
        """Return the libraries of system packages, for the targets that take any.

        Raises:
            CompileError: with everything that cannot be installed.
        """

        def found(target: Target) -> Libraries:
            pins, environment = locks[target].libraries, environment_of(target)
            if pins is None:
                message = f"no lock pins the libraries of {target}"
                hint = "to pin them, let lambda-layers lock make the lock"
                self.progress.warn([Diagnostic(message, hint, target.layer.location)])
            with _located(target):
                if pins is None:
                    return self.system.newest(environment, target.layer.requirements.libraries)
                return self.system.pinned(environment, pins)

        asking = [target for target in locks if target.layer.requirements.libraries]
        return dict(zip(asking, for_each(asking, found), strict=True))

    def pin_libraries(self, target: Target, kept: LibraryPins | None) -> LibraryPins | None:
        """Return the packages of a target's libraries; `kept` if they are of the same names and image.

        Raises:
            CompileError: there is no engine, or a package cannot be installed, or has no library.
        """
        names, environment = target.layer.requirements.libraries, environment_of(target)
        if not names:
            return None
        if kept and (kept.image, sorted(kept.names)) == (environment.image, sorted(names)):
            return kept
        with _located(target):
            return self.system.newest(environment, names).pins

    def check_available(self, locks: Mapping[Target, Lock]) -> None:
        """Make sure, without downloading, that every pin has a compatible wheel or is in `from_source`.

        Raises:
            FetchError: with every pin that has none.
        """

        def check(item: tuple[Target, Lock, Pin]) -> None:
            target, lock, pin = item
            if (reason := yank_reason(pin, self.index(lock.options).files(pin.name))) is not None:
                self.progress.warn([yanked(pin, reason, target)])
            if problem := self._unavailable(*item):
                raise FetchError(problem)

        for_each([(target, lock, pin) for target, lock in locks.items() for pin in lock.pins], check)

    def _build(self, sdist: Sdist, plan: BuildPlan) -> Wheel:
        name, version, platform = sdist.name, sdist.version, plan.environment.platform

        def reason() -> str:
            if name in plan.options.built:
                return ""
            return why_no_wheel(name, version, self.index(plan.options).files(name), platform)

        return self.builds.wheel(sdist, plan, why=reason)

    def _plan_of(self, target: Target, lock: Lock) -> BuildPlan:
        """Return how the packages of a lock are built; a lock of another tool pins no build requirements."""
        if lock.inputs is None:
            return build_plan_of(target, lock.options, strict=False)
        return build_plan_of(target, lock.options, sections=lock.builds)

    def _fetch(self, target: Target, lock: Lock) -> tuple[Wheel | Sdist, ...]:
        with self.progress.downloads(target) as progress:
            index = self.index(lock.options)
            return fetch(lock, target.platform, index=index, cache=self.cache, progress=progress)

    def _unavailable(self, target: Target, lock: Lock, pin: Pin) -> Diagnostic | None:
        if pin.name in target.layer.from_source or lock.options.wants_source(pin.name):
            return None
        if pin.from_source:
            message = f"{pin} has no wheel for {target.platform}, and would be built from source"
            return Diagnostic(message, f"to allow that, add {pin.name} to 'from_source'", pin.location)
        files = self.index(lock.options).files(pin.name)
        compatible = choose(pin, files, target.platform)
        return None if compatible else no_compatible_file(pin, files, target.platform)


def _once_first(
    sdists: Sequence[tuple[Target, Sdist]], locks: Mapping[Target, Lock]
) -> tuple[Sequence[tuple[Target, Sdist]], Sequence[tuple[Target, Sdist]]]:
    """Return what to build first, and then: folders and commits once, for this machine if possible.

    Most have no compiled code, and their wheels are then those of all targets.
    """
    here = platform.machine().replace("AMD64", "x86_64").replace("arm64", "aarch64")
    ordered = sorted(sdists, key=lambda item: item[0].platform.architecture.machine != here)
    seen: set[str] = set()
    parts: tuple[list[tuple[Target, Sdist]], list[tuple[Target, Sdist]]] = [], []
    for target, sdist in ordered:
        is_source = sdist.name in locks[target].options.built
        parts[is_source and sdist.sha256 in seen].append((target, sdist))
        seen.add(sdist.sha256)
    return parts


def build_plan_of(
    target: Target,
    options: IndexOptions,
    *,
    sections: BuildSections | None = None,
    strict: bool = True,
    kept: KeptBuilds | None = None,
) -> BuildPlan:
    """Return how the packages of a target are built; see `BuildPlan`."""
    layer = target.layer
    environment = replace(
        environment_of(target), system_packages=layer.system_packages, network=layer.build_network
    )
    return BuildPlan(
        environment=environment,
        options=options,
        wanted_by=str(target),
        added=dict(layer.requirements.build),
        sections=sections,
        strict=strict,
        kept=kept or KeptBuilds(),
    )


def environment_of(target: Target) -> BuildEnvironment:
    """Return the build environment of a target, without system packages and network."""
    layer, platform = target.layer, target.platform
    image = layer.builder_image.replace("{runtime}", str(platform.runtime))
    return BuildEnvironment(
        platform=platform,
        image=image.replace("{architecture}", platform.architecture),
        chosen=layer.builder_image != DEFAULT_BUILDER,
    )


@contextmanager
def _located(target: Target) -> Iterator[None]:
    """Add the location of the layer to diagnostics."""
    try:
        yield
    except CompileError as error:
        raise CompileError(
            *(problem._replace(location=target.layer.location) for problem in error.problems)
        ) from error
