"""The system packages whose shared libraries a layer takes, as a section of a lock's header.

    # libraries of public.ecr.aws/sam/build-python3.13:latest-x86_64 for expat, libtool-ltdl:
    #   expat 2.5.0-1.amzn2023.0.4
    #   libtool-ltdl 2.4.7-1.amzn2023.0.3

They are comments, because other tools install every line of the lock that is not one.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.lock.header import LIBRARY_ENTRY, LIBRARY_SECTION, LOCK_HINT


class SystemPackage(NamedTuple):
    """A package of a distribution, and its version with release."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class LibraryPins(NamedTuple):
    """The packages that have the libraries of `names` and of what these are linked to, in an image."""

    image: str
    names: tuple[str, ...]
    packages: tuple[SystemPackage, ...]

    def has(self, name: str) -> bool:
        """Whether a text is the name of one of the packages."""
        return name in self.names or name in dict(self.packages)

    def as_json(self) -> dict[str, Any]:
        """Return them in JSON's types, for hashing."""
        return {"names": sorted(self.names), "packages": sorted(map(list, self.packages))}


def library_lines(pins: LibraryPins | None) -> Iterator[str]:
    """Yield the lines of the section, sorted; none without libraries."""
    if pins:
        yield f"# libraries of {pins.image} for {', '.join(sorted(pins.names))}:"
        yield from (f"#   {package}" for package in sorted(pins.packages))


def read_libraries(text: str, location: Location) -> LibraryPins | None:
    """Read the section of a lock; None if it has none.

    Raises:
        LockError: a line of the section is invalid.
    """
    found = LIBRARY_SECTION.search(text)
    if not found:
        return None
    number = text.count("\n", 0, found.end()) + 1
    packages = []
    for line in text[found.end() + 1 :].split("\n"):
        number += 1
        if not line.startswith("#   "):
            break
        entry = LIBRARY_ENTRY.fullmatch(line)
        if not entry:
            where = location._replace(line=number)
            raise LockError(Diagnostic("this system package has no version", LOCK_HINT, where))
        packages.append(SystemPackage(entry["name"], entry["version"]))
    return LibraryPins(found["image"], tuple(found["names"].split(", ")), tuple(packages))
