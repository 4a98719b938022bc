"""Makes locks: requirements and a platform go in, exact versions and the hashes of its files come out.

pip-tools decides the versions, as for `pip-compile` on the platform itself. The hashes come from the
index's own listing, and only of the files that the platform can use: its best wheel, and the sdist.
So what other platforms get, now or later, never changes a lock. A version with a wheel that fits is
preferred to a newer one without; where there is none, or the source is asked for, the lock lists the
sdist alone, so that nobody installs anything else.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from packaging.requirements import InvalidRequirement, Requirement

from entrypoint.errors import CompileError, Diagnostic, FetchError, Location, LockError
from entrypoint.index.candidates import IndexFile, choose, choose_sdist, usable, version_of
from entrypoint.index.incompatible import no_compatible_file, no_compatible_version
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.index.tags import marker_environment
from entrypoint.lock.header import inputs_hash
from entrypoint.lock.lock_file import Lock, raise_all, read_pinned, read_via
from entrypoint.lock.requirement_lines import logical_lines, shown
from entrypoint.lock.requirements import RequirementLine, RequirementSet, read_requirements
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be resolved, as lines of requirements files, and where from."""

    requirements: tuple[str, ...]
    options: IndexOptions = field(default_factory=IndexOptions)
    constraints: tuple[str, ...] = ()
    #: Versions to keep while they satisfy the rest.
    pins: tuple[str, ...] = ()
    upgrade_packages: tuple[str, ...] = ()


Ask = Callable[[str, str], bytes]
"""Gives the METADATA of a package and version that has to be compiled."""


class Describe(Protocol):
    """Whoever knows what a package needs that has to be compiled, without running its code here."""

    def __call__(self, name: str, version: str, *, location: Location) -> bytes:
        """Return the METADATA of a version; problems get the location of the requirement."""
        ...


class Engine(Protocol):
    """Finds versions: pip-compile or uv, in a process of its own."""

    @property
    def wheels_only(self) -> bool:
        """Whether a package's source counts only where it is asked for."""
        ...

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Return `name==version` lines with `# via` notes; raise UnresolvableError where there are none.

        What `ask` raises ends the search.
        """
        ...


class UnresolvableError(LockError):
    """There is no set of versions; `missing` are the requirements for which no file was found."""

    def __init__(self, *problems: Diagnostic, missing: tuple[str, ...] = ()) -> None:
        super().__init__(*problems)
        self.missing = missing


def resolve(
    requirements: Requirements,
    platform: Platform,
    *,
    engine: Engine,
    index: PackageIndex,
    describe: Describe,
    from_source: frozenset[str] = frozenset(),
    existing: Path | None = None,
    upgrade: bool = False,
    upgrade_packages: tuple[str, ...] = (),
    root: Path | None = None,
    folder: Path | None = None,
) -> Lock:
    """Lock a layer's requirements for a platform.

    Pins of the `existing` lock are kept while they satisfy the requirements, unless they are to be
    upgraded. Input files are named from `root` in messages, and from `folder`, the manifest's, in the
    lock, which must not depend on where the command was run.
    """
    asked = read_requirements(requirements, root=root, from_source=from_source)
    question = Question(
        requirements=tuple(map(str, asked.requirements)),
        options=asked.options,
        constraints=tuple(map(str, asked.constraints)),
        pins=() if existing is None or upgrade else _kept(existing, platform),
        upgrade_packages=upgrade_packages,
    )
    places = {line.name: line.location for line in reversed(asked.requirements)}

    def ask(name: str, version: str) -> bytes:
        return describe(name, version, location=places.get(name, requirements.location))

    def found(question: Question) -> tuple[Pin, ...]:
        try:
            with _listed_ahead(index, (*places, *(pin.partition("==")[0] for pin in question.pins))):
                answer = engine(question, platform, ask)
        except UnresolvableError as error:
            raise_all(_explained(error.missing, asked, requirements, platform, index))
            raise
        except (CompileError, FetchError) as error:
            raise_all([*_explained((), asked, requirements, platform, index), *error.problems])
        return _pins(answer, asked, requirements, platform)

    allowed = asked.options._replace(only_binary=(":all:",)) if engine.wheels_only else asked.options
    pins = _hashed(found, question, platform, index, allowed)
    if folder is not None:
        pins = tuple(replace(pin, via=tuple(_renamed(pin.via, root or Path(), folder))) for pin in pins)
    inputs = inputs_hash(asked.written, platform)
    return Lock(platform=platform, pins=pins, options=asked.options, inputs=inputs)


def _hashed(
    found: Callable[[Question], tuple[Pin, ...]],
    question: Question,
    platform: Platform,
    index: PackageIndex,
    options: IndexOptions,
) -> tuple[Pin, ...]:
    """Find versions, and their hashes; a version without a file to use is excluded, and others are found.

    pip-compile knows the platform exactly. uv knows some versions of glibc, and takes the next newer one.
    """
    nothing_to_use: LockError | None = None
    while True:
        try:
            pins = found(question)
        except UnresolvableError as error:
            raise nothing_to_use or error from None
        try:
            return _with_hashes(pins, platform, index, options)
        except LockError as error:
            excluded = tuple(_exclusions(pins, platform, index, options))
            if set(excluded) <= set(question.constraints):
                raise
            nothing_to_use = error
            question = replace(question, constraints=(*question.constraints, *excluded))


def _exclusions(
    pins: Iterable[Pin], platform: Platform, index: PackageIndex, options: IndexOptions
) -> Iterator[str]:
    """For each package whose pin has no file to use, write a constraint against all such versions of it."""
    for pin in pins:
        files = index.files(pin.name)
        if not usable(pin, files, platform, options):
            versions = sorted({version for file in files if (version := version_of(file.filename))})
            others = (replace(pin, version=str(version)) for version in versions)
            bad = (other.version for other in others if not usable(other, files, platform, options))
            yield f"{pin.name}{','.join(f'!={version}' for version in bad)}"


@contextmanager
def _listed_ahead(index: PackageIndex, names: Iterable[str]) -> Iterator[None]:
    """Have the index listed, where hashes are taken from afterwards, while the versions are being found."""
    pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="list")
    for name in dict.fromkeys(names):
        pool.submit(index.files, name)  # what goes wrong, goes wrong again for whoever needs the list
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _kept(existing: Path, platform: Platform) -> tuple[str, ...]:
    """Read the versions of an earlier lock; one that cannot be read has none worth keeping."""
    try:
        return tuple(map(str, read_pinned(existing, platform).pins)) if existing.is_file() else ()
    except LockError:
        return ()


def _pins(
    answer: str, asked: RequirementSet, requirements: Requirements, platform: Platform
) -> tuple[Pin, ...]:
    environment = marker_environment(platform)
    top_level: dict[str, list[RequirementLine]] = {}
    for line in (*asked.requirements, *asked.constraints):
        if line.applies(environment):
            top_level.setdefault(line.name, []).append(line)
    lines = tuple((text, requirements.location) for text, _ in logical_lines(answer))
    found = read_requirements(Requirements(lines=lines, location=requirements.location))
    via = read_via(answer)
    return tuple(
        Pin(
            name=line.name,
            version=next(iter(line.requirement.specifier)).version,
            location=top_level[line.name][0].location if line.name in top_level else requirements.location,
            via=_via(via.get(line.name, ()), top_level.get(line.name, ()), asked, requirements),
        )
        for line in sorted(found.requirements, key=lambda line: line.name)
    )


def _via(
    sources: Iterable[str],
    lines: Iterable[RequirementLine],
    asked: RequirementSet,
    requirements: Requirements,
) -> tuple[str, ...]:
    """Name the user's own files where pip-compile names the ones it was handed."""
    packages = {source for source in sources if not source.startswith("-")}
    flag = {True: "-c ", False: "-r " if requirements.files else ""}
    return tuple(
        sorted(packages | {f"{flag[line in asked.constraints]}{line.location.file}" for line in lines})
    )


