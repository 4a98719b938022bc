"""The build requirements of packages that are built from source, as a section of a lock's header.

    # build requirements of tiny==1.0:
    #   setuptools==80.9.0 --hash=sha256:<64 hexadecimal digits>
    #   helper==1.0 (from source) --hash=sha256:<64 hexadecimal digits>
    # build requirements of helper==1.0: none

They are comments, because other tools install every line of the lock that is not one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.index.pin import Pin
from entrypoint.lock.header import BUILD_ENTRY, BUILD_SECTION, LOCK_HINT

BuildSections = Mapping[str, tuple[Pin, ...]]
"""The pinned build requirements of each package built from source, by "name==version"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBuilds:
    """The sections of an existing lock, whose versions are kept if they satisfy the requirements."""

    sections: BuildSections = field(default_factory=dict)
    upgrade_packages: tuple[str, ...] = ()

    def pins(self, name: str) -> tuple[str, ...]:
        """Return the versions to keep for a package, whatever version of it they were pinned for."""
        return tuple(
            str(pin)
            for built, pins in self.sections.items()
            if built.partition("==")[0] == name
            for pin in pins
        )


def section_lines(sections: BuildSections) -> Iterator[str]:
    """Yield the lines of the sections, sorted."""
    for built, pins in sorted(sections.items()):
        yield f"# build requirements of {built}:{'' if pins else ' none'}"
        for pin in sorted(pins, key=lambda pin: pin.name):
            hashes = " ".join(f"--hash={digest}" for digest in sorted(pin.hashes))
            yield f"#   {pin}{' (from source)' if pin.from_source else ''} {hashes}"


def read_sections(text: str, location: Location) -> BuildSections:
    """Read the sections of a lock.

    Raises:
        LockError: a line of a section is invalid.
    """
    sections: dict[str, list[Pin]] = {}
    built = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if found := BUILD_SECTION.fullmatch(line):
            built = found[1]
            sections[built] = []
        elif built and line.startswith("#   "):
            sections[built].append(_pin(line, location._replace(line=number)))
        else:
            built = ""
    return {built: tuple(pins) for built, pins in sections.items()}


def missing_sections(pins: tuple[Pin, ...], sections: BuildSections) -> tuple[Pin, ...]:
    """Return the packages to build from source whose build requirements are not pinned."""
    wanted = [*pins, *(pin for section in sections.values() for pin in section)]
    return tuple(pin for pin in wanted if pin.from_source and str(pin) not in sections)


def sections_of(built: str, sections: BuildSections) -> BuildSections:
    """Return the section of a package, and those of its build requirements that are built from source."""
    found: dict[str, tuple[Pin, ...]] = {}
    pending = [built]
    while pending:
        name = pending.pop()
        if name in sections and name not in found:
            found[name] = sections[name]
            pending += [str(pin) for pin in sections[name] if pin.from_source]
    return found


def as_json(sections: BuildSections) -> list[Any]:
    """Return the sections in JSON's types, for hashing."""
    return [
        [built, sorted([pin.name, pin.version, pin.from_source, sorted(pin.hashes)] for pin in pins)]
        for built, pins in sorted(sections.items())
    ]


def _pin(line: str, location: Location) -> Pin:
    found = BUILD_ENTRY.fullmatch(line)
    if not found:
        raise LockError(Diagnostic("this build requirement is not pinned and hashed", LOCK_HINT, location))
    return Pin(
        name=found["name"],
        version=found["version"],
        hashes=frozenset(found["hashes"].replace(" --hash=", " ").split()),
        from_source=bool(found["source"]),
        location=location,
    )
