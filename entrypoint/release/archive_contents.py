"""The contents of a layer's archive: packages and files of the repository, by kind. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from entrypoint.errors import Diagnostic
from entrypoint.release.archive_packages import ArchiveMember, ArchivePackages

_NATIVE = re.compile(r"\.so(?:\.\d+)*$")
_BYTECODE = re.compile(r"(?P<folder>.*/)__pycache__/(?P<module>[^/.]+)\.[^/]*\.pyc$")


class FileKind(StrEnum):
    """The kind of a file, by its name."""

    NATIVE = "native libraries"
    PYTHON = "Python"
    BYTECODE = "bytecode"
    DATA = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A package of an archive, or files that belong to no package; sizes in bytes."""

    name: str
    #: None for files that belong to no package.
    version: str | None
    #: Unzipped.
    sizes: Mapping[FileKind, int]
    zipped: int
    files: int

    @property
    def size(self) -> int:
        """All of it, unzipped."""
        return sum(self.sizes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The contents of a layer's archive."""

    layer: str
    #: Where the archive was read, for people.
    origin: str
    zipped: int
    #: The largest first.
    contents: tuple[Content, ...]
    paths: frozenset[str]
    #: A remark, such as that it is out of date.
    note: str = ""
    #: What the rules warned of when it was built.
    findings: tuple[Diagnostic, ...] = ()

    @property
    def sizes(self) -> Mapping[FileKind, int]:
        """Unzipped bytes by kind."""
        return {kind: sum(each.sizes.get(kind, 0) for each in self.contents) for kind in FileKind}

    @property
    def size(self) -> int:
        """All of it, unzipped."""
        return sum(each.size for each in self.contents)


def contents_of(archive: ArchivePackages) -> tuple[Content, ...]:
    """Return the contents of an archive, the largest first; bytecode belongs to the package of its source."""
    owners: dict[str, str] = {}
    for name in archive.versions:
        for path in archive.listed(name):
            owners.setdefault(path, name)
    grouped: dict[tuple[str, str | None], list[ArchiveMember]] = {}
    for member in archive.members:
        if not member.path.endswith("/"):
            owner = owners.get(member.path) or owners.get(_source(member.path))
            key = (owner, archive.versions[owner]) if owner else (_place(member.path), None)
            grouped.setdefault(key, []).append(member)
    found = [_content(name, version, members) for (name, version), members in grouped.items()]
    return tuple(sorted(found, key=lambda content: (-content.size, content.name)))


def _content(name: str, version: str | None, members: Sequence[ArchiveMember]) -> Content:
    sizes: dict[FileKind, int] = {}
    for member in members:
        kind = _kind(member.path)
        sizes[kind] = sizes.get(kind, 0) + member.size
    zipped = sum(member.zipped for member in members)
    return Content(name=name, version=version, sizes=sizes, zipped=zipped, files=len(members))


def _kind(path: str) -> FileKind:
    if _NATIVE.search(path):
        return FileKind.NATIVE
    if path.endswith(".pyc"):
        return FileKind.BYTECODE
    return FileKind.PYTHON if path.endswith((".py", ".pyi")) else FileKind.DATA


def _source(path: str) -> str:
    """Return the path of the module of a bytecode file; empty for other files."""
    match = _BYTECODE.fullmatch(path)
    return f"{match['folder']}{match['module']}.py" if match else ""


def _place(path: str) -> str:
    """Name files outside of packages by the first part of their path, below python/ if they are there."""
    parts = path.split("/")
    return parts[1] if parts[0] == "python" and len(parts) > 1 else parts[0]
