"""Makes locks: requirements and a platform -> exact versions and the hashes of their files.

The engine finds the versions, as `pip-compile` does on the platform itself. The hashes come from the
listing of the index, and only for the files that the platform can use: its best wheel, and the sdist. So a
file for another platform, now or later, never changes a lock. A version with a compatible wheel is
preferred to a newer one without. If there is no compatible wheel, or the source is required, the lock
allows only the sdist.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from packaging.requirements import InvalidRequirement

from entrypoint.errors import CompileError, Diagnostic, FetchError, LockError
from entrypoint.index.candidates import yank_reason
from entrypoint.index.incompatible import no_compatible_version
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.index.requirement import read_requirement
from entrypoint.index.sources import SourceFolder
from entrypoint.index.tags import marker_environment
from entrypoint.lock.cooldown import unused_cutoffs
from entrypoint.lock.engine import Describe, Engine, Question, UnresolvableError
from entrypoint.lock.hashes import exclusions, with_hashes
from entrypoint.lock.header import inputs_hash
from entrypoint.lock.indexes import strangers, wrong_index, wrong_indexes
from entrypoint.lock.input_files import display_path
from entrypoint.lock.lock_file import Lock, raise_all, read_pinned, read_via
from entrypoint.lock.requirement_lines import logical_lines
from entrypoint.lock.requirements import LocatedRequirement, RequirementSet, read_requirements
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

_CONNECTIONS = 8


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

    Pins of the `existing` lock are kept if they satisfy the requirements, unless they are to be upgraded.
    Paths of input files are relative to `root` in messages, and in the lock to `folder`, the manifest's, so
    that the lock does not depend on the working directory.

    Raises:
        ManifestError: the requirements are invalid.
        LockError: there is no resolution, or a version has no compatible file.
    """
    parsed = read_requirements(requirements, root=root, from_source=from_source)
    inputs = inputs_hash(parsed.lines, platform)
    if not parsed.requirements:
        return Lock(platform=platform, pins=(), options=parsed.options, inputs=inputs)
    kept = () if existing is None or upgrade else _kept(existing, platform, index)
    kept = tuple(pin for pin in kept if not parsed.options.direct_of(pin.partition("==")[0]))
    pins = resolve_set(
        parsed,
        requirements,
        platform,
        engine=engine,
        index=index,
        describe=describe,
        kept=kept,
        upgrade_packages=upgrade_packages,
    )
    if folder is not None:
        pins = tuple(replace(pin, via=tuple(_relative_to(pin.via, root or Path(), folder))) for pin in pins)
    return Lock(platform=platform, pins=pins, options=parsed.options, inputs=inputs)


def resolve_set(
    parsed: RequirementSet,
    requirements: Requirements,
    platform: Platform,
    *,
    engine: Engine,
    index: PackageIndex,
    describe: Describe,
    kept: tuple[str, ...] = (),
    upgrade_packages: tuple[str, ...] = (),
) -> tuple[Pin, ...]:
    """Pin a set of requirements, which was read from `requirements`; `kept` are versions to keep.

    Raises:
        LockError: there is no resolution, or a version has no compatible file.
    """
    raise_all(
        [
            *_variables_in(parsed),
            *wrong_indexes(parsed.lines, index, requirements.location),
            *unused_cutoffs(index, parsed.options, requirements.location),
        ]
    )
    question = Question(
        requirements=tuple(map(str, parsed.requirements)),
        options=parsed.options,
        constraints=tuple(map(str, parsed.constraints)),
        pins=kept,
        upgrade_packages=upgrade_packages,
        sources=_sources(parsed, index, requirements),
    )
    locations = {line.name: line.location for line in reversed(parsed.requirements)}

    def ask(name: str, version: str) -> bytes:
        return describe(name, version, locations.get(name, requirements.location))

    def find(question: Question) -> tuple[Pin, ...]:
        try:
            with _prefetched(index, (*locations, *(pin.partition("==")[0] for pin in question.pins))):
                answer = engine(question, platform, ask)
        except UnresolvableError as error:
            raise_all(_incompatible(error.missing, parsed, requirements, platform, index))
            raise
        except (CompileError, FetchError) as error:
            raise_all([*_incompatible((), parsed, requirements, platform, index), *error.problems])
        return _pins(question.without_urls(answer), parsed, requirements, platform)

    allowed = parsed.options._replace(only_binary=(":all:",)) if engine.wheels_only else parsed.options
    pins = _hashed(find, question, platform, index, allowed)
    raise_all(strangers(pins, index))
    return pins


def _sources(parsed: RequirementSet, index: PackageIndex, requirements: Requirements) -> dict[str, str]:
    """Return the source archives of folders and commits, by name.

    Raises:
        LockError: with every one that cannot be fetched or read, or has an index that is not used.
    """
    locations = {line.name: line.location for line in reversed(parsed.requirements)}
    found: dict[str, str] = {}
    problems: list[Diagnostic] = []
    for name in sorted(parsed.options.built):
        location = locations.get(name, requirements.location)
        try:
            file = index.files(name)[0]
            found[name] = file.filename
            for named in index.stated_indexes(file):
                problems += wrong_index(named, index, location)
        except FetchError as error:
            problems += (problem._replace(location=location) for problem in error.problems)
    raise_all(problems)
    return found