def _renamed(via: Iterable[str], root: Path, folder: Path) -> Iterable[str]:
    """Name input files from `folder` instead of from `root`; packages stay as they are."""
    for source in via:
        flag, _, file = source.rpartition(" ")
        path = root / file
        yield f"{flag} {shown(path, folder)}".strip() if path.is_file() else source


def _with_hashes(
    pins: Iterable[Pin], platform: Platform, index: PackageIndex, options: IndexOptions
) -> tuple[Pin, ...]:
    def hashed(pin: Pin) -> Pin | Diagnostic:
        try:
            return _with_hashes_of(pin, platform, index, options)
        except FetchError as error:
            return error.problems[0]._replace(location=pin.location)

    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="list") as pool:
        results = list(pool.map(hashed, pins))
    raise_all(dict.fromkeys(result for result in results if isinstance(result, Diagnostic)))
    return tuple(result for result in results if isinstance(result, Pin))


def _with_hashes_of(
    pin: Pin, platform: Platform, index: PackageIndex, options: IndexOptions
) -> Pin | Diagnostic:
    pin = replace(pin, from_source=options.wants_source(pin.name))
    files = index.files(pin.name)
    wheel = None if pin.from_source else choose(pin, files, platform)
    sdist = choose_sdist(pin, files, platform)
    if wheel is None and (sdist is None or options.refuses_source(pin.name)):
        return no_compatible_file(pin, files, platform)
    digests = frozenset(f"sha256:{_sha256(file, index)}" for file in (wheel, sdist) if file)
    return replace(pin, hashes=digests, from_source=wheel is None)


def _sha256(file: IndexFile, index: PackageIndex) -> str:
    """Take the listed hash; where an index lists none, as a plain folder does, the file itself is read."""
    if file.sha256:
        return file.sha256
    with tempfile.TemporaryDirectory(prefix="lambda-layers-hash-") as folder:
        return index.download(file, Path(folder) / "file")


def _explained(
    missing: Iterable[str],
    asked: RequirementSet,
    requirements: Requirements,
    platform: Platform,
    index: PackageIndex,
) -> Iterable[Diagnostic]:
    """Find the requirements for which the platform has no file at all; pip tells less about them."""
    environment: Mapping[str, str] = marker_environment(platform)
    lines = {line.name: line for line in asked.requirements if line.applies(environment)}
    for text in missing:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        line = RequirementLine(requirement=requirement, hashes=frozenset(), location=requirements.location)
        lines.setdefault(line.name, line)
    for line in lines.values():
        if problem := no_compatible_version(
            line.requirement, line.location, index.files(line.name), platform, asked.options
        ):
            yield problem
