"""What an ELF file asks of the machine that loads it: the only importer of pyelftools."""

from dataclasses import dataclass
from io import BytesIO

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

MAGIC = b"\x7fELF"
_MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}


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


def read(data: bytes) -> ElfFacts:
    """Return the facts of an ELF file's bytes; ValueError where it is damaged."""
    try:
        elf = ELFFile(BytesIO(data))
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
    # pyelftools lets errors of the parsing underneath through where a header lies about its offsets.
    except (ELFError, AttributeError, KeyError, IndexError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
    return ElfFacts(
        machine=_MACHINES.get(machine, machine),
        versions=tuple(sorted(versions)),
        needed=needed,
        soname=soname,
        search_path=tuple(path for paths in search_path for path in paths.split(":") if path),
    )


def _tags(elf: ELFFile, name: str) -> tuple[str, ...]:
    """Return the strings of the dynamic section's tags of one kind, such as DT_NEEDED."""
    return tuple(
        str(getattr(tag, name))
        for segment in elf.iter_segments("PT_DYNAMIC")
        if isinstance(segment, DynamicSegment)
        for tag in segment.iter_tags(f"DT_{name.upper()}")
    )
