"""Write a layer's archive from its parts; the same parts give the same bytes on any machine.

The members of wheels are already compressed, so their compressed bytes are copied. Entries are sorted,
dated 1980-01-01 (the earliest date of the zip format), and have mode 644 or 755, which Lambda needs to
read and run them; symbolic links stay links. The archive is written atomically.
"""

import base64
import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from entrypoint.errors import ArchiveError
from entrypoint.files import atomic_write
from entrypoint.layer.layout import ArchiveEntry, Part
from entrypoint.wheels.chunks import CHUNK
from entrypoint.wheels.wheel import Member, folders, is_safe_path, read_content

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_VERSION, _UNIX = 20, 3
_DATE = 0 << 9 | 1 << 5 | 1
"""1980-01-01 in MS-DOS format."""
_LINK = 0o120777
_UTF8 = 0x800
_MANY = 0xFFFF
"""From this number of entries on, the zip64 record has the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A path that several parts contain with different content, and the origin of the file that is used."""

    path: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A finished layer archive on disk."""

    path: Path
    parts: tuple[Part, ...]
    entries: tuple[ArchiveEntry, ...]
    conflicts: tuple[Conflict, ...]
    compressed_size: int

    @cached_property
    def sha256(self) -> bytes:
        """The digest of the file, computed on first use, which takes as long as copying the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()

    @property
    def unzipped_size(self) -> int:
        """The size in bytes to which Lambda's limit applies."""
        return sum(entry.size for entry in self.entries)

    @property
    def code_sha256(self) -> str:
        """The archive's digest in the format of Lambda's CodeSha256."""
        return base64.b64encode(self.sha256).decode()


def assemble(parts: Sequence[Part], path: Path) -> Archive:
    """Write the archive of these parts to `path`; the same parts give the same bytes.

    If parts contain different files with the same path, the later one is used, as installers do.

    Raises:
        ArchiveError: if a path is not inside the layer, or a file of one part is a folder of another.
    """
    by_path: dict[str, ArchiveEntry] = {}
    conflicts: list[Conflict] = []
    for part in parts:
        for entry in part.entries:
            other = by_path.get(entry.path)
            if other and not _have_same_content(other, entry):
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


def _have_same_content(one: ArchiveEntry, other: ArchiveEntry) -> bool:
    """Compare two files of one path; a CRC alone is easily forged."""
    if (one.crc, one.size) != (other.crc, other.size):
        return False
    return one.size == 0 or _content_digest(one) == _content_digest(other)


def _content_digest(entry: ArchiveEntry) -> bytes:
    if entry.source is None:
        stored = entry.method == zipfile.ZIP_STORED
        return hashlib.sha256(entry.data if stored else zlib.decompress(entry.data, -zlib.MAX_WBITS)).digest()
    member = Member(
        path=entry.path,
        offset=entry.offset,
        compressed_size=entry.compressed_size,
        size=entry.size,
        crc=entry.crc,
        method=entry.method,
        executable=entry.executable,
    )
    digest = hashlib.sha256()
    for _, content in read_content(entry.source, (member,)):
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def _refuse_unsafe_paths(paths: Iterable[str]) -> None:
    """Check all paths, regardless of the reader, cache or interpreter that they come from."""
    for path in paths:
        if not is_safe_path(path):
            raise ArchiveError.of(
                f"{path!r} is not a path inside a layer", "remove the cache folder and run the command again"
            )


def _refuse_files_as_folders(entries: Iterable[ArchiveEntry]) -> None:
    paths = {entry.path for entry in entries}
    for folder in sorted(folders(paths) & paths):
        inside = min(path for path in paths if path.startswith(f"{folder}/"))
        message = f"{folder} is a file in one package and a folder in another ({inside})"
        raise ArchiveError.of(message, "remove one of the packages from the layer")


def _write(path: Path, entries: Sequence[ArchiveEntry]) -> int:
    """Write the archive; return its size."""
    with atomic_write(path) as out, ExitStack() as stack:
        paths = dict.fromkeys(entry.source for entry in entries if entry.source)
        sources = {path: stack.enter_context(path.open("rb", buffering=0)).fileno() for path in paths}
        out.writelines(_chunks(entries, sources))
        return out.tell()


def _chunks(entries: Sequence[ArchiveEntry], sources: Mapping[Path, int]) -> Iterator[bytes]:
    """Yield the archive in chunks: each file after its local header, then the central directory."""
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
        mode = (_LINK if entry.is_link else 0o100755 if entry.executable else 0o100644) << 16
        header = _CENTRAL.pack(b"PK\1\2", _UNIX << 8 | _VERSION, *shared, 0, 0, 0, 0, mode, offset)
        directory.append(header + name)
        yield _LOCAL.pack(b"PK\3\4", *shared, 0) + name
        if entry.source:
            yield from _compressed_bytes(entry, sources[entry.source])
        else:
            yield entry.data
        offset += _LOCAL.size + len(name) + entry.compressed_size
    yield from directory
    yield from _end(len(entries), offset, sum(len(part) for part in directory))


def _compressed_bytes(entry: ArchiveEntry, source: int) -> Iterator[bytes]:
    offset, end = entry.offset, entry.offset + entry.compressed_size
    while offset < end:
        data = os.pread(source, min(end - offset, CHUNK), offset)
        if not data:
            message = f"{entry.source} is truncated within {entry.path}"
            raise ArchiveError.of(message, "another process changed the file; run the command again")
        yield data
        offset += len(data)


def _end(count: int, offset: int, size: int) -> Iterator[bytes]:
    if count >= _MANY:
        start = offset + size
        made_by = _UNIX << 8 | 45
        yield _END64.pack(b"PK\6\6", _END64.size - 12, made_by, 45, 0, 0, count, count, size, offset)
        yield _LOCATOR64.pack(b"PK\6\7", 0, start, 1)
    short = min(count, _MANY)
    yield _END.pack(b"PK\5\6", 0, 0, short, short, size, offset, 0)
