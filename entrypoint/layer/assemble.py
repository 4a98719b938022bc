"""Parts -> a layer's archive, byte for byte the same wherever and whenever it is made.

A wheel's members are deflated already, so their compressed bytes are copied as they are: nothing is
inflated, nothing deflated anew. Entries are sorted, dated 1980-01-01 (the zip format's zero) and
have the modes 644 and 755, which is what Lambda needs to read and run them. The archive appears
under its name only when it is complete.
"""

import base64
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from entrypoint.errors import ArchiveError
from entrypoint.files import written_whole
from entrypoint.layer.layout import Entry, Part
from entrypoint.wheels.wheel import folders, is_safe_path

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_VERSION, _UNIX = 20, 3
_DATE = 0 << 9 | 1 << 5 | 1
"""1980-01-01 in MS-DOS form."""
_UTF8 = 0x800
_MANY = 0xFFFF
"""From this count of entries on, the zip64 record holds the count."""
_PIECE = 1 << 20
"""Bytes that are copied at once, so that large libraries take no more memory than small ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A path that several parts hold with different content, and where the file that is used came from."""

    path: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A finished layer archive on disk."""

    path: Path
    parts: tuple[Part, ...]
    entries: tuple[Entry, ...]
    conflicts: tuple[Conflict, ...]
    compressed_size: int

    @cached_property
    def sha256(self) -> bytes:
        """The digest of the file, taken when it is first asked for: it takes as long as copying the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    @property
    def unzipped_size(self) -> int:
        """The size that Lambda's limit is about."""
        return sum(entry.size for entry in self.entries)

    @property
    def code_sha256(self) -> str:
        """The archive's digest in the form of Lambda's CodeSha256."""
        return base64.b64encode(self.sha256).decode()


def assemble(parts: Sequence[Part], path: Path) -> Archive:
    """Write the archive of these parts to `path`; the same parts give the same bytes.

    Where parts hold different files under one path, the later one counts, as it does for installers.

    Raises:
        ArchiveError: if a path is not inside the layer, or a file of one part is a folder of another.
    """
    by_path: dict[str, Entry] = {}
    conflicts: list[Conflict] = []
    for part in parts:
        for entry in part.entries:
            other = by_path.get(entry.path)
            if other and (other.crc, other.size) != (entry.crc, entry.size):
                conflicts.append(Conflict(path=entry.path, origin=part.origin))
            by_path[entry.path] = entry
    _refuse_unsafe_paths(by_path)
    entries = tuple(by_path[path] for path in sorted(by_path))
    _refuse_files_as_folders(entries)
    return Archive(
        path=path,
        parts=tuple(parts),
        entries=entries,
        conflicts=tuple(conflicts),
        compressed_size=_write(path, entries),
    )


def _refuse_unsafe_paths(paths: Iterable[str]) -> None:
    """Check every path here, whichever reader, cache or interpreter it came from."""
    for path in paths:
        if not is_safe_path(path):
            raise ArchiveError.of(f"{path!r} is not a path inside a layer", "remove the cache and run again")


def _refuse_files_as_folders(entries: Iterable[Entry]) -> None:
    paths = {entry.path for entry in entries}
    for folder in sorted(folders(paths) & paths):
        inside = min(path for path in paths if path.startswith(f"{folder}/"))
        message = f"{folder} is a file of one package, and of another the folder of {inside}"
        raise ArchiveError.of(message, "they cannot be in one layer; leave one of them out")


def _write(path: Path, entries: Sequence[Entry]) -> int:
    """Write the archive; return its size."""
    with written_whole(path) as out, ExitStack() as stack:
        paths = dict.fromkeys(entry.source for entry in entries if entry.source)
        sources = {path: stack.enter_context(path.open("rb", buffering=0)).fileno() for path in paths}
        out.writelines(_chunks(entries, sources))
        return out.tell()


def _chunks(entries: Sequence[Entry], sources: Mapping[Path, int]) -> Iterator[bytes]:
    """Yield the archive piece by piece: each file behind its local header, then the central directory."""
    directory: list[bytes] = []
    offset = 0
    for entry in entries:
        name = entry.path.encode()
        flags = 0 if name.isascii() else _UTF8
        shared = (
            _VERSION,
            flags,
            entry.method,
            0,
            _DATE,
            entry.crc,
            entry.compressed_size,
            entry.size,
            len(name),
        )
        mode = (0o100755 if entry.executable else 0o100644) << 16
        header = _CENTRAL.pack(b"PK\1\2", _UNIX << 8 | _VERSION, *shared, 0, 0, 0, 0, mode, offset)
        directory.append(header + name)
        yield _LOCAL.pack(b"PK\3\4", *shared, 0) + name
        if entry.source:
            yield from _read(entry, sources[entry.source])
        else:
            yield entry.data
        offset += _LOCAL.size + len(name) + entry.compressed_size
    yield from directory
    yield from _end(len(entries), offset, sum(len(part) for part in directory))


def _read(entry: Entry, source: int) -> Iterator[bytes]:
    location, end = entry.offset, entry.offset + entry.compressed_size
    while location < end:
        data = os.pread(source, min(end - location, _PIECE), location)
        if not data:
            message = f"{entry.source} ended within {entry.path}"
            raise ArchiveError.of(message, "another process changed it; run again")
        yield data
        location += len(data)


def _end(count: int, offset: int, size: int) -> Iterator[bytes]:
    if count >= _MANY:
        start = offset + size
        made_by = _UNIX << 8 | 45
        yield _END64.pack(b"PK\6\6", _END64.size - 12, made_by, 45, 0, 0, count, count, size, offset)
        yield _LOCATOR64.pack(b"PK\6\7", 0, start, 1)
    short = min(count, _MANY)
    yield _END.pack(b"PK\5\6", 0, 0, short, short, size, offset, 0)
