"""The packages of a lock that are folders of the repository, as a section of its header.

    # folders of this repository:
    #   common 1.0 via -r web.in
    #   core 2.0 via common

They are comments, because other tools cannot install them, and because they have no hash: the lock of a
commit goes with the folders of that commit. Their content is part of the dependency hash, like `include`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from entrypoint.errors import Diagnostic, FetchError, Location, LockError
from entrypoint.index.built_sources import read_folder
from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.index.sources import SourceFolder
from entrypoint.lock.header import LOCK_HINT
from entrypoint.lock.requirements import LocatedRequirement

_SECTION = re.compile(r"^# folders of this repository:$", re.MULTILINE)
_ENTRY = re.compile(r"#   (?P<name>[a-z0-9-]+) (?P<version>[A-Za-z0-9.!+_-]+) via (?P<via>.+)")


def folder_lines(pins: Iterable[Pin]) -> Iterator[str]:
    """Yield the lines of the section."""
    found = [
        f"#   {pin.name} {pin.version} via {', '.join(sorted(pin.via))}" for pin in pins if pin.is_folder
    ]
    if found:
        yield "# folders of this repository:"
        yield from sorted(found)


def read_folders(text: str, location: Location) -> tuple[Pin, ...]:
    """Return the packages of the section, without hashes."""
    section = _SECTION.search(text)
    if not section:
        return ()
    first = text.count("\n", 0, section.end()) + 2
    pins = []
    for number, line in enumerate(text[section.end() + 1 :].split("\n"), start=first):
        entry = _ENTRY.fullmatch(line)
        if not entry:
            break
        pins.append(
            Pin(
                name=entry["name"],
                version=entry["version"],
                is_folder=True,
                from_source=True,
                location=location._replace(line=number),
                via=tuple(entry["via"].split(", ")),
            )
        )
    return tuple(pins)


def folder_pins(
    lines: Iterable[LocatedRequirement], options: IndexOptions, via: Mapping[str, tuple[str, ...]]
) -> Mapping[str, Pin]:
    """Return the packages of a lock of another tool that are folders, such as `-e ./libs/common`."""
    sources = ((line, options.direct_of(line.name)) for line in lines)
    return {
        line.name: Pin(
            name=line.name,
            version=source.project.version,
            is_folder=True,
            from_source=True,
            location=line.location,
            via=via.get(line.name, ()),
        )
        for line, source in sources
        if isinstance(source, SourceFolder)
    }


def with_content(pins: Iterable[Pin], options: IndexOptions) -> tuple[Pin, ...]:
    """Return the pins; those of folders with the hash of the folders' content.

    Raises:
        LockError: with every folder that is not among the requirements, or cannot be read.
    """
    found: list[Pin] = []
    problems: list[Diagnostic] = []
    for pin in pins:
        try:
            found.append(_with_content(pin, options) if pin.is_folder else pin)
        except (LockError, FetchError) as error:
            problems += (problem._replace(location=pin.location) for problem in error.problems)
    if problems:
        raise LockError(*problems)
    return tuple(found)


def _with_content(pin: Pin, options: IndexOptions) -> Pin:
    source = options.direct_of(pin.name)
    if not isinstance(source, SourceFolder):
        raise LockError.of(f"no requirement is the folder of {pin}", LOCK_HINT, pin.location)
    if source.project.version != pin.version:
        message = f"the folder of {pin} has the version {source.project.version}"
        raise LockError.of(message, "update the lock", pin.location)
    return replace(pin, hashes=frozenset({f"sha256:{read_folder(source).sha256}"}))
