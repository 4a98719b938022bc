"""Read the members of a wheel's zip file, and check all of its bytes.

Wheels are untrusted files. What this reader accepts is safe to copy byte for byte into a layer:
relative paths, no links, correct sizes and CRCs. Everything else is an ArchiveError.
Formats: https://packaging.python.org/specifications/binary-distribution-format/ (PEP 427) and
PKWARE's APPNOTE.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from entrypoint.errors import ArchiveError, Diagnostic
from entrypoint.limits import METADATA_BYTES, RECORD_BYTES, WHEEL_BYTES, WHEEL_MEMBERS
from entrypoint.printable import has_controls
from entrypoint.wheels.bounded_file import BoundedFile
from entrypoint.wheels.chunks import CHUNK, chunks

RAW_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods that every unzip supports, Lambda's too; others are recompressed."""
_TOO_LARGE = (
    "leave it out with 'exclude_packages' if it is not needed, use a build for CPUs only, or use a container "
    "image in place of layers"
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LZMA = struct.Struct("<2xHBL")
"""Version, size of the properties, coder parameters in one byte, dictionary size."""
_ENCRYPTED = 0x1
_SPECIAL_PARTS = frozenset({"", ".", ".."})
_USE_ANOTHER = "use another build of the package, or report the problem to its maintainers"


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a wheel; `offset` is that of its compressed bytes."""

    path: str
    offset: int
    compressed_size: int
    size: int
    crc: int
    method: int
    executable: bool


def member_facts(members: Iterable[Member]) -> list[list[object]]:
    """Return members as JSON, for the cache."""
    return [list(astuple(member)) for member in members]


def members_of(facts: Iterable[Sequence[Any]]) -> tuple[Member, ...]:
    """Return the members that `member_facts` made JSON of."""
    return tuple(Member(*values) for values in facts)


def read_members(wheel: Path, *, links: bool = False) -> tuple[Member, ...]:
    """Return the wheel's files, without folders, in the order of the archive; `links` allows symbolic links.

    Raises:
        ArchiveError: with all reasons why the wheel cannot be copied into a layer.
    """
    try:
        with wheel.open("rb") as file, zipfile.ZipFile(BoundedFile(file)) as archive:
            _check_total(wheel, archive.infolist())
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            problems = [
                Diagnostic(f"{wheel.name}: {text}", _USE_ANOTHER) for text in _problems(infos, links=links)
            ]
            if problems:
                raise ArchiveError(*problems)
            members = tuple(_member(info, file) for info in infos)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise ArchiveError.of(f"{wheel.name} is not a valid zip file: {error}", _USE_ANOTHER) from None
    _check_extents(wheel, members)
    return members


def _check_total(wheel: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a wheel by what its central directory states, before any of its files is read."""
    size = sum(info.file_size for info in infos)
    if len(infos) > WHEEL_MEMBERS:
        message = f"{wheel.name} has {len(infos):,} files; at most {WHEEL_MEMBERS:,} are allowed"
    elif size > WHEEL_BYTES:
        message = f"{wheel.name} unpacks to {size:,} bytes; at most {WHEEL_BYTES:,} are allowed"
        raise ArchiveError.of(message, _TOO_LARGE)
    else:
        return
    raise ArchiveError.of(message, _USE_ANOTHER)


def _most_bytes(path: str) -> int | None:
    """Return the limit for a file that is read into memory and parsed; None for all others."""
    folder, _, name = path.rpartition("/")
    if not folder.endswith(".dist-info"):
        return None
    return RECORD_BYTES if name == "RECORD" else METADATA_BYTES if name == "METADATA" else None


def _problems(infos: list[zipfile.ZipInfo], *, links: bool) -> Iterator[str]:
    seen: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        if info.orig_filename != name or not is_safe_path(name):
            yield f"the path {info.orig_filename!r} points outside the layer or is not portable"
        if stat.S_ISLNK(info.external_attr >> 16) and not links:
            yield f"{name} is a symbolic link, which wheels must not contain"
        if info.flag_bits & _ENCRYPTED:
            yield f"{name} is encrypted"
        most = _most_bytes(name)
        if most and info.file_size > most:
            yield f"{name} unpacks to {info.file_size:,} bytes; at most {most:,} are allowed"
        twin = seen.setdefault(name, info)
        if twin is not info and (twin.CRC, twin.file_size) != (info.CRC, info.file_size):
            yield f"{name} occurs twice, with different content"
    for folder in sorted(folders(seen) & seen.keys()):
        yield f"{folder} is both a file and a folder"


def is_safe_path(path: str) -> bool:
    """Whether a path is relative, portable, and without control characters, `.`, `..` and empty parts."""
    return "\\" not in path and not has_controls(path) and _SPECIAL_PARTS.isdisjoint(path.split("/"))


def folders(paths: Iterable[str]) -> set[str]:
    """Return all parent folders of these paths, at any depth."""
    found: set[str] = set()
    level = set(paths)
    while level := {path.rpartition("/")[0] for path in level} - found - {""}:
        found |= level
    return found


def _member(info: zipfile.ZipInfo, file: IO[bytes]) -> Member:
    file.seek(info.header_offset)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\3\4":
        raise zipfile.BadZipFile(f"{info.filename} is not at the offset in the central directory")
    return Member(
        path=info.filename,
        offset=info.header_offset + _LOCAL_HEADER.size + name_length + extra_length,
        compressed_size=info.compress_size,
        size=info.file_size,
        crc=info.CRC,
        method=info.compress_type,
        executable=bool(info.external_attr >> 16 & 0o111),
    )


def _check_extents(wheel: Path, members: tuple[Member, ...]) -> None:
    """Refuse members that overlap (as in zip bombs) or extend past the end of the file."""
    end = 0
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset < end:
            raise ArchiveError.of(f"{wheel.name}: {member.path} overlaps another member", _USE_ANOTHER)
        end = member.offset + member.compressed_size
    if end > wheel.stat().st_size:
        raise ArchiveError.of(
            f"{wheel.name} is truncated", "remove it from the cache and run the command again"
        )


def read_content(wheel: Path, members: Sequence[Member]) -> Iterator[tuple[Member, IO[bytes]]]:
    """Yield each member with a file of its unpacked content, after checking size and CRC.

    The file is closed when the next member is requested. Large content is not held in memory.

    Raises:
        ArchiveError: if the content of a member does not match the wheel's central directory.
    """
    with wheel.open("rb") as file:
        for member in members:
            with SpooledTemporaryFile(max_size=CHUNK) as content:
                try:
                    _write_checked(member, _unpacked(member, file), content)
                except (zlib.error, ImportError, ValueError) as error:
                    message = f"{wheel.name}: {member.path} is damaged: {error}"
                    raise ArchiveError.of(message, _USE_ANOTHER) from None
                content.seek(0)
                yield member, content


def _write_checked(member: Member, unpacked: Iterator[bytes], content: IO[bytes]) -> None:
    size = crc = 0
    for chunk in unpacked:
        size += len(chunk)
        if size > member.size:
            break
        crc = zlib.crc32(chunk, crc)
        content.write(chunk)
    if (size, crc) != (member.size, member.crc):
        raise ValueError("size or CRC does not match")


def _unpacked(member: Member, file: IO[bytes]) -> Iterator[bytes]:
    raw = chunks(file, member.offset, member.offset + member.compressed_size)
    if member.method == zipfile.ZIP_STORED:
        return raw
    if member.method == zipfile.ZIP_DEFLATED:
        return _inflated(raw)
    return _unpacked_rare(member, raw)


def _inflated(raw: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflater.eof:
        data = inflater.unconsumed_tail or next(raw, b"")
        chunk = inflater.decompress(data, CHUNK)
        if not data and not chunk:
            raise ValueError("the compressed data is truncated")
        yield chunk
    if inflater.unused_data or next(raw, b""):
        raise ValueError("there is extra data after the compressed data")


def _unpacked_rare(member: Member, raw: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack bzip2 and LZMA, which common tools do not write into wheels.

    zipfile does not limit the size of what it unpacks at once, so a small file could use all memory.
    """
    import bz2  # noqa: PLC0415 - not every Python has these two, and hardly a wheel needs them
    import lzma  # noqa: PLC0415

    if member.method not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        raise ValueError(f"compression method {member.method} is not supported")
    try:
        if member.method == zipfile.ZIP_LZMA:
            start = next(raw, b"")
            filters = [_lzma_filter(start[: _LZMA.size], member.size)]
            decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor
            decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
            raw = chain([start[_LZMA.size :]], raw)
        else:
            decompressor = bz2.BZ2Decompressor()
        left = member.size
        while left and not decompressor.eof:
            asks = decompressor.needs_input
            data = next(raw, b"") if asks else b""
            chunk = decompressor.decompress(data, min(left, CHUNK))
            if asks and not data and not chunk:
                return
            left -= len(chunk)
            yield chunk
    except (lzma.LZMAError, OSError) as error:
        raise ValueError(str(error)) from error


def _lzma_filter(header: bytes, size: int) -> dict[str, int]:
    """Read the header of LZMA data (APPNOTE 5.8.8); limit the dictionary to the member's size."""
    import lzma  # noqa: PLC0415

    if len(header) != _LZMA.size:
        raise ValueError("the compressed data is truncated")
    length, packed, dictionary = _LZMA.unpack(header)
    if length != _LZMA.size - 4:
        raise ValueError("the LZMA properties have an unknown size")
    rest, lc = divmod(packed, 9)
    pb, lp = divmod(rest, 5)
    return {
        "id": lzma.FILTER_LZMA1,
        "lc": lc,
        "lp": lp,
        "pb": pb,
        "dict_size": min(dictionary, max(size, 4096)),
    }
