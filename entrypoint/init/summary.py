"""A draft -> what `init` prints: what was taken over, what was left out and why, what to fill in."""

import os
from pathlib import Path

from entrypoint.init.draft import Draft, Kind, Note
from entrypoint.init.placeholders import in_comment
from entrypoint.printable import printable


def summary(draft: Draft, folder: Path = Path()) -> str:
    """Return the notes of a draft by kind, each with its file and line; empty if there are none.

    Files of notes are relative to the manifest's folder; here, to the working folder.
    """
    notes = dict.fromkeys(draft.all_notes)
    parts = []
    for kind in Kind:
        lines = sorted((note for note in notes if note.kind is kind), key=_order)
        if lines:
            parts.append("\n".join([f"{kind}:", *(f"  {_line(note, folder)}" for note in lines)]))
    return "\n".join(parts)


def _order(note: Note) -> tuple[str, int]:
    return (note.location.file, note.location.line or 0) if note.location else ("", 0)


def _line(note: Note, folder: Path) -> str:
    where = ""
    if note.location and note.location.file:
        file = os.path.normpath(folder / note.location.file)
        where = f"{note.location._replace(file=file)}: "
    return printable(in_comment(f"{where}{' '.join(note.text.split())}"))
