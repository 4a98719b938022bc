"""Makes locks: requirements and a platform go in, exact versions and the hashes of its files come out.

pip-tools decides the versions, as for `pip-compile` on the platform itself. The hashes come from the
index's own listing, and only of the files that the platform can use: its best wheel, and the sdist.
So what other platforms get, now or later, never changes a lock.
"""

import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version

from entrypoint.build.candidates import Index, IndexFile, choose, version_of
from entrypoint.build.lock import Lock, Pin, inputs_hash, raise_all, read_pinned, read_via
from entrypoint.build.misfits import no_fitting_version, no_fitting_wheel
from entrypoint.build.requirement_options import IndexOptions
from entrypoint.build.requirements import (
    RequirementLine,
    RequirementSet,
    logical_lines,
    read_requirements,
    shown,
)
from entrypoint.build.tags import marker_environment
from entrypoint.errors import FetchError, LockError, Problem
from entrypoint.manifest import Requirements
from entrypoint.runtimes import Platform

_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be resolved, as lines of requirements files."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    #: Versions to keep while they satisfy the rest.
    pins: tuple[str, ...] = ()
    upgrade_packages: tuple[str, ...] = ()


class Compile(Protocol):
    """Whoever finds versions: pip-compile, in a process of its own."""

    def __call__(self, question: Question, platform: Platform) -> str:
        """Return `name==version` lines with `# via` notes; raise UnresolvableError where there are none."""
        ...


class UnresolvableError(LockError):
    """There is no set of versions; `missing` are the requirements for which no file was found."""

    def __init__(self, *problems: Problem, missing: tuple[str, ...] = ()) -> None:
        super().__init__(*problems)
        self.missing = missing


def resolve(
    requirements: Requirements,
    platform: Platform,
    *,
    compile: Compile,  # noqa: A002 - the word of the field for this step
    index: Index,
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
    asked = read_requirements(requirements, root=root)
    question = Question(
        requirements=(*_option_lines(asked.options), *map(str, asked.requirements)),
        constraints=tuple(map(str, asked.constraints)),
        pins=() if existing is None or upgrade else _kept(existing, platform),
        upgrade_packages=upgrade_packages,
    )
    try:
        answer = compile(question, platform)
    except UnresolvableError as error:
        raise_all(_explained(error, asked, requirements, platform, index))
        raise
    pins = _pins(answer, asked, requirements, platform)
    if folder is not None:
        pins = tuple(replace(pin, via=tuple(_renamed(pin.via, root or Path(), folder))) for pin in pins)
    return Lock(
        platform=platform,
        pins=_with_hashes(pins, platform, index),
        options=asked.options,
        inputs=inputs_hash(asked, platform),
    )


def _option_lines(options: IndexOptions) -> Iterable[str]:
    """Write the options for pip's own reader; `${NAME}` is left for it to fill in."""
    if options.no_binary:
        packages = ", ".join(options.no_binary)
        remedy = "remove the option; packages are not compiled from source yet"
        raise LockError(Problem(f"--no-binary {packages} asks for a build from source", remedy))
    if options.index_url:
        yield f"--index-url {options.index_url}"
    yield from (f"--extra-index-url {url}" for url in options.extra_index_urls)
    yield from (f"--find-links {place}" for place in options.find_links)
    yield from (f"--trusted-host {host}" for host in options.trusted_hosts)
    switches = {
        "--no-index": options.no_index,
        "--pre": options.pre,
        "--prefer-binary": options.prefer_binary,
    }
    yield from (switch for switch, is_on in switches.items() if is_on)


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
    lines = tuple((text, requirements.place) for text, _ in logical_lines(answer))
    found = read_requirements(Requirements(lines=lines, place=requirements.place))
    via = read_via(answer)
    return tuple(
        Pin(
            name=line.name,
            version=next(iter(line.requirement.specifier)).version,
            place=top_level[line.name][0].place if line.name in top_level else requirements.place,
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
    return tuple(sorted(packages | {f"{flag[line in asked.constraints]}{line.place.file}" for line in lines}))


def _renamed(via: Iterable[str], root: Path, folder: Path) -> Iterable[str]:
    """Name input files from `folder` instead of from `root`; packages stay as they are."""
    for source in via:
        flag, _, file = source.rpartition(" ")
        path = root / file
        yield f"{flag} {shown(path, folder)}".strip() if path.is_file() else source


def _with_hashes(pins: Iterable[Pin], platform: Platform, index: Index) -> tuple[Pin, ...]:
    def hashed(pin: Pin) -> Pin | Problem:
        try:
            return _with_hashes_of(pin, platform, index)
        except FetchError as error:
            return replace(error.problems[0], place=pin.place)

    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="list") as pool:
        results = list(pool.map(hashed, pins))
    raise_all(dict.fromkeys(result for result in results if isinstance(result, Problem)))
    return tuple(result for result in results if isinstance(result, Pin))


def _with_hashes_of(pin: Pin, platform: Platform, index: Index) -> Pin | Problem:
    files = index.files(pin.name)
    wheel = choose(pin, files, platform)
    if wheel is None:
        return no_fitting_wheel(pin, files, platform)
    usable = [wheel, *_sdists(pin, files)[:1]]
    return replace(pin, hashes=frozenset(f"sha256:{_sha256(file, index)}" for file in usable))


def _sdists(pin: Pin, files: Iterable[IndexFile]) -> list[IndexFile]:
    """Find the sources of a version, .tar.gz (the format of PEP 625) before .zip."""
    sources = [
        file
        for file in files
        if not file.filename.endswith(".whl") and version_of(file.filename) == Version(pin.version)
    ]
    return sorted(sources, key=lambda file: (not file.filename.endswith(".tar.gz"), file.filename))


def _sha256(file: IndexFile, index: Index) -> str:
    """Take the listed hash; where an index lists none, as a plain folder does, the file itself is read."""
    if file.sha256:
        return file.sha256
    with tempfile.TemporaryDirectory(prefix="lambda-layers-hash-") as folder:
        return index.download(file, Path(folder) / "file")


def _explained(
    error: UnresolvableError,
    asked: RequirementSet,
    requirements: Requirements,
    platform: Platform,
    index: Index,
) -> Iterable[Problem]:
    """Find the requirements for which the platform has no wheel at all; pip tells less about them."""
    environment: Mapping[str, str] = marker_environment(platform)
    lines = {line.name: line for line in asked.requirements if line.applies(environment)}
    for text in error.missing:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        line = RequirementLine(requirement=requirement, hashes=frozenset(), place=requirements.place)
        lines.setdefault(line.name, line)
    for line in lines.values():
        if problem := no_fitting_version(line, index.files(line.name), platform):
            yield problem
