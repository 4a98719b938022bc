"""The requirements of ELF files.

What reads a file is imported for the first one: its library takes long to import, and the facts of most files
are in the cache.
"""

from dataclasses import dataclass, field
from typing import IO

MAGIC = b"\x7fELF"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """The requirements of a shared object or executable."""

    #: As in wheel tags (x86_64, aarch64); for other machines, the name in the ELF header.
    machine: str
    #: The symbol versions that it requires from other libraries, as `libc.so.6 GLIBC_2.28`.
    versions: tuple[str, ...]
    #: The libraries it is linked to (DT_NEEDED), by soname.
    needed: tuple[str, ...]
    #: The name by which other files link to it (DT_SONAME).
    soname: str | None
    #: Where the loader looks for libraries before the system's folders (DT_RUNPATH, else DT_RPATH).
    search_path: tuple[str, ...]
    #: Whether it has the function by which Python starts an extension module.
    is_module: bool = False
    #: The size in bytes of symbols and debug sections.
    symbols: int = field(default=0, compare=False)


def read(file: IO[bytes]) -> ElfFacts:
    """Return the facts of an ELF file; ValueError if it is damaged."""
    from entrypoint.layer import elf_file  # noqa: PLC0415 - see above

    return elf_file.read(file)


def image(file: IO[bytes]) -> tuple[object, ...]:
    """Return what the loader maps of an ELF file; files with the same image behave the same.

    Raises:
        ValueError: if the file is damaged, or the offset of a segment does not allow mapping.
    """
    from entrypoint.layer import elf_file  # noqa: PLC0415 - see above

    return elf_file.image(file)
