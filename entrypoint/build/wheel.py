"""A wheel's members as they lie in its zip file, and the one full read that proves them sound.

A wheel is a stranger's file. What this reader accepts is safe to copy byte for byte into a layer:
plain relative paths, no links, sizes and CRC that tell the truth. All else is an ArchiveError.
Formats: https://packaging.python.org/specifications/binary-distribution-format/ (PEP 427) and
PKWARE's APPNOTE.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from entrypoint.errors import ArchiveError, Problem
from entrypoint.limits import UNZIPPED_BYTES

RAW_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods that every unzip, Lambda's too, understands; others are compressed anew."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ENCRYPTED = 0x1
_SOUGHT_AFTER = "get another build of it, or report it to its maintainers"


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside a wheel, and where its compressed bytes stand."""

    path: str
    offset: int
    compressed_size: int
    size: int
    crc: int
    method: int
    executable: bool


def read_members(wheel: Path) -> tuple[Member, ...]:
    """Return the wheel's files, without its folders, in the order of the archive.

    Raises:
        ArchiveError: with everything that keeps the wheel from being copied into a layer.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, wheel.open("rb") as file:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            problems = [Problem(f"{wheel.name}: {text}", _SOUGHT_AFTER) for text in _faults(infos)]
            if problems:
                raise ArchiveError(*problems)
            members = tuple(_member(info, file) for info in infos)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise ArchiveError.of(f"{wheel.name} is no sound zip file: {error}", _SOUGHT_AFTER) from None
    _check_extents(wheel, members)
    return members


def _faults(infos: list[zipfile.ZipInfo]) -> Iterator[str]:
    seen: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.filename
        parts = name.split("/")
        if (
            info.orig_filename != name
            or "\\" in name
            or name.startswith("/")
            or not {"", ".", ".."}.isdisjoint(parts)
        ):
            yield f"the path {info.orig_filename!r} leads out of the layer or is not portable"
        if stat.S_ISLNK(info.external_attr >> 16):
            yield f"{name} is a symbolic link, which a wheel may not hold"
        if info.flag_bits & _ENCRYPTED:
            yield f"{name} is encrypted"
        if info.file_size > UNZIPPED_BYTES:
            yield f"{name} unpacks to {info.file_size:,} bytes, more than any layer may hold"
        twin = seen.setdefault(name, info)
        if twin is not info and (twin.CRC, twin.file_size) != (info.CRC, info.file_size):
            yield f"{name} is in it twice, with different content"
    for folder in sorted(folders(seen) & seen.keys()):
        yield f"{folder} is both a file and a folder"


def folders(paths: Iterable[str]) -> set[str]:
    """Return every folder that one of these paths is in, however deep."""
    found: set[str] = set()
    level = set(paths)
    while level := {path.rpartition("/")[0] for path in level} - found - {""}:
        found |= level
    return found


def _member(info: zipfile.ZipInfo, file: BinaryIO) -> Member:
    file.seek(info.header_offset)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\3\4":
        raise zipfile.BadZipFile(f"{info.filename} does not stand where the directory says")
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
    """Refuse members that overlap (a small file that unpacks to a huge one) or reach past the end."""
    end = 0
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset < end:
            raise ArchiveError.of(f"{wheel.name}: {member.path} overlaps another member", _SOUGHT_AFTER)
        end = member.offset + member.compressed_size
    if end > wheel.stat().st_size:
        raise ArchiveError.of(f"{wheel.name} is cut short", "remove it from the cache and fetch it again")


def read_content(wheel: Path, members: tuple[Member, ...]) -> Iterator[tuple[Member, bytes]]:
    """Yield every member with its bytes unpacked, one at a time, after checking size and CRC.

    Raises:
        ArchiveError: where a member does not unpack to what the wheel's directory says of it.
    """
    with wheel.open("rb") as file:
        for member in members:
            try:
                content = _unpack(member, wheel, file)
            except (zlib.error, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
                message = f"{wheel.name}: {member.path} is damaged: {error}"
                raise ArchiveError.of(message, _SOUGHT_AFTER) from None
            if len(content) != member.size or zlib.crc32(content) != member.crc:
                message = f"{wheel.name}: {member.path} is not what its size and CRC say"
                raise ArchiveError.of(message, _SOUGHT_AFTER)
            yield member, content


def _unpack(member: Member, wheel: Path, file: BinaryIO) -> bytes:
    if member.method not in RAW_METHODS:
        return _unpack_rare(member, wheel)
    file.seek(member.offset)
    data = file.read(member.compressed_size)
    if member.method == zipfile.ZIP_STORED:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(data, member.size + 1)
    if not inflater.eof or inflater.unused_data:
        raise ValueError("its compressed bytes do not end where they should")
    return content


def _unpack_rare(member: Member, wheel: Path) -> bytes:
    """Unpack bzip2 and LZMA, which no common tool writes into wheels, by zipfile's own means."""
    import lzma  # noqa: PLC0415 - not every Python has it, and hardly a wheel needs it

    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(member.path)
    except (lzma.LZMAError, RuntimeError, struct.error) as error:  # RuntimeError: an unknown method, too
        raise ValueError(str(error)) from error
