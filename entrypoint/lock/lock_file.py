"""Locks: the version and the allowed files of every package for a platform.

Two kinds are read. A lock that `lambda-layers lock` generated is for one platform. It lists only the files
that the platform can use, and records the hash of its inputs, so that checking whether it is in sync needs
no index. A lock of another tool (pip-compile, `uv export`, `poetry export`) may be for many platforms; its
markers are evaluated for the requested one, on any machine.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from entrypoint.errors import Diagnostic, Location, LockError, ManifestError
from entrypoint.files import write_text
from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.index.tags import marker_environment
from entrypoint.lock.build_requirements import BuildSections, missing_sections, read_sections, section_lines
from entrypoint.lock.folders import folder_lines, folder_pins, read_folders, with_content
from entrypoint.lock.formats import is_tool_lock, read_tool_lock
from entrypoint.lock.header import (
    FROM_SOURCE,
    INPUTS,
    LOCK_HINT,
    MADE_FOR,
    has_own_digest,
    inputs_hash,
    lock_digest,
)
from entrypoint.lock.input_files import LARGEST, display_path
from entrypoint.lock.libraries import LibraryPins, library_lines, read_libraries
from entrypoint.lock.local_sources import LocalSources
from entrypoint.lock.pylock import read_pylock
from entrypoint.lock.requirements import LocatedRequirement, read_requirements, read_requirements_file
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

_PINNED_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:==|@ )")
_VIA = re.compile(r"^\s*# via\s*(.*)$")
_MORE_VIA = re.compile(r"^\s*#   (\S.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The pinned packages of one platform, sorted by name, and where they come from."""

    platform: Platform
    pins: tuple[Pin, ...]
    options: IndexOptions = field(default_factory=IndexOptions)
    #: The hash of the inputs that it was made from; None in a lock of another tool.
    inputs: str | None = None
    #: The pinned build requirements of the packages built from source; none in a lock of another tool.
    builds: BuildSections = field(default_factory=dict, hash=False)
    #: The system packages of the layer's libraries; None without any, and in a lock of another tool.
    libraries: LibraryPins | None = None


def read_lock(
    path: Path,
    platform: Platform,
    *,
    requirements: Requirements | None = None,
    from_source: frozenset[str] = frozenset(),
    root: Path | None = None,
) -> Lock:
    """Read a generated lock. If `requirements` is given, the lock gets their index options.

    Raises:
        LockError: the lock is missing, invalid, for another platform, or out of sync with `requirements`.
    """
    location = Location(display_path(path, root))
    if not path.is_file():
        raise LockError.of(f"there is no lock for {platform}", LOCK_HINT, location)
    lock = _read(path, platform, root)
    text = path.read_text(encoding="utf-8-sig")
    made_for, inputs = MADE_FOR.search(text), INPUTS.search(text)
    problems = [
        Diagnostic(f"{pin} has no hash", LOCK_HINT, pin.location) for pin in lock.pins if not pin.hashes
    ]
    if made_for is None or inputs is None:
        message = "the header of `lambda-layers lock` is missing"
        hint = f"{LOCK_HINT}, or name a lock of another tool under 'lock:'"
        problems.append(Diagnostic(message, hint, location))
    elif made_for[1] != str(platform):
        problems.append(Diagnostic(f"this lock is for {made_for[1]}, not {platform}", LOCK_HINT, location))
    if problems:
        raise LockError(*problems)
    compiled = frozenset(name for names in FROM_SOURCE.findall(text) for name in names.split(", "))
    pins = tuple(replace(pin, from_source=pin.name in compiled) for pin in lock.pins)
    builds = read_sections(text, location)
    lock = replace(
        lock,
        pins=(*pins, *read_folders(text, location)),
        inputs=inputs[1] if inputs else None,
        builds=builds,
        libraries=read_libraries(text, location),
    )
    if requirements is None:
        return lock
    if not has_own_digest(text):
        message = "this lock was changed by hand or by a merge, or made by an older version of lambda-layers"
        raise LockError.of(message, LOCK_HINT, location)
    raise_all(
        Diagnostic(f"this lock does not pin the build requirements of {pin}", LOCK_HINT, pin.location)
        for pin in missing_sections(lock.pins, builds)
    )
    parsed = read_requirements(requirements, root=root, from_source=from_source)
    if inputs_hash(parsed.lines, platform) != lock.inputs:
        files = (display_path(path, root) for path in requirements.files)
        names = ", ".join(files) or str(requirements.location)
        raise LockError.of(f"this lock is out of sync with {names}", LOCK_HINT, location)
    if requirements.libraries and not lock.libraries:
        raise LockError.of("this lock does not pin the packages of 'libraries'", LOCK_HINT, location)
    return replace(lock, pins=with_content(lock.pins, parsed.options), options=parsed.options)


