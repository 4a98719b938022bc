"""What the formats have in common: markers, extras, groups, hashes, and packages that come from no index."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.index.pin import Pin
from entrypoint.index.tags import marker_environment
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED = re.compile(r'(?:name = |[ \t]+)"([^"]*)"(?:$|: \{)')
CREATE_AGAIN = "create the lock again with the tool that it belongs to"


class InvalidLockError(Exception):
    """A lock cannot be used; `hint` says what to do."""

    def __init__(self, message: str, hint: str = CREATE_AGAIN) -> None:
        super().__init__(message)
        self.hint = hint


class Selection(NamedTuple):
    """What to select from a lock for many platforms and many sets of packages."""

    environment: Mapping[str, str]
    extras: frozenset[str]
    groups: frozenset[str]
    #: The folder of the project, relative to that of the lock, as POSIX.
    project: str = "."

    @classmethod
    def of(cls, path: Path, platform: Platform, requirements: Requirements) -> Self:
        """Return the selection of a layer; its project is that of its first pyproject.toml."""
        projects = [file.parent for file in requirements.files if file.name == "pyproject.toml"]
        folder = projects[0] if projects else path.parent
        try:
            project = folder.resolve().relative_to(path.parent.resolve()).as_posix()
        except ValueError:  # not below the lock, so the lock is of this project alone
            project = "."
        return cls(
            environment=marker_environment(platform),
            extras=frozenset(map(canonicalize_name, requirements.extras)),
            groups=frozenset(map(canonicalize_name, requirements.groups)),
            project=project,
        )

    def applies(self, marker: object) -> bool:
        """Return whether a marker is true with any of the extras, or with none; an absent one is."""
        if not marker:
            return True
        try:
            parsed = Marker(str(marker))
            return any(
                parsed.evaluate({**self.environment, "extra": extra}) for extra in ("", *sorted(self.extras))
            )
        except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName) as error:
            raise InvalidLockError(f"cannot evaluate the marker `{marker}`: {error}") from None


class Entry(NamedTuple):
    """A package that is selected."""

    name: str
    version: str
    hashes: frozenset[str]
    #: Where it comes from if not from an index, such as git.
    elsewhere: str | None = None
    #: The folder that it comes from, relative to that of the lock.
    folder: str | None = None


class ToolLock(NamedTuple):
    """The pins of a lock, sorted by name, and the folders of those that are folders."""

    pins: tuple[Pin, ...]
    folders: Mapping[str, str]


def tables(value: object) -> list[Mapping[str, Any]]:
    """Return the tables of a list; a value of another type has none."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def hashes_of(files: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the SHA-256 digests of files."""
    found = (str(file.get("hash", "")) for file in files)
    return frozenset(digest for digest in found if _SHA256.fullmatch(digest))


def pins_of(entries: Iterable[Entry], text: str, location: Location) -> ToolLock:
    """Return the pins, sorted by name, each at its line of the lock.

    Raises:
        LockError: packages come from no index, have no hash, or are there in two versions.
    """
    pins: dict[str, Pin] = {}
    folders: dict[str, str] = {}
    problems: list[Diagnostic] = []
    lines = _lines(text)
    for entry in entries:
        name = canonicalize_name(entry.name)
        place = Location(location.file, lines.get(entry.name))
        problems += _problems(entry, place)
        pin = Pin(
            name=name,
            version=entry.version,
            hashes=entry.hashes,
            location=place,
            is_folder=entry.folder is not None,
        )
        folders |= {name: entry.folder} if entry.folder is not None else {}
        other = pins.setdefault(name, pin)
        if other.version != pin.version:
            problems.append(Diagnostic(f"{pin} conflicts with {other}, and both apply", CREATE_AGAIN, place))
    if problems:
        raise LockError(*dict.fromkeys(problems))
    return ToolLock(tuple(pins[name] for name in sorted(pins)), folders)


def _problems(entry: Entry, location: Location) -> Iterator[Diagnostic]:
    if entry.elsewhere:
        message = f"{entry.name} comes from a {entry.elsewhere}, and not from a package index"
        hint = "export the lock without it, and add code of this repository under 'include'"
        yield Diagnostic(message, hint, location)
        return
    if not entry.hashes and entry.folder is None:
        yield Diagnostic(f"{entry.name} has no SHA-256 hash", CREATE_AGAIN, location)
    try:
        Version(entry.version)
    except InvalidVersion:
        yield Diagnostic(f"{entry.name} has the invalid version {entry.version!r}", CREATE_AGAIN, location)


def _lines(text: str) -> Mapping[str, int]:
    """Return the line at which each package begins: `name = "x"`, or `"x": {` in JSON."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if found := _NAMED.match(line.rstrip("\r")):
            lines.setdefault(found[1], number)
    return lines