def _variables_in(parsed: RequirementSet) -> Iterator[Diagnostic]:
    """Yield the requirements that pip and uv would put environment variables into, to print them later."""
    for line in (*parsed.requirements, *parsed.constraints):
        if "${" in str(line.requirement):
            hint = "write the text itself; only index URLs and --find-links may have variables"
            yield Diagnostic("a requirement cannot have ${...}", hint, line.location)


def _hashed(
    find: Callable[[Question], tuple[Pin, ...]],
    question: Question,
    platform: Platform,
    index: PackageIndex,
    options: IndexOptions,
) -> tuple[Pin, ...]:
    """Find versions and their hashes; exclude a version without a compatible file, and find others.

    pip-compile resolves for the exact platform. uv supports only some versions of glibc, and is given the
    next newer one.
    """
    incompatible: LockError | None = None
    while True:
        try:
            pins = find(question)
        except UnresolvableError as error:
            raise incompatible or error from None
        try:
            return with_hashes(pins, platform, index, options)
        except LockError as error:
            excluded = tuple(exclusions(pins, platform, index, options))
            if set(excluded) <= set(question.constraints):
                raise
            incompatible = error
            question = replace(question, constraints=(*question.constraints, *excluded))


@contextmanager
def _prefetched(index: PackageIndex, names: Iterable[str]) -> Iterator[None]:
    """Request the listings of the index, which have the hashes, while the engine finds the versions."""
    pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="list")
    for name in dict.fromkeys(names):
        pool.submit(index.files, name)  # an error occurs again when the listing is used
    waits = True  # for what is on its way, which would open connections after the index is closed
    try:
        yield
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=True)


def _kept(existing: Path, platform: Platform, index: PackageIndex) -> tuple[str, ...]:
    """Return the pins of the existing lock, without yanked ones; none if it cannot be read."""
    try:
        pins = read_pinned(existing, platform).pins if existing.is_file() else ()
    except LockError:
        return ()

    def stays(pin: Pin) -> bool:
        try:
            return yank_reason(pin, index.files(pin.name)) is None
        except FetchError:  # reported when the listing is used
            return True

    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="list") as pool:
        return tuple(str(pin) for pin, good in zip(pins, pool.map(stays, pins), strict=True) if good)


def _pins(
    answer: str, parsed: RequirementSet, requirements: Requirements, platform: Platform
) -> tuple[Pin, ...]:
    environment = marker_environment(platform)
    top_level: dict[str, list[LocatedRequirement]] = {}
    for line in (*parsed.requirements, *parsed.constraints):
        if line.applies(environment):
            top_level.setdefault(line.name, []).append(line)
    lines = tuple((text, requirements.location) for text, _ in logical_lines(answer))
    resolved = read_requirements(Requirements(lines=lines, location=requirements.location))
    via = read_via(answer)
    return tuple(
        Pin(
            name=line.name,
            version=line.version,
            is_folder=isinstance(parsed.options.direct_of(line.name), SourceFolder),
            location=top_level[line.name][0].location if line.name in top_level else requirements.location,
            via=_via(via.get(line.name, ()), top_level.get(line.name, ()), parsed, requirements),
        )
        for line in sorted(resolved.requirements, key=lambda line: line.name)
    )


def _via(
    sources: Iterable[str],
    lines: Iterable[LocatedRequirement],
    parsed: RequirementSet,
    requirements: Requirements,
) -> tuple[str, ...]:
    """Name the user's files instead of the temporary ones that the engine was given."""
    packages = {source for source in sources if not source.startswith("-")}
    flag = {True: "-c ", False: "-r " if requirements.files else ""}
    return tuple(
        sorted(packages | {f"{flag[line in parsed.constraints]}{line.location.file}" for line in lines})
    )


def _relative_to(via: Iterable[str], root: Path, folder: Path) -> Iterable[str]:
    """Make paths of input files relative to `folder` instead of `root`; leave packages unchanged."""
    for source in via:
        flag, _, file = source.rpartition(" ")
        path = root / file
        yield f"{flag} {display_path(path, folder)}".strip() if path.is_file() else source


def _incompatible(
    missing: Iterable[str],
    parsed: RequirementSet,
    requirements: Requirements,
    platform: Platform,
    index: PackageIndex,
) -> Iterable[Diagnostic]:
    """Yield the requirements without any file for the platform; the engines' messages say less."""
    environment: Mapping[str, str] = marker_environment(platform)
    lines = {line.name: line for line in parsed.requirements if line.applies(environment)}
    for text in missing:
        try:
            requirement = read_requirement(text)
        except InvalidRequirement:
            continue
        line = LocatedRequirement(requirement=requirement, hashes=frozenset(), location=requirements.location)
        lines.setdefault(line.name, line)
    for line in lines.values():
        if problem := no_compatible_version(
            line.requirement, line.location, index.files(line.name), platform, parsed.options
        ):
            yield problem