def read_pinned(
    path: Path,
    platform: Platform,
    *,
    requirements: Requirements | None = None,
    from_source: frozenset[str] = frozenset(),
    root: Path | None = None,
) -> Lock:
    """Read a lock of another tool, for one of its platforms.

    Of a lock in the format of its tool, the extras and groups of `requirements` are read.

    Raises:
        LockError: the lock is invalid, or not every line is pinned and hashed.
    """
    if is_tool_lock(path) and path.is_file():
        location = Location(display_path(path, root))
        _refuse_large(path, location)
        requirements = requirements or Requirements(location)
        found = read_tool_lock(path, platform, requirements, location)
        options = _folders(path, found.folders, found.pins, requirements, root)
        pins = with_content(_marked(found.pins, from_source), options)
        return Lock(platform=platform, pins=pins, options=options)
    lock = _read(path, platform, root, from_source)
    lock = replace(lock, pins=with_content(lock.pins, lock.options))
    hint = "export the lock with hashes, such as: uv export --format requirements-txt"
    raise_all(Diagnostic(f"{pin} has no hash", hint, pin.location) for pin in lock.pins if not pin.hashes)
    return lock


def lock_text(lock: Lock, *, made_from: Iterable[str]) -> str:
    """Return a lock as text that `pip install --require-hashes -r` accepts; deterministic."""
    lines = [f"# Made by `lambda-layers lock` for {lock.platform}. Change the inputs, not this file:"]
    lines += [f"#   {name}" for name in made_from]
    lines += [f"# inputs: {lock.inputs}"]
    compiled = sorted(pin.name for pin in lock.pins if pin.from_source)
    lines += [f"# from source: {', '.join(compiled)}"] if compiled else []
    lines += folder_lines(lock.pins)
    lines += section_lines(lock.builds)
    lines += library_lines(lock.libraries)
    for pin in sorted((pin for pin in lock.pins if not pin.is_folder), key=lambda pin: pin.name):
        hashes = [f"    --hash={digest}" for digest in sorted(pin.hashes)]
        lines.append(" \\\n".join([str(pin), *hashes]))
        if len(pin.via) == 1:
            lines.append(f"    # via {pin.via[0]}")
        elif pin.via:
            lines += ["    # via", *(f"    #   {name}" for name in sorted(pin.via))]
    text = "\n".join(lines) + "\n"
    header = f"# inputs: {lock.inputs}\n"
    return text.replace(header, f"{header}# digest: {lock_digest(text)}\n", 1)


def write_lock(path: Path, lock: Lock, *, made_from: Iterable[str]) -> None:
    """Write the lock file atomically."""
    write_text(path, lock_text(lock, made_from=made_from))


