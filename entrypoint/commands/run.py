"""What every command is given: the project, the outside world, and how the run is to go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from entrypoint.aws.model import ChangesLambda
from entrypoint.index.candidates import Index
from entrypoint.index.options import IndexOptions
from entrypoint.layer.bytecode import Interpreter
from entrypoint.lock.advisories import Advisory
from entrypoint.lock.project import Project
from entrypoint.lock.resolve import Compile
from entrypoint.manifest.model import Destination
from entrypoint.manifest.runtimes import Runtime
from entrypoint.release.alarms import Watches
from entrypoint.release.doctor import Diagnoses
from entrypoint.report.console import Console
from entrypoint.wheels.source_builds import Builders, Compiler


class FindInterpreter(Protocol):
    """Finds a Python of a runtime's version."""

    def __call__(self, runtime: Runtime, *, insist: bool) -> Interpreter | None:
        """Return one that is at hand; to insist is to fetch an image for it where none is."""
        ...


class Advisories(Protocol):
    """Tells what is known against packages."""

    def __call__(self, packages: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Advisory]]:
        """Return the advisories of each name and version."""
        ...


class Aws(ChangesLambda, Watches, Diagnoses, Protocol):
    """One account and region of AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a command; the edges are reached when they are first asked for."""

    project: Project
    console: Console
    index: Callable[[IndexOptions], Index]
    #: Gives what asks the database of vulnerabilities at an address.
    advisories: Callable[[str], Advisories]
    compile: Compile
    compiler: Compiler
    #: Places where code runs as it would in a runtime.
    builders: Builders
    aws: Callable[[Destination], Aws]
    default_region: Callable[[], str]
    #: Where wheels, and what was found out about them, are kept.
    cache: Path
    #: Where the Pythons are that make bytecode.
    interpreter: FindInterpreter
    #: Refuse to resolve: every target needs a lock that is in step.
    locked: bool = False
