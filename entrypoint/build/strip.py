"""Compiled code without debug symbols: made once for each wheel, kept, and copied like everything else.

In: a part of a layer. Out: the part with smaller ELF files, and RECORD told of them. Each is compared
with what it was made of: to the loader both must be the same. What cannot be made smaller so stays.
"""

import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from entrypoint.atomic import write_text
from entrypoint.build import elf
from entrypoint.build.assemble import assemble
from entrypoint.build.layout import Entry, Part, compressed, copied, identity, new_record, record_hash
from entrypoint.build.symbols import without_symbols
from entrypoint.build.wheel import Member, read_content, read_members
from entrypoint.runtimes import ROOT

_FORMAT = 1
"""Raised whenever stripped files come out differently, so that what was kept is not believed."""
_LEVEL = 6
"""Of zlib; 9 takes 2.5 times as long for 0.5 % (libarrow.so)."""


class Strip:
    """Strips wheels, each once. Threads may share it, and take turns: libraries take much memory."""

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
            except (OSError, ValueError):
                refused = _strip(part, chosen, kept)
                write_text(told, json.dumps(refused))
        made = {member.path: copied(member.path, member, kept) for member in read_members(kept)}
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
        for entry in chosen:
            try:
                smaller = _entry(archive, members[entry.path])
            except ValueError as error:
                refused[entry.path] = str(error)
                continue
            if smaller:
                made.append(smaller[0])
                hashes[entry.path.removeprefix(ROOT)] = smaller[1]
        for member, content in read_content(archive, tuple(members[entry.path] for entry in records if made)):
            record = new_record(content.decode(), {}, hashes)
            made.append(compressed(member.path, record, executable=member.executable))
    assemble([replace(part, entries=tuple(made))], kept)
    return refused


def _is_record(path: str) -> bool:
    return path.endswith(".dist-info/RECORD") and path.count("/") == ROOT.count("/") + 1


def _entry(archive: Path, member: Member) -> tuple[Entry, tuple[str, str]] | None:
    """Return the entry of a file without symbols, and what RECORD says of it; None where it is no smaller."""
    content = _smaller(archive, member)
    if len(content) >= member.size:
        return None
    entry = compressed(member.path, content, executable=member.executable, level=_LEVEL)
    return entry, record_hash(content)


def _smaller(archive: Path, member: Member) -> bytes:
    """Return a file without symbols; ValueError where it would be loaded differently."""
    [(_, content)] = read_content(archive, (member,))
    smaller = without_symbols(content)
    if elf.read(smaller) != elf.read(content) or elf.image(smaller) != elf.image(content):
        raise ValueError("without them it would be loaded differently")
    return smaller
