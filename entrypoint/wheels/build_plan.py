"""How packages of a target are built from source, and the pinning of what their builds require.

Build requirements are found by this process: those that an sdist declares (PEP 518) and those that the layer
adds are resolved like a layer's requirements, for the same platform. A build gets their wheels, not access to
an index.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from entrypoint.errors import CompileError, LockError, ManifestError
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.index.requirement import read_requirement
from entrypoint.lock.build_requirements import BuildSections, KeptBuilds
from entrypoint.lock.engine import Engine
from entrypoint.lock.lock_file import Lock
from entrypoint.lock.requirements import read_requirements
from entrypoint.lock.resolve import resolve_set
from entrypoint.manifest.model import Requirements
from entrypoint.wheels.build_environment import BuildEnvironment
from entrypoint.wheels.fetch import Sdist, Wheel, fetch
from entrypoint.wheels.metadata import Metadata
from entrypoint.wheels.sdist import BuildSystem, build_system

Chain = tuple[str, ...]
"""The packages that are being built, each as a build requirement of the one before it."""

#: Before this version, setuptools needs the package wheel, and asks for it only when it runs.
_BUILDS_WHEELS = Version("70.1")
_WHEEL = "wheel<0.46"
_DEEPEST = 10
_PIN_ANOTHER = "pin a version that has a wheel"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """How packages of a target are built."""

    environment: BuildEnvironment
    #: The indexes of the target's lock.
    options: IndexOptions
    #: The target, in messages.
    wanted_by: str
    #: Requirements to add, by the canonical name of the package that is built.
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The build requirements that the lock pins; None if they are to be resolved now.
    sections: BuildSections | None = None
    #: Fail if a backend asks for more than is pinned; otherwise resolve it now.
    strict: bool = True
    kept: KeptBuilds = field(default_factory=KeptBuilds)

    @property
    def index_options(self) -> IndexOptions:
        """The indexes of build requirements; which packages of the layer are compiled is of no interest."""
        return self.options._replace(no_binary=(), only_binary=())


class BuildRequirements:
    """Pins and downloads build requirements. Threads may share it."""

    def __init__(self, *, index: Callable[[IndexOptions], PackageIndex], engine: Engine, cache: Path) -> None:
        self._index = index
        self._engine = engine
        self._cache = cache
        self._pinned: dict[tuple[object, ...], tuple[Pin, ...]] = {}

    def pin(
        self,
        sdist: Sdist,
        plan: BuildPlan,
        chain: Chain,
        *,
        compile: Callable[[Sdist, Chain], Wheel],  # noqa: A002 - as in Metadata
        asked: tuple[str, ...] = (),
    ) -> BuildSections:
        """Resolve the build requirements of an sdist, and of those that are built from source themselves.

        `chain` ends with the sdist; `compile` builds packages whose metadata is not known otherwise.

        Raises:
            CompileError: if they cannot be resolved.
        """
        declared = build_system(sdist.path).requires
        texts = dict.fromkeys((*declared, *plan.added.get(canonicalize_name(sdist.name), ()), *asked))
        if not texts:
            return {chain[-1]: ()}
        metadata = Metadata(
            index=self._index(plan.index_options),
            platform=plan.environment.platform,
            cache=self._cache,
            compile=lambda nested: compile(nested, extended(chain, nested)),
        )
        pins = self._resolved(sdist, tuple(texts), plan, metadata)
        sections = {chain[-1]: pins}
        for nested in self.files(pins, plan):
            if isinstance(nested, Sdist):
                sections |= self.pin(nested, plan, extended(chain, nested), compile=compile)
        return sections

    def files(self, pins: tuple[Pin, ...], plan: BuildPlan) -> tuple[Wheel | Sdist, ...]:
        """Return the files of pinned build requirements, downloaded unless the cache has them.

        Raises:
            FetchError: with every file that is missing, or whose hash is not the pinned one.
        """
        platform, options = plan.environment.platform, plan.index_options
        lock = Lock(platform=platform, pins=pins, options=options, inputs="build requirements")
        return fetch(lock, platform, index=self._index(options), cache=self._cache) if pins else ()

    def _resolved(
        self, sdist: Sdist, texts: tuple[str, ...], plan: BuildPlan, metadata: Metadata
    ) -> tuple[Pin, ...]:
        lines = tuple(sorted(map(str, parse(texts, sdist))))
        options, kept = plan.index_options, plan.kept.pins(sdist.name)
        system = build_system(sdist.path)
        key = (lines, system.backend, metadata.platform, options, kept, plan.kept.upgrade_packages)
        if key not in self._pinned:
            with _explained(sdist):
                pins = self._resolve(lines, sdist, plan, metadata)
                if _needs_wheel(system, pins):
                    pins = self._resolve((*lines, _WHEEL), sdist, plan, metadata)
            self._pinned[key] = pins
        return self._pinned[key]

    def _resolve(
        self, lines: tuple[str, ...], sdist: Sdist, plan: BuildPlan, metadata: Metadata
    ) -> tuple[Pin, ...]:
        located = tuple((line, sdist.location) for line in lines)
        requirements = Requirements(lines=located, location=sdist.location)
        parsed = read_requirements(requirements)
        return resolve_set(
            replace(parsed, lines=parsed.lines._replace(options=plan.index_options)),
            requirements,
            metadata.platform,
            engine=self._engine,
            index=metadata.index,
            describe=metadata,
            kept=plan.kept.pins(sdist.name),
            upgrade_packages=plan.kept.upgrade_packages,
        )


def parse(texts: tuple[str, ...], sdist: Sdist) -> tuple[Requirement, ...]:
    """Parse requirements that an sdist declares or its backend asks for; they may be anything.

    Raises:
        CompileError: if one is not a requirement of a named package.
    """
    found = []
    for text in texts:
        try:
            requirement = read_requirement(text)
        except InvalidRequirement:
            raise CompileError.of(
                f"{sdist} has the invalid build requirement {text!r}", _PIN_ANOTHER
            ) from None
        if requirement.url or "$" in text:
            message = f"{sdist} has the build requirement {text!r}, which is not a package of an index"
            raise CompileError.of(message, _PIN_ANOTHER)
        found.append(requirement)
    return tuple(found)


def extended(chain: Chain, sdist: Sdist) -> Chain:
    """Add a package to the chain of those that are being built.

    Raises:
        CompileError: if it is already being built, or the chain is too long.
    """
    longer = (*chain, f"{sdist.name}=={sdist.version}")
    if longer[-1] in chain or len(longer) > _DEEPEST:
        how = "requires itself" if longer[-1] in chain else f"requires more than {_DEEPEST} builds"
        message = f"the build of {longer[0]} {how}: {' -> '.join(longer)}"
        hint = "add a version of a build requirement that has a wheel to build_requirements"
        raise CompileError.of(message, hint, sdist.location)
    return longer


def _needs_wheel(system: BuildSystem, pins: tuple[Pin, ...]) -> bool:
    versions = {pin.name: Version(pin.version) for pin in pins}
    is_setuptools = system.backend.partition(":")[0].split(".")[0] == "setuptools"
    return (
        is_setuptools
        and "wheel" not in versions
        and versions.get("setuptools", _BUILDS_WHEELS) < _BUILDS_WHEELS
    )


@contextmanager
def _explained(sdist: Sdist) -> Iterator[None]:
    """Say which package the build requirements belong to."""
    try:
        yield
    except (LockError, ManifestError) as error:
        raise CompileError(
            *(
                problem._replace(
                    message=f"the build requirements of {sdist} cannot be resolved: {problem.message}",
                    location=sdist.location,
                )
                for problem in error.problems
            )
        ) from error
