"""Compiles what has no wheel: an sdist goes in, a wheel that fits the platform comes out.

It is built where it will run, by a `Builder` that the outside world offers: a container of the
runtime's own build image, or this machine where that is the same. What came out is kept in the cache
under all that decided it (the sdist, the platform, the builder and its system packages), together with
a record of every build requirement, so the next run needs no builder at all.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Protocol

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from entrypoint.errors import CompileError
from entrypoint.index.candidates import fit
from entrypoint.index.options import IndexOptions
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.build_wheel import NOTE
from entrypoint.wheels.built_wheels import BuiltWheels, built_key
from entrypoint.wheels.fetch import Sdist, Wheel
from entrypoint.wheels.sdist import build_system

_AT_ONCE = 2
_SHOWN_LINES = 20
_SCRIPT = "build_wheel.py"
_PIN_ANOTHER = "pin a version that has a wheel"
#: Makes builds repeat themselves as far as their backends allow: https://reproducible-builds.org/docs/
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEnvironment:
    """Where packages are to be compiled."""

    platform: Platform
    image: str
    system_packages: tuple[str, ...] = ()
    #: The user chose the image, so that no other place will do.
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """How a command in a builder ended: what it printed, and what it left in `out/`."""

    code: int
    output: str
    files: Mapping[str, bytes]


class Builder(Protocol):
    """A place where code runs as it would in the runtime."""

    @property
    def name(self) -> str:
        """What people call it: an image, or this machine."""
        ...

    @property
    def identity(self) -> str:
        """What it is made of; the same where the same would come out."""
        ...

    @property
    def session(self) -> str:
        """Names this very instance of it."""
        ...

    @property
    def python(self) -> str:
        """The command that starts its interpreter."""
        ...

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, said: Callable[[str], None]
    ) -> BuildResult:
        """Run a command in a fresh folder with these files; `said` hears each line that it prints.

        Raises:
            CompileError: where it took longer, or more memory, than a build may.
        """
        ...


class Builders(Protocol):
    """Whoever has builders to offer."""

    def identity(self, environment: BuildEnvironment) -> str | None:
        """Say what a builder would be made of, if that can be told without fetching anything."""
        ...

    def open(self, environment: BuildEnvironment, options: IndexOptions) -> Builder:
        """Give a builder that sees these indexes.

        Raises:
            CompileError: where there is none, with what to do about it.
        """
        ...


class Compiler:
    """Compiles each sdist once, two at a time. Threads may share it."""

    def __init__(self, builders: Builders, *, cache: Path, say: Callable[[str], None]) -> None:
        self._builders = builders
        self._built = BuiltWheels(cache)
        self._say = say
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._at_once = threading.Semaphore(_AT_ONCE)
        self._prepared: set[str] = set()

    def wheel(
        self,
        sdist: Sdist,
        environment: BuildEnvironment,
        *,
        options: IndexOptions,
        wanted_by: str,
        why: Callable[[], str] = str,
    ) -> Wheel:
        """Return the wheel of an sdist, from the cache where it was compiled before.

        The `options` lead to its build requirements, `wanted_by` names who needs it, and `why` explains
        why no wheel serves; it is asked only when there is no builder either.

        Raises:
            CompileError: where it cannot be compiled, or what comes out is not what was asked for.
        """
        key = built_key(sdist, environment.platform, environment.image, environment.system_packages)
        with self._lock_of(key):
            if known := self._built.find(key, sdist, self._builders.identity(environment)):
                return known
            with self._at_once, _placed(sdist):
                builder = self._open(environment, options, sdist, why)
                self._say(f"compiling {sdist} for {wanted_by} in {builder.name}")
                outcome = self._build(builder, sdist, environment)
                filename, data, requires = _checked(outcome, sdist, environment.platform)
            used = {
                "sdist": sdist.filename,
                "sha256": sdist.sha256,
                "builder": {"name": builder.name, "id": builder.identity},
                "systemPackages": list(environment.system_packages),
                "buildRequirements": requires,
            }
            self._say(f"compiled {filename}, {len(data) / 1e3:,.0f} kB")
            return self._built.keep(key, sdist, filename, data, used)

    def _lock_of(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _open(
        self, environment: BuildEnvironment, options: IndexOptions, sdist: Sdist, why: Callable[[], str]
    ) -> Builder:
        with self._lock_of(repr(environment)):
            try:
                builder = self._builders.open(environment, options)
            except CompileError as error:
                reason = f" ({text})" if (text := why()) else ""
                wanted = f"{sdist} has to be compiled for {environment.platform}{reason}"
                problems = [p._replace(message=f"{wanted}, and {p.message}") for p in error.problems]
                raise CompileError(*problems) from error
            if builder.session not in self._prepared:
                _check_interpreter(builder, environment.platform)
                self._install(builder, environment.system_packages)
                self._prepared.add(builder.session)
            return builder

    def _install(self, builder: Builder, packages: tuple[str, ...]) -> None:
        if not packages:
            return
        outcome = self._run(builder, {"system_packages": packages}, {}, builder.name)
        if outcome.code:
            message = f"{', '.join(packages)} cannot be installed in {builder.name}:\n{_tail(outcome)}"
            raise CompileError.of(message, "correct system_packages; they are names of its package manager")

    def _build(self, builder: Builder, sdist: Sdist, environment: BuildEnvironment) -> BuildResult:
        system = build_system(sdist.path)
        job = {
            "sdist": sdist.filename,
            "requires": system.requires,
            "backend": system.backend,
            "backend_path": system.backend_path,
        }
        outcome = self._run(builder, job, {sdist.filename: sdist.path.read_bytes()}, str(sdist))
        if outcome.code:
            message = (
                f"{sdist} cannot be compiled for {environment.platform} in {builder.name}:\n{_tail(outcome)}"
            )
            hint = f"name what it lacks under system_packages, or {_PIN_ANOTHER}"
            raise CompileError.of(message, hint)
        return outcome

    def _run(
        self, builder: Builder, job: Mapping[str, object], files: Mapping[str, bytes], subject: str
    ) -> BuildResult:
        def said(line: str) -> None:
            if line.startswith(NOTE):
                self._say(f"{subject}: {line.removeprefix(NOTE)}")

        text = json.dumps({"environment": _ENVIRONMENT, **job})
        script = (resources("entrypoint.wheels") / _SCRIPT).read_bytes()
        files = {"job.json": text.encode(), _SCRIPT: script, **files}
        return builder.run(files, [builder.python, "-I", _SCRIPT], said=said)


def _check_interpreter(builder: Builder, platform: Platform) -> None:
    """Make sure that the builder has the runtime's interpreter: images drift."""
    outcome = builder.run({}, [builder.python, "--version"], said=lambda _: None)
    words = outcome.output.split()
    wanted = ".".join(map(str, platform.runtime.python_version or ()))
    if outcome.code or "".join(words[-1:]).rpartition(".")[0] != wanted:
        found = "it has none" if outcome.code else f"its {builder.python} is {' '.join(words)}"
        message = f"{builder.name} is no builder for {platform.runtime}, which takes Python {wanted}: {found}"
        raise CompileError.of(message, "name an image of that runtime under builder_image")


