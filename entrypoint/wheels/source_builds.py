"""Compile packages without a compatible wheel: an sdist goes in, a wheel for the platform comes out.

A `Builder` compiles on the system of the runtime: in a container of its build image, or on this machine
if the operator allows it. It gets the sdist and the wheels of its build requirements, and nothing else. The
result is cached under everything that determines it (sdist, platform, builder, system packages and build
requirements), so that later runs on this machine need no builder.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from entrypoint.cache import Cache
from entrypoint.errors import CompileError, Diagnostic
from entrypoint.lock.build_requirements import BuildSections, as_json, sections_of
from entrypoint.wheels.build_environment import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.build_job import build_job, check_interpreter, install_packages
from entrypoint.wheels.build_plan import BuildPlan, BuildRequirements, Chain, extended
from entrypoint.wheels.build_result import answer_of, checked, missing, tail
from entrypoint.wheels.build_wheel import ASKS, NOTE
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.built_wheels import BuiltWheels, built_key, pure_key
from entrypoint.wheels.fetch import Sdist, Wheel
from entrypoint.wheels.sdist import build_system

_PARALLEL_BUILDS = 2
_PIN_ANOTHER = "pin a version that has a wheel"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Build:
    """One build: the sdist, how it is built, and the wheels that it gets."""

    sdist: Sdist
    plan: BuildPlan
    chain: Chain
    builder: Builder
    wheels: tuple[Wheel, ...]
    #: The key of its wheel if that has no compiled code.
    pure: str


class _Asked(NamedTuple):
    """What a backend asks for before it builds: untrusted JSON."""

    requires: Any


class Compiler:
    """Compiles each sdist once, two at a time. Threads may share it."""

    def __init__(
        self,
        builders: Builders,
        requirements: BuildRequirements,
        *,
        cache: Path,
        say: Callable[[str], None],
        warn: Callable[[Iterable[Diagnostic]], None],
    ) -> None:
        self._builders = builders
        self._requirements = requirements
        self._built = BuiltWheels(cache)
        self._cache = Cache(cache)
        self._say = say
        self._warn = warn
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._at_once = threading.Semaphore(_PARALLEL_BUILDS)
        self._prepared: set[BuildEnvironment] = set()

    def wheel(
        self, sdist: Sdist, plan: BuildPlan, *, chain: Chain = (), why: Callable[[], str] = str
    ) -> Wheel:
        """Return the wheel of an sdist, compiled unless it is in the cache.

        `chain` are the packages that it is built for, and itself. `why` explains why no wheel is compatible;
        it is called only if no builder is available.

        Raises:
            CompileError: if it cannot be compiled, or the result is not a wheel of this package and platform.
        """
        with _with_location(sdist):
            chain = chain or extended((), sdist)
            sections = self._known_sections(sdist, plan, chain)
            decisive = plan.added.get(sdist.name, ()) if sections is None else as_json(sections)
            key, pure = (make(sdist, plan.environment, decisive) for make in (built_key, pure_key))
            if known := self._built.find(key, sdist, self._builders.identity(plan.environment)):
                return known
            if known := self._built.find_pure(pure, sdist):
                return known
            # Outside of the lock, like what a backend asks for: these builds lock their own keys.
            sections = sections if sections is not None else self._pinned_now(sdist, plan, chain)
            builder = self._open(plan.environment, sdist, why)
            if reason := why():
                self._say(f"{sdist} is compiled, which can take minutes: {reason}")
            wheels = self._wheels(sections, plan, chain)
            build = _Build(sdist=sdist, plan=plan, chain=chain, builder=builder, wheels=wheels, pure=pure)
            outcome = self._compiled(build, key, asked=False)
            if isinstance(outcome, _Asked):
                outcome = self._compiled(self._with_asked(build, outcome.requires), key, asked=True)
            if isinstance(outcome, _Asked):
                raise CompileError.of(f"the build of {sdist} asks for more again and again", _PIN_ANOTHER)
            return outcome

    def pin(
        self, sdist: Sdist, plan: BuildPlan, chain: Chain = (), asked: tuple[str, ...] = ()
    ) -> BuildSections:
        """Resolve the build requirements of an sdist; see `BuildRequirements.pin`."""

        def compiled(nested: Sdist, chain: Chain) -> Wheel:
            return self.wheel(nested, plan, chain=chain)

        chain = chain or extended((), sdist)
        return self._requirements.pin(sdist, plan, chain, compile=compiled, asked=asked)

    def _known_sections(self, sdist: Sdist, plan: BuildPlan, chain: Chain) -> BuildSections | None:
        """Return the pinned build requirements; None if they are not pinned, and not resolved yet."""
        if plan.sections is not None:
            return sections_of(_name(sdist), plan.sections)
        return self.pin(sdist, plan, chain) if plan.strict else None

    def _pinned_now(
        self, sdist: Sdist, plan: BuildPlan, chain: Chain, asked: tuple[str, ...] = ()
    ) -> BuildSections:
        sections = self.pin(sdist, plan, chain, asked)
        if sections[chain[-1]]:
            message = f"no lock pins the build requirements of {sdist}"
            hint = "to pin them, let lambda-layers lock make the lock"
            self._warn([Diagnostic(message, hint, sdist.location)])
        return sections

    def _wheels(self, sections: BuildSections, plan: BuildPlan, chain: Chain) -> tuple[Wheel, ...]:
        plan = replace(plan, sections=sections)
        files = self._requirements.files(sections[chain[-1]], plan)
        return tuple(
            file if isinstance(file, Wheel) else self.wheel(file, plan, chain=extended(chain, file))
            for file in files
        )

    def _compiled(self, build: _Build, key: str, *, asked: bool) -> "Wheel | _Asked":
        """Return the wheel, or what the backend asks for; with `asked`, it has all that it asked for."""
        sdist, plan, builder = build.sdist, build.plan, build.builder
        with self._lock_of(key), self._cache.incoming() as results:
            if known := self._built.find(key, sdist, builder.identity):
                return known
            result = self._build(build, results, asked=asked)
            if result.code == ASKS:
                return _Asked(answer_of(result, sdist).get("requires", ()))
            if result.code:
                where = f"{plan.environment.platform} in {builder.name}"
                message = f"{sdist} cannot be compiled for {where}:\n{tail(result)}"
                hint = f"add what is missing to system_packages or build_requirements, or {_PIN_ANOTHER}"
                raise CompileError.of(message, hint)
            built = checked(result, sdist, plan.environment.platform)
            self._say(f"compiled {built.name}, {built.stat().st_size / 1e3:,.0f} kB")
            return self._built.keep(key, build.pure, sdist, built, _built_from(build))

    def _with_asked(self, build: _Build, asked: Any) -> _Build:  # noqa: ANN401 - untrusted JSON
        sdist, plan = build.sdist, build.plan
        more = missing(asked, build.wheels, sdist, plan.environment.platform)
        if not more:
            return build
        if plan.strict:
            message = f"the build of {sdist} asks for {', '.join(more)}, which the lock does not pin"
            listed = ", ".join(f'"{text}"' for text in more)
            key = f"build_requirements: {{{sdist.name}: [{listed}]}}"
            hint = f"add this to the layer, and run lambda-layers lock: {key}"
            raise CompileError.of(message, hint)
        self._say(f"{sdist} asks for {', '.join(more)}")
        sections = self._pinned_now(sdist, plan, build.chain, more)
        return replace(build, wheels=self._wheels(sections, plan, build.chain))

    def _build(self, build: _Build, results: Path, *, asked: bool) -> BuildResult:
        sdist, system = build.sdist, build_system(build.sdist.path)
        job = {
            "sdist": sdist.filename,
            "backend": system.backend,
            "backend_path": system.backend_path,
            "wheels": {wheel.filename: wheel.sha256 for wheel in build.wheels},
            "asked": asked,
        }
        files = {
            sdist.filename: sdist.path,
            **{f"wheels/{wheel.filename}": wheel.path for wheel in build.wheels},
        }
        environment = build.plan.environment
        command, inputs = build_job(job, files, build.builder.python, environment.platform)
        with self._at_once:
            self._say(f"compiling {sdist} for {build.plan.wanted_by} in {build.builder.name}")
            notes = self._notes_of(str(sdist))
            result = build.builder.run(inputs, command, results=results, on_output=notes)
        check_interpreter(result, build.builder.name, environment.platform)
        return result

    def _open(self, environment: BuildEnvironment, sdist: Sdist, why: Callable[[], str]) -> Builder:
        with self._lock_of(repr(environment)):
            try:
                builder = self._builders.open(environment)
            except CompileError as error:
                reason = f" ({text})" if (text := why()) else ""
                needed = f"{sdist} must be compiled for {environment.platform}{reason}"
                problems = [p._replace(message=f"{needed}, but {p.message}") for p in error.problems]
                raise CompileError(*problems) from error
            if environment.system_packages and environment not in self._prepared:
                with self._cache.incoming() as results:
                    install_packages(
                        environment,
                        environment.system_packages,
                        builder=builder,
                        builders=self._builders,
                        results=results,
                        on_output=self._notes_of(builder.name),
                    )
                self._prepared.add(environment)
            return builder

    def _lock_of(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())

    def _notes_of(self, subject: str) -> Callable[[str], None]:
        def report(line: str) -> None:
            if line.startswith(NOTE):
                self._say(f"{subject}: {line.removeprefix(NOTE)}")

        return report


def _name(sdist: Sdist) -> str:
    return f"{sdist.name}=={sdist.version}"


def _built_from(build: _Build) -> dict[str, object]:
    """Return the record of how a wheel was built."""
    return {
        "sdist": build.sdist.filename,
        "sha256": build.sdist.sha256,
        "builder": {"name": build.builder.name, "id": build.builder.identity},
        "systemPackages": list(build.plan.environment.system_packages),
        "buildRequirements": [
            {"name": wheel.name, "version": wheel.version, "sha256": wheel.sha256} for wheel in build.wheels
        ],
    }


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
