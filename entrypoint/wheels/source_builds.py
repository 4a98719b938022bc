"""Compile packages without a compatible wheel: an sdist goes in, a wheel for the platform comes out.

A `Builder` compiles on the system of the runtime: in a container of its build image, or on this machine
if that is the same system. The wheel is cached under everything that determines it (sdist, platform,
builder and system packages), with a record of its build requirements, so that later runs on this
machine need no builder.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files as resources
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from entrypoint.errors import CompileError
from entrypoint.index.candidates import fit
from entrypoint.index.options import IndexOptions
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.build_environment import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.build_wheel import NOTE
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.built_wheels import BuiltWheels, built_key
from entrypoint.wheels.fetch import Sdist, Wheel
from entrypoint.wheels.sdist import build_system

_PARALLEL_BUILDS = 2
_SHOWN_LINES = 20
_SCRIPT = "build_wheel.py"
_PIN_ANOTHER = "pin a version that has a wheel"
#: Makes builds reproducible as far as their backends allow: https://reproducible-builds.org/docs/
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Compiler:
    """Compiles each sdist once, two at a time. Threads may share it."""

    def __init__(self, builders: Builders, *, cache: Path, say: Callable[[str], None]) -> None:
        self._builders = builders
        self._built = BuiltWheels(cache)
        self._say = say
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._at_once = threading.Semaphore(_PARALLEL_BUILDS)
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
        """Return the wheel of an sdist, compiled unless it is in the cache.

        `options` select the indexes of its build requirements, `wanted_by` names what needs it, and
        `why` explains why no wheel is compatible; it is called only if no builder is available.

        Raises:
            CompileError: if it cannot be compiled, or the result is not a wheel of this package and platform.
        """
        key = built_key(sdist, environment.platform, environment.image, environment.system_packages)
        with self._lock_of(key):
            if known := self._built.find(key, sdist, self._builders.identity(environment)):
                return known
            with self._at_once, _with_location(sdist):
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
                needed = f"{sdist} must be compiled for {environment.platform}{reason}"
                problems = [p._replace(message=f"{needed}, but {p.message}") for p in error.problems]
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
            raise CompileError.of(
                message, "fix system_packages; use the names of the image's package manager"
            )

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
            hint = f"add what is missing to system_packages, or {_PIN_ANOTHER}"
            raise CompileError.of(message, hint)
        return outcome

    def _run(
        self, builder: Builder, job: Mapping[str, object], files: Mapping[str, bytes], subject: str
    ) -> BuildResult:
        def report(line: str) -> None:
            if line.startswith(NOTE):
                self._say(f"{subject}: {line.removeprefix(NOTE)}")

        text = json.dumps({"environment": _ENVIRONMENT, **job})
        script = (resources("entrypoint.wheels") / _SCRIPT).read_bytes()
        files = {"job.json": text.encode(), _SCRIPT: script, **files}
        return builder.run(files, [builder.python, "-I", _SCRIPT], on_output=report)


def _check_interpreter(builder: Builder, platform: Platform) -> None:
    """Check that the builder has the runtime's interpreter, because images change."""
    outcome = builder.run({}, [builder.python, "--version"], on_output=lambda _: None)
    words = outcome.output.split()
    wanted = ".".join(map(str, platform.runtime.python_version or ()))
    if outcome.code or "".join(words[-1:]).rpartition(".")[0] != wanted:
        found = "none" if outcome.code else repr(" ".join(words))
        message = (
            f"{builder.name} cannot build for {platform.runtime}: expected Python {wanted}, found {found}"
        )
        raise CompileError.of(message, "set builder_image to an image of that runtime")


def _checked(outcome: BuildResult, sdist: Sdist, platform: Platform) -> tuple[str, bytes, object]:
    """Return the wheel of a build and its build requirements, checked against the package and platform."""
    record = json.loads(outcome.files.get("record.json", b"{}"))
    filename = record.get("wheel", "")
    data = outcome.files.get(filename)
    if data is None:
        raise CompileError.of(f"the build of {sdist} produced no wheel", _PIN_ANOTHER)
    try:
        name, version, *_ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise CompileError.of(f"the build of {sdist} produced {filename}: {error}", _PIN_ANOTHER) from None
    if (name, version) != (canonicalize_name(sdist.name), Version(sdist.version)):
        raise CompileError.of(f"the build of {sdist} produced {filename}, another package", _PIN_ANOTHER)
    if fit(filename, platform) is None:
        hint = "set builder_image to an image of the runtime"
        raise CompileError.of(
            f"the build of {sdist} produced {filename}, not compatible with {platform}", hint
        )
    return filename, data, record["requires"]


def _tail(outcome: BuildResult) -> str:
    lines = [line.rstrip() for line in outcome.output.splitlines() if line.strip()]
    shown = "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])
    return shown or f"    exit code {outcome.code}, no output"


@contextmanager
def _with_location(sdist: Sdist) -> Iterator[None]:
    """Add the location of the requirement to diagnostics without one."""
    try:
        yield
    except CompileError as error:
        located = (
            problem._replace(location=problem.location or sdist.location) for problem in error.problems
        )
        raise CompileError(*located) from error