def read_via(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read the `# via` comments of a lock, as pip-compile writes them: name -> sources."""
    via: dict[str, list[str]] = {}
    name, listing = "", False
    for line in text.split("\n"):
        if pinned := _PINNED_NAME.match(line):
            name, listing = canonicalize_name(pinned[1]), False
        elif (comment := _VIA.match(line)) and name:
            listing = True
            via.setdefault(name, []).extend(filter(None, [comment[1].strip()]))
        elif listing and (more := _MORE_VIA.match(line)):
            via[name].append(more[1].strip())
        else:
            listing = False
            if line[:1] not in {"", " ", "#"}:  # a folder
                name = ""
    return {name: tuple(dict.fromkeys(sources)) for name, sources in via.items()}


def without_packages(lock: Lock, names: frozenset[str]) -> Lock:
    """Return a lock without these packages, and without those that only they require.

    What requires a package is known from `# via` comments. A package without one is left out only by name.
    """
    known = {pin.name: {canonicalize_name(source) for source in pin.via} for pin in lock.pins}
    removed = names & known.keys()
    while more := {
        name for name, sources in known.items() if sources and sources <= removed and name not in removed
    }:
        removed |= more
    return replace(lock, pins=tuple(pin for pin in lock.pins if pin.name not in removed)) if removed else lock


def raise_all(problems: Iterable[Diagnostic]) -> None:
    """Raise one LockError with all problems, if there are any."""
    collected = tuple(problems)
    if collected:
        raise LockError(*collected)


def _read(
    path: Path, platform: Platform, root: Path | None, from_source: frozenset[str] = frozenset()
) -> Lock:
    if path.suffix == ".toml":
        location = Location(display_path(path, root))
        _refuse_large(path, location)
        pinned = read_pylock(path.read_text(encoding="utf-8-sig"), platform, location)
        return Lock(platform=platform, pins=_marked(pinned, from_source))
    try:
        parsed = read_requirements_file(path, root=root)
    except ManifestError as error:
        raise LockError(*error.problems) from error
    # A layer of libraries only may be for a runtime without Python, which has no such environment.
    environment = marker_environment(platform) if parsed.requirements or parsed.constraints else {}
    lines = [line for line in parsed.requirements if line.applies(environment)]
    via = read_via(path.read_text(encoding="utf-8-sig"))
    folders = folder_pins(lines, parsed.options, via)
    lines = [line for line in lines if line.name not in folders]
    raise_all(problem for line in lines if (problem := _not_pinned(line)))
    constraints = [line for line in parsed.constraints if line.applies(environment)]
    pins, problems = _merged(lines, via)
    raise_all([*problems, *_violations(pins, constraints)])
    marked = (
        replace(pin, from_source=name in from_source or parsed.options.wants_source(name))
        for name, pin in {**pins, **folders}.items()
    )
    ordered = tuple(sorted(marked, key=lambda pin: pin.name))
    return Lock(platform=platform, pins=ordered, options=parsed.options)


def _refuse_large(path: Path, location: Location) -> None:
    if (size := path.stat().st_size) > LARGEST:
        message = f"this lock has {size:,} bytes; at most {LARGEST:,} are allowed"
        raise LockError.of(message, "split the layer", location)


def _marked(pins: Iterable[Pin], from_source: frozenset[str]) -> tuple[Pin, ...]:
    return tuple(replace(pin, from_source=pin.is_folder or pin.name in from_source) for pin in pins)


def _folders(
    path: Path,
    folders: Mapping[str, str],
    pins: Iterable[Pin],
    requirements: Requirements,
    root: Path | None,
) -> IndexOptions:
    """Return where the packages of a tool's lock come from that are folders, relative to that of the lock."""
    sources = LocalSources(requirements, root, follow=False)
    for pin in pins:
        if pin.is_folder:
            sources.folder(path.parent / folders[pin.name], pin.location, name=pin.name)
    raise_all(sources.problems)
    return IndexOptions(direct=tuple(sources.found.values()))


def _not_pinned(line: LocatedRequirement) -> Diagnostic | None:
    specifiers = list(line.requirement.specifier)
    if line.requirement.url:
        return None
    if line.commit:
        hint = "let lambda-layers lock make the lock"
        return Diagnostic(f"this lock has no hash of {line.commit}", hint, line.location)
    if len(specifiers) == 1 and specifiers[0].operator in {"==", "==="}:
        try:
            Version(specifiers[0].version)
        except InvalidVersion:  # a wildcard, or not a PEP 440 version
            pass
        else:
            return None
    hint = f"a lock requires `{line.name}==<version>`; compile or export it again"
    return Diagnostic(f"`{line}` is not pinned to one version", hint, line.location)


def _merged(
    lines: Iterable[LocatedRequirement], via: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, Pin], list[Diagnostic]]:
    pins: dict[str, Pin] = {}
    problems: list[Diagnostic] = []
    for line in lines:
        version, sources = line.version, via.get(line.name, ())
        pin = Pin(name=line.name, version=version, hashes=line.digests, location=line.location, via=sources)
        earlier = pins.setdefault(line.name, pin)
        if Version(earlier.version) == Version(version):
            pins[line.name] = replace(earlier, hashes=earlier.hashes | line.hashes)
        else:
            message = f"{pin} conflicts with {earlier} ({earlier.location}), and both apply"
            problems.append(Diagnostic(message, "remove one of them", line.location))
    return pins, problems


def _violations(pins: Mapping[str, Pin], constraints: Iterable[LocatedRequirement]) -> Iterable[Diagnostic]:
    for line in constraints:
        pin = pins.get(line.name)
        if pin and not line.requirement.specifier.contains(pin.version, prereleases=True):
            message = f"{pin} violates the constraint `{line}` ({line.location})"
            yield Diagnostic(message, "compile the lock again with this constraint", pin.location)
