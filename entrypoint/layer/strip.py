"""Compiled code without debug symbols: made once for each wheel, kept, and copied like everything else.

In: a part of a layer. Out: the part with smaller ELF files, and RECORD told of them. Each is compared
with what it was made of: to the loader both must be the same. What cannot be made smaller so stays.
"""

import hashlib
import json
import tempfile
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO

from entrypoint.errors import ArchiveError
from entrypoint.files import write_text
from entrypoint.layer import elf
from entrypoint.layer.assemble import assemble
from entrypoint.layer.layout import Entry, Part, compressed, copied, identity, new_record, record_hash
from entrypoint.layer.symbols import write_without_symbols
from entrypoint.manifest.runtimes import ROOT
from entrypoint.wheels.pieces import PIECE, pieces
from entrypoint.wheels.wheel import Member, read_content, read_members

_FORMAT = 1
"""Raised whenever stripped files come out differently, so that what was kept is not believed."""
_LEVEL = 6
"""Of zlib; 9 takes 2.5 times as long for 0.5 % (libarrow.so)."""


class Strip:
    """Strips wheels, each once. Threads may share it, and take turns, so that none does another's work."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "stripped" / str(_FORMAT)
        self._turn = threading.Lock()

    def applied(self, part: Part) -> tuple[Part, Mapping[str, str]]:
        """Return the part without symbols, and the files that keep theirs, each with the reason."""
        chosen = tuple(entry for entry in part.entries if _has_symbols(part, entry))
        if not chosen:
            return part, {}
        kept = self._folder / f"{identity(part, chosen)}.zip"
        told = kept.with_suffix(".json")
        with self._turn:
            try:
                refused: dict[str, str] = json.loads(told.read_bytes())
                members = read_members(kept)
            except (OSError, ValueError, ArchiveError):  # it is not there, or was cut off
                refused = _strip(part, chosen, kept)
                write_text(told, json.dumps(refused))
                members = read_members(kept)
        made = {member.path: copied(member.path, member, kept) for member in members}
        small = {path: replace(facts, symbols=0) for path, facts in part.elf.items() if path in made}
        entries = tuple(made.get(entry.path, entry) for entry in part.entries)
        return replace(part, entries=entries, elf={**part.elf, **small}), refused


def _has_symbols(part: Part, entry: Entry) -> bool:
    return entry.path in part.elf and part.elf[entry.path].symbols > 0


def _strip(part: Part, chosen: Sequence[Entry], kept: Path) -> dict[str, str]:
    """Put what can be stripped, and the RECORD that tells of it, into `kept`; return why the rest cannot."""
    made: list[Entry] = []
    refused: dict[str, str] = {}
    hashes: dict[str, tuple[str, str]] = {}
    records = [entry for entry in part.entries if part.contents and _is_record(entry.path)]
    with tempfile.TemporaryDirectory(prefix="lambda-layers-strip-") as folder:
        archive = assemble([replace(part, entries=(*chosen, *records))], Path(folder) / "elf.zip").path
        members = {member.path: member for member in read_members(archive)}
        with Path(folder, "deflated").open("wb") as deflated:
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
        assemble([replace(part, entries=tuple(made))], kept)
    return refused


def _is_record(path: str) -> bool:
    return path.endswith(".dist-info/RECORD") and path.count("/") == ROOT.count("/") + 1


def _entry(member: Member, content: IO[bytes], deflated: BinaryIO) -> tuple[Entry, tuple[str, str]] | None:
    """Deflate a file without its symbols; return its entry, and what RECORD says of it.

    None where it is no smaller; ValueError where it would be loaded differently.
    """
    with tempfile.SpooledTemporaryFile(max_size=PIECE) as smaller:
        if not write_without_symbols(content, smaller):
            return None
        if elf.read(smaller) != elf.read(content) or elf.image(smaller) != elf.image(content):
            raise ValueError("without them it would be loaded differently")
        return _deflated(member, smaller, deflated)


def _deflated(member: Member, content: IO[bytes], out: BinaryIO) -> tuple[Entry, tuple[str, str]]:
    deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    start, size, crc, digest = out.tell(), 0, 0, hashlib.sha256()
    for piece in pieces(content, 0, member.size):
        out.write(deflater.compress(piece))
        size += len(piece)
        crc = zlib.crc32(piece, crc)
        digest.update(piece)
    out.write(deflater.flush())
    entry = Entry(
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
