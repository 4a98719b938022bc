"""Shared libraries of system packages: names of packages -> their files, as a zip file in the cache.

Packages are installed by the package manager of a builder image, which checks their signatures, as root with
network in a container of its own. Their files are then collected in another container, without network and
privileges. What that returns is not trusted (`collected_libraries.py`).
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from entrypoint.cache import Cache, CacheEntry, Made
from entrypoint.errors import CompileError, Diagnostic
from entrypoint.lock.header import LOCK_HINT
from entrypoint.lock.libraries import LibraryPins, SystemPackage
from entrypoint.manifest.libraries import libraries_of
from entrypoint.wheels.build_environment import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.build_job import build_job, install_packages, python_of
from entrypoint.wheels.build_result import tail
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.collected_libraries import license_member_of, member_of, read_index, write_archive

_FORMAT = 1
"""Increment when other files are collected, so that existing entries are not reused."""
_KIND = f"libraries/{_FORMAT}"
_SCRIPT = "collect_libraries.py"
_LATEST = "latest"
_PARALLEL = 2
"""Installations at a time, as of builds."""
_A_WHEEL = "pin a version that has a wheel"


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPackage:
    """A system package; `libraries` are the paths of its libraries in the zip file, by soname."""

    package: SystemPackage
    #: The kind of package (rpm, deb) and the ID of the distribution in /etc/os-release, as rpm/amzn.
    system: str
    license: str | None
    #: Whether the layer names the package; otherwise libraries of such a package are linked to it.
    is_named: bool
    libraries: Mapping[str, str]
    #: The paths of its license files in the zip file, by name.
    licenses: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """What a layer can take from system packages: the packages, and the zip file with their files."""

    pins: LibraryPins
    packages: tuple[LibraryPackage, ...]
    archive: Path


class SystemLibraries:
    """Collects the libraries of system packages. Threads may share it."""

    def __init__(self, builders: Builders, *, cache: Path, say: Callable[[str], None]) -> None:
        self._builders = builders
        self._cache = Cache(cache)
        self._say = say
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._newest: dict[str, Libraries] = {}
        self._at_once = threading.Semaphore(_PARALLEL)

    def newest(self, environment: BuildEnvironment, names: tuple[str, ...]) -> Libraries:
        """Return the newest versions of these packages, which are installed once in each run.

        Raises:
            CompileError: there is no engine, or a package cannot be installed, or has no library.
        """
        key, environment = _key(environment, names, ()), replace(environment, system_packages=names)
        with self._lock_of(key):
            if key not in self._newest:
                made = self._made(environment, names, (), f"{key}/newest")
                pins = _libraries(environment, names, made).pins
                self._keep(_key(environment, names, pins.packages), environment, made)
                self._newest[key] = _libraries(environment, names, made)
            return self._newest[key]

    def pinned(self, environment: BuildEnvironment, pins: LibraryPins) -> Libraries:
        """Return exactly these versions, from the cache if possible, which needs no engine.

        Raises:
            CompileError: see `newest`; also if the image's package manager does not have these versions.
        """
        key = _key(environment, pins.names, pins.packages)
        environment = replace(environment, system_packages=pins.names)  # so never this machine
        with self._lock_of(key):
            identity = self._builders.identity(environment)
            entry = self._cache.get(_KIND, f"{key}/{_short(identity) if identity else _LATEST}")
            if entry is None:
                entry = self._made(environment, pins.names, pins.packages, f"{key}/{_LATEST}")
                self._keep(key, environment, entry)
            return _libraries(environment, pins.names, entry)

    def _made(
        self,
        environment: BuildEnvironment,
        names: tuple[str, ...],
        pins: tuple[SystemPackage, ...],
        key: str,
    ) -> CacheEntry:
        with self._at_once, _explained(names, environment.image):
            return self._cache.make(
                _KIND, key, lambda folder: self._collect(environment, names, pins, folder)
            )

    def _keep(self, key: str, environment: BuildEnvironment, entry: CacheEntry) -> None:
        """Let an entry be found by the versions of its packages, for this image and without an engine."""
        identity = self._builders.identity(environment)
        for name in (_LATEST, *([_short(identity)] if identity else [])):
            self._cache.put(_KIND, f"{key}/{name}", entry)

    def _collect(
        self,
        environment: BuildEnvironment,
        names: tuple[str, ...],
        pins: tuple[SystemPackage, ...],
        folder: Path,
    ) -> Made:
        versions = dict(pins)
        missing = (name for name in names if name not in versions)
        wanted = (*missing, *(f"{name}={version}" for name, version in pins))
        environment = replace(environment, system_packages=wanted)
        results = folder / "results"
        results.mkdir()
        builder = self._builders.open(environment)
        hint = "use the names of that image's packages in 'libraries'"
        if pins:
            hint = f"if only other versions are available now, {LOCK_HINT} --upgrade"
        self._say(f"installing {', '.join(names)} in {environment.image}")
        install_packages(
            environment,
            wanted,
            builder=builder,
            builders=self._builders,
            results=results,
            on_output=lambda _: None,
            hint=hint,
            upgrade=not pins,
        )
        result = self._collected(builder, environment, names, results)
        packages = read_index(result, names)
        if pins:
            _check_versions(environment.image, pins, packages)
        archive = folder / "libraries.zip"
        write_archive(archive, packages, result)
        return Made(facts=packages, file=archive)

    def _collected(
        self, builder: Builder, environment: BuildEnvironment, names: tuple[str, ...], results: Path
    ) -> BuildResult:
        platform = environment.platform
        job = {"names": names, "provided": sorted(libraries_of(platform.runtime))}
        command, inputs = build_job(job, {}, python_of(builder, platform), platform, script=_SCRIPT)
        result = builder.run(inputs, command, results=results, on_output=lambda _: None)
        if result.code:
            message = (
                f"the libraries of {', '.join(names)} cannot be taken from {builder.name}:\n{tail(result)}"
            )
            raise CompileError.of(message, "name the packages that have the libraries themselves")
        return result

    def _lock_of(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())


@contextmanager
def _explained(names: tuple[str, ...], image: str) -> Iterator[None]:
    """Say what the engine is needed for, and suggest no other wheel."""
    try:
        yield
    except CompileError as error:
        raise CompileError(*(_of_libraries(problem, names, image) for problem in error.problems)) from error


def _of_libraries(problem: Diagnostic, names: tuple[str, ...], image: str) -> Diagnostic:
    if not problem.hint.endswith(_A_WHEEL):
        return problem
    hint = problem.hint.removesuffix(_A_WHEEL).removesuffix(", or ").rstrip("; ")
    message = f"the libraries of {', '.join(names)} come from {image}, but {problem.message}"
    return problem._replace(message=message, hint=hint or "name fewer packages under 'libraries'")


def _key(environment: BuildEnvironment, names: Iterable[str], packages: Iterable[SystemPackage]) -> str:
    """Return a key from everything that determines the files, but the image's identity."""
    decisive = [
        str(environment.platform),
        environment.image,
        sorted(names),
        sorted(map(list, packages)),
        sorted(libraries_of(environment.platform.runtime)),
    ]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _short(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _libraries(environment: BuildEnvironment, names: tuple[str, ...], entry: CacheEntry) -> Libraries:
    packages = tuple(
        LibraryPackage(
            package=SystemPackage(facts["name"], facts["version"]),
            system=facts["system"],
            license=facts["license"],
            is_named=facts["is_named"],
            libraries={soname: member_of(facts["name"], soname) for soname in facts["libraries"]},
            licenses={name: license_member_of(facts["name"], name) for name in facts["licenses"]},
        )
        for facts in entry.facts
    )
    pins = LibraryPins(environment.image, names, tuple(each.package for each in packages))
    return Libraries(pins=pins, packages=packages, archive=entry.file)


def _check_versions(image: str, wanted: Iterable[SystemPackage], found: Iterable[Mapping[str, Any]]) -> None:
    before, after = dict(wanted), {each["name"]: each["version"] for each in found}
    for name in sorted(before | after):
        if before.get(name) != after.get(name):
            message = f"{image} has {after.get(name, 'no version')} of {name}; "
            message += f"the lock has {before.get(name, 'no version')}"
            raise CompileError.of(message, f"{LOCK_HINT} --upgrade")
