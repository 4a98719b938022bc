"""The part of a layer with the files of the repository."""

from collections.abc import Sequence
from io import BytesIO

from entrypoint.layer import elf
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.foreign import HEAD, system_of
from entrypoint.layer.layout import Part, compressed
from entrypoint.layer.repository_files import RepositoryFile
from entrypoint.manifest.model import Layer


def repository_part(layer: Layer, files: Sequence[RepositoryFile]) -> Part:
    """Return a part with these files."""
    facts: dict[str, ElfFacts] = {}
    damaged: dict[str, str] = {}
    foreign: dict[str, str] = {}
    entries = []
    for file in files:
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
