"""The part of a layer with the files of the repository."""

import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO

from entrypoint.layer import elf
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.foreign import HEAD, system_of
from entrypoint.layer.layout import ArchiveEntry, Part, compressed
from entrypoint.layer.repository_files import RepositoryFile
from entrypoint.manifest.model import Layer


def repository_part(layer: Layer, files: Sequence[RepositoryFile]) -> Part:
    """Return a part with these files."""
    facts: dict[str, ElfFacts] = {}
    damaged: dict[str, str] = {}
    foreign: dict[str, str] = {}
    entries = []
    for file in files:
        if file.link is not None:
            entries.append(_link(file.path, file.link.encode()))
            continue
        content = file.source.read_bytes()
        entries.append(compressed(file.path, content, executable=file.executable))
        if content.startswith(elf.MAGIC):
            try:
                facts[file.path] = elf.read(BytesIO(content))
            except ValueError as error:
                damaged[file.path] = str(error)
        elif system := system_of(content[:HEAD]):
            foreign[file.path] = system
    name = ", ".join(location.name for location in (*layer.include, *filter(None, [layer.content])))
    return Part(name=name, origin=name, entries=tuple(entries), elf=facts, damaged=damaged, foreign=foreign)


def _link(path: str, target: bytes) -> ArchiveEntry:
    return ArchiveEntry(
        path=path,
        executable=False,
        size=len(target),
        compressed_size=len(target),
        crc=zlib.crc32(target),
        method=zipfile.ZIP_STORED,
        data=target,
        is_link=True,
    )
