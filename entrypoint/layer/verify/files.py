"""Rules about the files of a layer: that there are some, how many, how large, and under which paths."""

from collections.abc import Iterator

from entrypoint.layer.assemble import Archive
from entrypoint.layer.verify.findings import Claim, Severity
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.targets import Target

_LARGEST = 10
_MANY_FILES = 20_000
_MUCH = 100_000
_IMPORTABLE = (".py", ".pyc", ".so")


def empty_layer(archive: Archive, target: Target) -> Iterator[Claim]:
    """Nothing in it can be imported, or there is nothing at all."""
    if not any(entry.path.endswith(_IMPORTABLE) or target.layer.content for entry in archive.entries):
        yield Claim(Severity.ERROR, "nothing in it can be imported", "name a package in its requirements")


def unzipped_size(archive: Archive, _: Target) -> Iterator[Claim]:
    """It is larger than Lambda takes."""
    if archive.unzipped_size > UNZIPPED_BYTES:
        message = f"it unpacks to {archive.unzipped_size:,} bytes, where Lambda takes {UNZIPPED_BYTES:,}"
        yield Claim(Severity.ERROR, message, f"split it{_ways_out(archive)}")


def size_budget(archive: Archive, target: Target) -> Iterator[Claim]:
    """It is larger than the manifest allows."""
    budget = target.layer.size_budget
    if budget is not None and archive.unzipped_size > budget:
        message = f"it unpacks to {archive.unzipped_size:,} bytes, over its size_budget of {budget:,}"
        yield Claim(Severity.ERROR, message, f"raise the budget{_ways_out(archive)}")


def _ways_out(archive: Archive) -> str:
    parts = sorted(archive.parts, key=lambda part: -part.size)[:_LARGEST]
    largest = ", ".join(f"{part.name} {part.size / 1e6:.1f} MB" for part in parts)
    symbols = sum(facts.symbols for part in archive.parts for facts in part.elf.values())
    strip = f", or write 'strip: true', which takes off {symbols / 1e6:.1f} MB" if symbols > _MUCH else ""
    return f" or leave packages out{strip}; the largest are {largest}"


def file_count(archive: Archive, _: Target) -> Iterator[Claim]:
    """It has so many files that unpacking them is felt."""
    if len(archive.entries) > _MANY_FILES:
        message = f"it has {len(archive.entries):,} files, and each makes the first start slower"
        yield Claim(Severity.WARNING, message, "leave out what is never imported, with 'exclude'")


def contested_path(archive: Archive, _: Target) -> Iterator[Claim]:
    """Several packages hold different files under one path."""
    for conflicts in archive.conflicts:
        message = f"several packages hold a different {conflicts.path}; the one of {conflicts.origin} is used"
        yield Claim(Severity.WARNING, message, "see whether both packages are needed in one layer")


def case_collision(archive: Archive, _: Target) -> Iterator[Claim]:
    """Two paths differ in nothing but case: one file less on macOS and Windows."""
    seen: dict[str, str] = {}
    for entry in archive.entries:
        other = seen.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            message = f"{other} and {entry.path} differ in nothing but case"
            yield Claim(Severity.WARNING, message, "it works in Lambda; unpack it on Linux only")
