"""Shared libraries of system packages -> their parts of a layer: only those that it needs.

These are the libraries that compiled code of the layer is linked to, at any depth, if neither the layer nor
the runtime has them. Of a package that `libraries` names and of which nothing is needed, all libraries are
taken, because code may load them by name when it runs. Each library is in lib/, which is on the runtime's
library path, under its soname, the name that the loader looks for. Licenses are in share/licenses/.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from posixpath import basename
from typing import IO

from entrypoint.errors import Diagnostic
from entrypoint.layer import elf
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.layout import ArchiveEntry, Part, copied
from entrypoint.manifest.libraries import libraries_of
from entrypoint.manifest.targets import Target
from entrypoint.wheels.chunks import chunks
from entrypoint.wheels.libraries import Libraries, LibraryPackage
from entrypoint.wheels.wheel import Member, read_content, read_members

_LIBRARIES, _LICENSES = "lib/", "share/licenses/"


def library_parts(target: Target, parts: Sequence[Part], libraries: Libraries) -> list[Part]:
    """Return the parts of the system packages whose libraries the other parts of a target need.

    Packages that the layer names come first.

    Raises:
        ArchiveError: if the file with the libraries is damaged.
    """
    members = {member.path: member for member in read_members(libraries.archive)}
    packages = sorted(libraries.packages, key=lambda package: not package.is_named)
    all_parts = [_part(package, libraries, members) for package in packages]
    chosen = _chosen(target, parts, libraries, all_parts)
    return [_only(part, chosen) for part in all_parts if any(entry.path in chosen for entry in part.entries)]


def unused_packages(target: Target, added: Iterable[Part], libraries: Libraries) -> Iterator[Diagnostic]:
    """Describe the packages of `libraries` that add nothing to a target."""
    taken = {part.name for part in added}
    for package in libraries.packages:
        if package.is_named and package.package.name not in taken:
            name = package.package.name
            message = (
                f"{target}: {name} in libraries adds nothing: the layer or the runtime has its libraries"
            )
            yield Diagnostic(message, "remove it", target.layer.location)


def _chosen(
    target: Target, parts: Sequence[Part], libraries: Libraries, all_parts: Iterable[Part]
) -> frozenset[str]:
    """Return the paths of the libraries to take."""
    has = libraries_of(target.platform.runtime) | set(_names(parts))
    needed = {path: facts.needed for part in all_parts for path, facts in part.elf.items()}
    available = {
        soname: _LIBRARIES + soname
        for package in libraries.packages
        for soname in package.libraries
        if soname not in has
    }

    def closure(sonames: Iterable[str]) -> set[str]:
        found: set[str] = set()
        queue = list(sonames)
        while queue:
            path = available.get(queue.pop())
            if path and path not in found:
                found.add(path)
                queue += needed.get(path, ())
        return found

    machine = target.platform.architecture.machine
    linked = [facts for part in parts for facts in part.elf.values() if facts.machine == machine]
    chosen = closure(library for facts in linked for library in facts.needed)
    unused = [
        package.libraries
        for package in libraries.packages
        if package.is_named and chosen.isdisjoint(_LIBRARIES + soname for soname in package.libraries)
    ]
    return frozenset(chosen | closure(soname for sonames in unused for soname in sonames))


def _names(parts: Iterable[Part]) -> Iterator[str]:
    """Yield the names by which the loader may find the libraries of the layer."""
    for part in parts:
        yield from (basename(entry.path) for entry in part.entries)
        yield from (facts.soname for facts in part.elf.values() if facts.soname)


def _part(package: LibraryPackage, libraries: Libraries, members: Mapping[str, Member]) -> Part:
    """Return the part of a package with all of its libraries."""
    paths = {members[path]: _LIBRARIES + soname for soname, path in package.libraries.items()}
    facts: dict[str, ElfFacts] = {}
    damaged: dict[str, str] = {}
    for member, content in read_content(libraries.archive, tuple(paths)):
        try:
            facts[paths[member]] = elf.read(content)
        except ValueError as error:
            damaged[paths[member]] = str(error)
    folder = f"{_LICENSES}{package.package.name}/"
    paths |= {members[path]: folder + name for name, path in package.licenses.items()}
    with libraries.archive.open("rb") as archive:
        entries = tuple(_entry(path, member, archive) for member, path in paths.items())
    return Part(
        name=package.package.name,
        origin=str(package.package),
        entries=entries,
        elf=facts,
        damaged=damaged,
        system_package=package,
    )


def _entry(path: str, member: Member, archive: IO[bytes]) -> ArchiveEntry:
    """Return an entry with the compressed bytes of a member."""
    data = b"".join(chunks(archive, member.offset, member.offset + member.compressed_size))
    return replace(copied(path, member, Path()), executable=False, source=None, offset=0, data=data)


def _only(part: Part, chosen: Collection[str]) -> Part:
    """Return a part with the chosen libraries, and its licenses."""
    kept = tuple(each for each in part.entries if each.path in chosen or each.path.startswith(_LICENSES))
    return replace(
        part,
        entries=kept,
        elf={path: facts for path, facts in part.elf.items() if path in chosen},
        damaged={path: reason for path, reason in part.damaged.items() if path in chosen},
    )
