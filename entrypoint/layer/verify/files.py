"""Rules about the files of a layer: content, number, size and paths."""

from collections.abc import Iterator

from entrypoint.errors import Diagnostic, Severity
from entrypoint.layer.assemble import Archive
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.targets import Target

_LARGEST = 10
_MAX_FILES = 20_000
_FOR_CPUS = {
    "torch": "use the index https://download.pytorch.org/whl/cpu",
    "tensorflow": "use tensorflow-cpu, or ai-edge-litert if it only runs models",
    "CUDA": "Lambda has no GPU: leave out the packages nvidia-*",
}
_WORTH_STRIPPING = 100_000
"""Bytes of symbols from which on the hint mentions `strip`."""
_IMPORTABLE = (".py", ".pyc", ".so")


def empty_layer(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find a layer without modules; a layer with `content` may contain anything."""
    if not any(entry.path.endswith(_IMPORTABLE) or target.layer.content for entry in archive.entries):
        yield Diagnostic(
            "the layer contains nothing that can be imported", "add a package to its requirements"
        )


def unzipped_size(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find a layer that is over Lambda's limit."""
    if archive.unzipped_size > UNZIPPED_BYTES:
        message = f"the layer unpacks to {archive.unzipped_size:,} bytes; Lambda allows {UNZIPPED_BYTES:,}"
        yield Diagnostic(message, f"split the layer{_or_make_smaller(archive)}")


def size_budget(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find a layer that is over its budget."""
    budget = target.layer.size_budget
    if budget is not None and archive.unzipped_size > budget:
        message = f"the layer unpacks to {archive.unzipped_size:,} bytes, over its size_budget of {budget:,}"
        yield Diagnostic(message, f"raise the budget{_or_make_smaller(archive)}")


def _or_make_smaller(archive: Archive) -> str:
    parts = sorted(archive.parts, key=lambda part: -part.size)[:_LARGEST]
    largest = ", ".join(f"{part.name} {part.size / 1e6:.1f} MB" for part in parts)
    symbols = sum(facts.symbols for part in archive.parts for facts in part.elf.values())
    strip = (
        f", or set 'strip: true', which saves {symbols / 1e6:.1f} MB" if symbols > _WORTH_STRIPPING else ""
    )
    image = ""
    if archive.unzipped_size > UNZIPPED_BYTES and (cpu := _cpu_builds(archive)):
        image = f"; {cpu}; a container image may have 10 GB"
    return f" or leave packages out with 'exclude_packages'{strip}; the largest are {largest}{image}"


def _cpu_builds(archive: Archive) -> str:
    """Return how to get smaller builds of packages that are made for GPUs by default."""
    names = {part.name for part in archive.parts}
    ways = [
        f"for {name}, {way}"
        for name, way in _FOR_CPUS.items()
        if name in names or (name == "CUDA" and any(each.startswith("nvidia-") for each in names))
    ]
    return "; ".join(ways)


def file_count(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find a layer with very many files."""
    if len(archive.entries) > _MAX_FILES:
        message = f"the layer has {len(archive.entries):,} files; each one makes cold starts slower"
        yield Diagnostic(
            message, "list files that are never imported under 'exclude'", severity=Severity.WARNING
        )


def contested_path(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find paths that several packages contain with different content."""
    for conflict in archive.conflicts:
        message = (
            f"several packages contain a different {conflict.path}; the file from {conflict.origin} is used"
        )
        yield Diagnostic(
            message, "check whether both packages are needed in one layer", severity=Severity.WARNING
        )


def case_collision(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find paths that become one file on macOS and Windows."""
    seen: dict[str, str] = {}
    for entry in archive.entries:
        other = seen.setdefault(entry.path.casefold(), entry.path)
        if other != entry.path:
            message = f"{other} and {entry.path} differ only in case"
            yield Diagnostic(
                message, "the layer works in Lambda; unpack it only on Linux", severity=Severity.WARNING
            )
