"""Remove symbols from compiled code: once for each wheel, and cached.

In: a part of a layer. Out: the part with smaller ELF files and an updated RECORD. Each stripped file is
compared with the original, and used only if the loader maps the same. Other files stay unchanged.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO

from entrypoint.cache import Cache, Made
from entrypoint.layer import elf
from entrypoint.layer.assemble import assemble
from entrypoint.layer.layout import ArchiveEntry, Part, cache_key, compressed, copied, new_record, record_hash
from entrypoint.layer.symbols import write_without_symbols
from entrypoint.manifest.runtimes import ROOT
from entrypoint.wheels.chunks import CHUNK, chunks
from entrypoint.wheels.wheel import Member, member_facts, members_of, read_content, read_members

_FORMAT = 1
"""Increment when stripped files change, so that existing entries are not reused."""
_KIND = f"stripped/{_FORMAT}"
_LEVEL = 6
"""zlib's compression level; 9 takes 2.5 times as long and saves 0.5 % (libarrow.so)."""


class Strip:
    """Strips parts, from the cache if possible. Threads may share it."""

    def __init__(self, cache: Path) -> None:
        self._cache = Cache(cache)

    def applied(self, part: Part) -> tuple[Part, Mapping[str, str]]:
        """Return the part without symbols, and the reasons why files cannot be stripped, by path."""
        chosen = tuple(entry for entry in part.entries if _has_symbols(part, entry))
        if not chosen:
            return part, {}
        entry = self._cache.get_or_make(
            _KIND, cache_key(part, chosen), lambda folder: _strip(part, chosen, folder)
        )
        members = members_of(entry.facts["members"])
        made = {member.path: copied(member.path, member, entry.file) for member in members}
        small = {path: replace(facts, symbols=0) for path, facts in part.elf.items() if path in made}
        entries = tuple(made.get(entry.path, entry) for entry in part.entries)
        return replace(part, entries=entries, elf={**part.elf, **small}), entry.facts["refused"]


def _has_symbols(part: Part, entry: ArchiveEntry) -> bool:
    return entry.path in part.elf and part.elf[entry.path].symbols > 0


def _strip(part: Part, chosen: Sequence[ArchiveEntry], folder: Path) -> Made:
    """Return an archive of the stripped files and RECORD, with the reasons why others are not stripped."""
    made: list[ArchiveEntry] = []
    refused: dict[str, str] = {}
    hashes: dict[str, tuple[str, str]] = {}
    records = [entry for entry in part.entries if part.contents and _is_record(entry.path)]
    archive = assemble([replace(part, entries=(*chosen, *records))], folder / "elf.zip").path
    members = {member.path: member for member in read_members(archive)}
    with (folder / "deflated").open("wb") as deflated:
        for member, content in read_content(archive, [members[entry.path] for entry in chosen]):
            try:
                smaller = _entry(member, content, deflated)
            except ValueError as error:
                refused[member.path] = str(error)
                continue
            if smaller:
                made.append(smaller[0])
                hashes[member.path.removeprefix(ROOT)] = smaller[1]
    for member, content in read_content(archive, [members[entry.path] for entry in records if made]):
        record = new_record(content.read(), {}, hashes, origin=part.origin)
        made.append(compressed(member.path, record, executable=member.executable))
    stripped = assemble([replace(part, entries=tuple(made))], folder / "stripped.zip").path
    facts = {"members": member_facts(read_members(stripped)), "refused": refused}
    return Made(facts=facts, file=stripped)


def _is_record(path: str) -> bool:
    return path.endswith(".dist-info/RECORD") and path.count("/") == ROOT.count("/") + 1


def _entry(
    member: Member, content: IO[bytes], deflated: BinaryIO
) -> tuple[ArchiveEntry, tuple[str, str]] | None:
    """Compress a file without its symbols; return its entry and its fields in RECORD.

    None if it would not be smaller; ValueError if it would be loaded differently.
    """
    with tempfile.SpooledTemporaryFile(max_size=CHUNK) as smaller:
        if not write_without_symbols(content, smaller):
            return None
        if elf.read(smaller) != elf.read(content) or elf.image(smaller) != elf.image(content):
            raise ValueError("the stripped file would be loaded differently")
        return _deflated(member, smaller, deflated)


def _deflated(member: Member, content: IO[bytes], out: BinaryIO) -> tuple[ArchiveEntry, tuple[str, str]]:
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    start, size, crc, digest = out.tell(), 0, 0, hashlib.sha256()
    for chunk in chunks(content, 0, member.size):
        out.write(deflater.compress(chunk))
        size += len(chunk)
        crc = zlib.crc32(chunk, crc)
        digest.update(chunk)
    out.write(deflater.flush())
    entry = ArchiveEntry(
        path=member.path,
        executable=member.executable,
        size=size,
        compressed_size=out.tell() - start,
        crc=crc,
        method=zlib.DEFLATED,
        source=Path(out.name),
        offset=start,
    )
    return entry, record_hash(digest.digest(), size)