def _checked(outcome: BuildResult, sdist: Sdist, platform: Platform) -> tuple[str, bytes, object]:
    """Take the wheel out of what a build left, with its requirements; it must be what the layer needs."""
    record = json.loads(outcome.files.get("record.json", b"{}"))
    filename = record.get("wheel", "")
    data = outcome.files.get(filename)
    if data is None:
        raise CompileError.of(f"the build of {sdist} left no wheel", _PIN_ANOTHER)
    try:
        name, version, *_ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise CompileError.of(f"the build of {sdist} left {filename}: {error}", _PIN_ANOTHER) from None
    if (name, version) != (canonicalize_name(sdist.name), Version(sdist.version)):
        raise CompileError.of(f"the build of {sdist} left {filename}, another package", _PIN_ANOTHER)
    if fit(filename, platform) is None:
        hint = "name an image of the runtime under builder_image"
        raise CompileError.of(f"the build of {sdist} left {filename}, which is not for {platform}", hint)
    return filename, data, record["requires"]


def _tail(outcome: BuildResult) -> str:
    lines = [line.rstrip() for line in outcome.output.splitlines() if line.strip()]
    shown = "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])
    return shown or f"    exit code {outcome.code}, and no output"


@contextmanager
def _placed(sdist: Sdist) -> Iterator[None]:
    """Give problems the place where the package was asked for."""
    try:
        yield
    except CompileError as error:
        placed = (problem._replace(location=problem.location or sdist.location) for problem in error.problems)
        raise CompileError(*placed) from error
