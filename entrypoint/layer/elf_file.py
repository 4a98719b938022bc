"""Reads ELF files: the only importer of pyelftools."""

import hashlib
from collections.abc import Iterator
from typing import IO

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.symbols import size_of_symbols
from entrypoint.wheels.chunks import chunks

_INIT = b"PyInit_"
"""How the name of that function begins: https://docs.python.org/3/extending/building.html."""
_LARGEST_NAMES = 64 << 20
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
# Errors that pyelftools raises for headers with wrong offsets and sizes.
_DAMAGED = (
    ELFError,
    AttributeError,
    AssertionError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
)


def read(file: IO[bytes]) -> ElfFacts:
    """Return the facts of an ELF file; ValueError if it is damaged."""
    try:
        elf = ELFFile(file)
        machine = str(elf["e_machine"])
        versions = {
            f"{library.name} {version.name}"
            for section in elf.iter_sections("SHT_GNU_verneed")
            if isinstance(section, GNUVerNeedSection)
            for library, needs in section.iter_versions()
            for version in needs
        }
        needed = _tags(elf, "needed")
        soname = next(iter(_tags(elf, "soname")), None)
        search_path = _tags(elf, "runpath") or _tags(elf, "rpath")
        is_module = any(_INIT in names for names in _names(elf, file))
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return ElfFacts(
        machine=_MACHINES.get(machine, machine),
        versions=tuple(sorted(versions)),
        needed=needed,
        soname=soname,
        search_path=tuple(path for paths in search_path for path in paths.split(":") if path),
        is_module=is_module,
        symbols=_symbols(file),
    )


def _names(elf: ELFFile, file: IO[bytes]) -> Iterator[bytes]:
    """Yield the table with the names of the symbols that the loader sees."""
    for segment in elf.iter_segments("PT_DYNAMIC"):
        if isinstance(segment, DynamicSegment):
            sizes = [tag.entry.d_val for tag in segment.iter_tags("DT_STRSZ")]
            _, offset = segment.get_table_offset("DT_STRTAB")
            if sizes and offset is not None and sizes[0] <= _LARGEST_NAMES:
                file.seek(offset)
                yield file.read(sizes[0])


def _symbols(file: IO[bytes]) -> int:
    try:
        return size_of_symbols(file)
    except ValueError:
        return 0  # none that can be removed


def image(file: IO[bytes]) -> tuple[object, ...]:
    """Return what the loader maps of an ELF file; files with the same image behave the same.

    Offsets in the file are not part of the image, but must allow mapping.

    Raises:
        ValueError: if the file is damaged, or the offset of a segment does not allow mapping.
    """
    try:
        elf = ELFFile(file)
        table = elf["e_phoff"]
        headers = ((0, elf.structs.Elf_Ehdr.sizeof()), (table, table + elf["e_phnum"] * elf["e_phentsize"]))
        kept = [
            elf["e_ident"],
            *(elf[name] for name in ("e_type", "e_machine", "e_version", "e_entry", "e_flags")),
        ]
        for segment in elf.iter_segments():
            fields = dict(segment.header)
            start = fields.pop("p_offset")
            kept.append(fields)
            if fields["p_type"] == "PT_LOAD":
                if (start - fields["p_vaddr"]) % max(fields["p_align"], 1):
                    raise ValueError("a segment is not aligned")
                kept.append(_digest(file, start, start + fields["p_filesz"], headers))
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return tuple(kept)


def _digest(file: IO[bytes], start: int, end: int, without: tuple[tuple[int, int], ...]) -> bytes:
    """Return the hash of a range of the file without the headers in it, whose fields are compared."""
    digest = hashlib.sha256()
    for hidden in sorted(without):
        first, last = (min(max(offset, start), end) for offset in hidden)
        for chunk in chunks(file, start, first):
            digest.update(chunk)
        start = last
    for chunk in chunks(file, start, end):
        digest.update(chunk)
    return digest.digest()


def _tags(elf: ELFFile, name: str) -> tuple[str, ...]:
    """Return the strings of one kind of tag in the dynamic section, such as DT_NEEDED."""
    return tuple(
        str(getattr(tag, name))
        for segment in elf.iter_segments("PT_DYNAMIC")
        if isinstance(segment, DynamicSegment)
        for tag in segment.iter_tags(f"DT_{name.upper()}")
    )
