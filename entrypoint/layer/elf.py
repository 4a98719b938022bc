"""What an ELF file asks of the machine that loads it: the only importer of pyelftools."""

import hashlib
from dataclasses import dataclass, field
from typing import IO

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from entrypoint.layer.symbols import size_of_symbols
from entrypoint.wheels.pieces import pieces

MAGIC = b"\x7fELF"
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
# pyelftools lets errors of the parsing underneath through where a header lies about its offsets and sizes.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """A shared object's or executable's needs."""

    #: As in wheel tags (x86_64, aarch64), or the ELF header's own name for any other machine.
    machine: str
    #: The symbol versions it needs of other libraries, as `libc.so.6 GLIBC_2.28`.
    versions: tuple[str, ...]
    #: The libraries it is linked to (DT_NEEDED), by soname.
    needed: tuple[str, ...]
    #: The name that others need it by (DT_SONAME).
    soname: str | None
    #: Where it looks for them before the system does (DT_RUNPATH, else DT_RPATH).
    search_path: tuple[str, ...]
    #: How many bytes of it only debuggers read.
    symbols: int = field(default=0, compare=False)


def read(file: IO[bytes]) -> ElfFacts:
    """Return the facts of an ELF file; ValueError where it is damaged."""
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
    except _DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return ElfFacts(
        machine=_MACHINES.get(machine, machine),
        versions=tuple(sorted(versions)),
        needed=needed,
        soname=soname,
        search_path=tuple(path for paths in search_path for path in paths.split(":") if path),
        symbols=_symbols(file),
    )


def _symbols(file: IO[bytes]) -> int:
    try:
        return size_of_symbols(file)
    except ValueError:
        return 0  # nothing that we could take out


def image(file: IO[bytes]) -> tuple[object, ...]:
    """Return what the loader makes of an ELF file: two files with the same image are the same to it.

    Where in the file things stand is no part of it, only that they can be mapped from there.

    Raises:
        ValueError: where the file is damaged, or a segment does not stand where it can be mapped from.
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
    """Return the hash of a part of the file, but for the headers in it: their fields are compared."""
    digest = hashlib.sha256()
    for hidden in sorted(without):
        first, last = (min(max(location, start), end) for location in hidden)
        for piece in pieces(file, start, first):
            digest.update(piece)
        start = last
    for piece in pieces(file, start, end):
        digest.update(piece)
    return digest.digest()


def _tags(elf: ELFFile, name: str) -> tuple[str, ...]:
    """Return the strings of the dynamic section's tags of one kind, such as DT_NEEDED."""
    return tuple(
        str(getattr(tag, name))
        for segment in elf.iter_segments("PT_DYNAMIC")
        if isinstance(segment, DynamicSegment)
        for tag in segment.iter_tags(f"DT_{name.upper()}")
    )
