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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from entrypoint.errors import ArchiveError, Diagnostic
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.wheels.pieces import PIECE, pieces

RAW_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Compression methods that every unzip, Lambda's too, understands; others are compressed anew."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LZMA = struct.Struct("<2xHBL")
"""A version, the size of what follows, the coder's parameters in one byte, the dictionary's size."""
_ENCRYPTED = 0x1
_SPECIAL_PARTS = frozenset({"", ".", ".."})
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


def member_facts(members: Iterable[Member]) -> list[list[object]]:
    """Return members as JSON, for the cache."""
    return [list(astuple(member)) for member in members]


def members_of(facts: Iterable[Sequence[Any]]) -> tuple[Member, ...]:
    """Return the members that `member_facts` made JSON of."""
    return tuple(Member(*values) for values in facts)


def read_members(wheel: Path) -> tuple[Member, ...]:
    """Return the wheel's files, without its folders, in the order of the archive.

    Raises:
        ArchiveError: with everything that keeps the wheel from being copied into a layer.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, wheel.open("rb") as file:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            problems = [Diagnostic(f"{wheel.name}: {text}", _SOUGHT_AFTER) for text in _faults(infos)]
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
        if info.orig_filename != name or not is_safe_path(name):
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


def is_safe_path(path: str) -> bool:
    """Whether a path is relative, portable, and without `.`, `..` and empty parts."""
    return "\\" not in path and "\0" not in path and _SPECIAL_PARTS.isdisjoint(path.split("/"))


def folders(paths: Iterable[str]) -> set[str]:
    """Return every folder that one of these paths is in, however deep."""
    found: set[str] = set()
    level = set(paths)
    while level := {path.rpartition("/")[0] for path in level} - found - {""}:
        found |= level
    return found


def _member(info: zipfile.ZipInfo, file: IO[bytes]) -> Member:
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


def read_content(wheel: Path, members: Sequence[Member]) -> Iterator[tuple[Member, IO[bytes]]]:
    """Yield every member with its bytes unpacked, one at a time, after checking size and CRC.

    The bytes are a file at its start, closed when the next one is asked for; a large one is not in memory.

    Raises:
        ArchiveError: where a member does not unpack to what the wheel's directory says of it.
    """
    with wheel.open("rb") as file:
        for member in members:
            with SpooledTemporaryFile(max_size=PIECE) as content:
                try:
                    _write_checked(member, _unpacked(member, file), content)
                except (zlib.error, ImportError, ValueError) as error:
                    message = f"{wheel.name}: {member.path} is damaged: {error}"
                    raise ArchiveError.of(message, _SOUGHT_AFTER) from None
                content.seek(0)
                yield member, content


def _write_checked(member: Member, unpacked: Iterator[bytes], content: IO[bytes]) -> None:
    size = crc = 0
    for piece in unpacked:
        size += len(piece)
        if size > member.size:
            break
        crc = zlib.crc32(piece, crc)
        content.write(piece)
    if (size, crc) != (member.size, member.crc):
        raise ValueError("it is not what its size and CRC say")


def _unpacked(member: Member, file: IO[bytes]) -> Iterator[bytes]:
    raw = pieces(file, member.offset, member.offset + member.compressed_size)
    if member.method == zipfile.ZIP_STORED:
        return raw
    if member.method == zipfile.ZIP_DEFLATED:
        return _inflated(raw)
    return _unpacked_rare(member, raw)


def _inflated(raw: Iterator[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflater.eof:
        data = inflater.unconsumed_tail or next(raw, b"")
        piece = inflater.decompress(data, PIECE)
        if not data and not piece:
            raise ValueError("its compressed bytes end too soon")
        yield piece
    if inflater.unused_data or next(raw, b""):
        raise ValueError("its compressed bytes do not end where they should")


def _unpacked_rare(member: Member, raw: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack bzip2 and LZMA, which no common tool writes into wheels.

    Not by zipfile, which unpacks whole chunks however large they get: a small file would take all memory.
    """
    import bz2  # noqa: PLC0415 - not every Python has these two, and hardly a wheel needs them
    import lzma  # noqa: PLC0415

    if member.method not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        raise ValueError(f"it is compressed by method {member.method}, which hardly anything can unpack")
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
            piece = decompressor.decompress(data, min(left, PIECE))
            if asks and not data and not piece:
                return
            left -= len(piece)
            yield piece
    except (lzma.LZMAError, OSError) as error:
        raise ValueError(str(error)) from error


def _lzma_filter(header: bytes, size: int) -> dict[str, int]:
    """Read what stands before LZMA data (APPNOTE 5.8.8); the dictionary is no larger than the member."""
    import lzma  # noqa: PLC0415

    if len(header) != _LZMA.size:
        raise ValueError("its compressed bytes end too soon")
    length, packed, dictionary = _LZMA.unpack(header)
    if length != _LZMA.size - 4:
        raise ValueError("its LZMA properties have an unknown size")
    rest, lc = divmod(packed, 9)
    pb, lp = divmod(rest, 5)
    return {
        "id": lzma.FILTER_LZMA1,
        "lc": lc,
        "lp": lp,
        "pb": pb,
        "dict_size": min(dictionary, max(size, 4096)),
    }
