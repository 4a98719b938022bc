"""Wheels -> a layer's archive, byte for byte the same wherever and whenever it is made.

A wheel's members are deflated already, so their compressed bytes are copied as they are: nothing is
inflated, nothing deflated anew. Entries are sorted, dated 1980-01-01 (the zip format's zero) and
have the modes 644 and 755, which is what Lambda needs to read and run them. The archive appears
under its name only when it is complete.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from entrypoint.atomic import written_whole
from entrypoint.build.fetch import Wheel
from entrypoint.build.inspect import Contents
from entrypoint.build.layout import Entry, lay_out
from entrypoint.errors import ArchiveError
from entrypoint.runtimes import Runtime

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A wheel's share of the archive."""

    wheel: Wheel
    size: int
    compressed_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished layer archive on disk."""

    path: Path
    entries: tuple[Entry, ...]
    packages: tuple[Package, ...]
    contents: tuple[Contents, ...]
    #: Paths that several wheels hold with different content, and the wheel whose file was kept.
    contested: tuple[tuple[str, Path], ...]
    compressed_size: int
    sha256: bytes

    @property
    def unzipped_size(self) -> int:
        """The size that Lambda's limit is about."""
        return sum(entry.size for entry in self.entries)

    @property
    def code_sha256(self) -> str:
        """The archive's digest in the form of Lambda's CodeSha256."""
        return base64.b64encode(self.sha256).decode()


def assemble(contents: Sequence[Contents], runtime: Runtime, path: Path) -> Archive:
    """Write the archive of these wheels to `path`; the same wheels give the same bytes.

    Raises:
        ArchiveError: where a wheel cannot be laid out, or two of them cannot stand in one folder tree.
    """
    by_path: dict[str, Entry] = {}
    contested: list[tuple[str, Path]] = []
    packages = []
    for wheel in sorted(contents, key=lambda item: item.wheel.name):
        entries = lay_out(wheel, runtime)
        packages.append(
            Package(
                wheel=wheel.wheel,
                size=sum(entry.size for entry in entries),
                compressed_size=sum(entry.compressed_size for entry in entries),
            )
        )
        for entry in entries:
            other = by_path.get(entry.path)
            if other and (other.crc, other.size) != (entry.crc, entry.size):
                contested.append((entry.path, entry.wheel))
            by_path[entry.path] = entry
    entries = tuple(by_path[path] for path in sorted(by_path))
    _refuse_files_as_folders(entries)
    size, digest = _write(path, entries)
    return Archive(
        path=path,
        entries=entries,
        packages=tuple(packages),
        contents=tuple(contents),
        contested=tuple(contested),
        compressed_size=size,
        sha256=digest,
    )


def _refuse_files_as_folders(entries: Iterable[Entry]) -> None:
    files = {entry.path for entry in entries}
    for entry in entries:
        folder = entry.path
        while folder := folder.rpartition("/")[0]:
            if folder in files:
                message = f"{folder} is a file of one package and a folder of another ({entry.wheel.name})"
                raise ArchiveError.of(message, "they cannot be in one layer; leave one of them out")


def _write(path: Path, entries: Sequence[Entry]) -> tuple[int, bytes]:
    """Write the archive; return its size and SHA-256."""
    with written_whole(path) as out, ExitStack() as stack:
        sources = dict.fromkeys(entry.wheel for entry in entries)
        wheels = {wheel: stack.enter_context(wheel.open("rb", buffering=0)) for wheel in sources}
        out.writelines(_chunks(entries, wheels))
        size = out.tell()
        out.seek(0)
        digest = hashlib.file_digest(out, "sha256").digest()  # type: ignore[arg-type] # it can readinto
    return size, digest


def _chunks(entries: Sequence[Entry], wheels: Mapping[Path, FileIO]) -> Iterator[bytes]:
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
        directory.append(_CENTRAL.pack(b"PK\1\2", _UNIX << 8 | _VERSION, *shared, 0, 0, 0, 0, mode, offset))
        directory.append(name)
        header = _LOCAL.pack(b"PK\3\4", *shared, 0)
        yield header
        yield name
        yield _compressed(entry, wheels[entry.wheel])
        offset += len(header) + len(name) + entry.compressed_size
    yield from directory
    yield from _end(len(entries), offset, sum(len(part) for part in directory))


def _compressed(entry: Entry, wheel: FileIO) -> bytes:
    if entry.data is not None:
        return entry.data
    wheel.seek(entry.offset)
    data = wheel.read(entry.compressed_size)
    if len(data) != entry.compressed_size:
        message = f"{wheel.name} ended within {entry.path}"
        raise ArchiveError.of(message, "another process changed it; run again")
    return data


def _end(count: int, offset: int, size: int) -> Iterator[bytes]:
    if count >= _MANY:
        start = offset + size
        made_by = _UNIX << 8 | 45
        yield _END64.pack(b"PK\6\6", _END64.size - 12, made_by, 45, 0, 0, count, count, size, offset)
        yield _LOCATOR64.pack(b"PK\6\7", 0, start, 1)
    short = min(count, _MANY)
    yield _END.pack(b"PK\5\6", 0, 0, short, short, size, offset, 0)
