"""The files an index offers: a listing goes in, the one that fits a platform best comes out.

Pure decisions; the index itself is handed in by whoever holds it, and has only to be an `Index`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import (
    BuildTag,
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.index.tags import tag_ranks
from entrypoint.manifest.runtimes import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file as its index lists it (PEP 503, PEP 691); `sha256` is hex, None where none is listed."""

    filename: str
    url: str
    sha256: str | None
    requires_python: str | None = None
    yanked: bool = False
    size: int | None = None
    #: Its METADATA can be read without the file (PEP 658).
    has_metadata: bool = False


class Index(Protocol):
    """Where packages come from: one index or many, told apart by nobody here."""

    def files(self, name: str) -> tuple[IndexFile, ...]:
        """List all files of a package; none where no index knows it."""
        ...

    def download(
        self, file: IndexFile, destination: Path, *, received: Callable[[int], None] | None = None
    ) -> str:
        """Write a file, whole or not at all, and return its SHA-256 as hex.

        `received` hears the size of every chunk; what it raises ends the download.
        """
        ...

    def metadata(self, file: IndexFile) -> bytes:
        """Read the METADATA of a file that `has_metadata`."""
        ...


def choose(pin: Pin, files: Iterable[IndexFile], platform: Platform) -> IndexFile | None:
    """Pick the wheel for a pin: best tag first, then the highest build tag; None when none fits.

    Yanked files serve as well: a pin names its version exactly (PEP 592).
    """
    wheels = [
        file
        for file in files
        if is_wheel_of(file.filename, pin.version)
        and is_allowed(file, pin)
        and fit(file.filename, platform) is not None
        and accepts_python(file.requires_python, platform)
    ]
    return min(wheels, key=lambda file: preference(file.filename, platform), default=None)


def choose_sdist(pin: Pin, files: Iterable[IndexFile], platform: Platform) -> IndexFile | None:
    """Pick the source of a pin: .tar.gz, the format of PEP 625, before .zip; None when there is none."""
    sources = [
        file
        for file in files
        if not file.filename.endswith(".whl")
        and version_of(file.filename) == Version(pin.version)
        and is_allowed(file, pin)
        and accepts_python(file.requires_python, platform)
    ]
    return min(sources, key=lambda file: (not file.filename.endswith(".tar.gz"), file.filename), default=None)


def usable(pin: Pin, files: Iterable[IndexFile], platform: Platform, options: IndexOptions) -> bool:
    """Whether a version has a wheel that fits, or a source that may be compiled."""
    files = tuple(files)
    if not options.wants_source(pin.name) and choose(pin, files, platform):
        return True
    return not options.refuses_source(pin.name) and choose_sdist(pin, files, platform) is not None


def preference(filename: str, platform: Platform) -> tuple[int, int, str]:
    """Sort key of fitting wheels, best first; a higher build number comes before a lower one."""
    number, letters = _parsed(filename)[1] or (-1, "")
    rank = fit(filename, platform)
    return (len(tag_ranks(platform)) if rank is None else rank, -number, letters)


def fit(filename: str, platform: Platform) -> int | None:
    """Rank a wheel by its best tag, 0 being the best; None when the platform accepts none of them."""
    ranks = tag_ranks(platform)
    return min((ranks[tag] for tag in wheel_tags(filename) if tag in ranks), default=None)


def accepts_python(requires_python: str | None, platform: Platform) -> bool:
    """Judge `Requires-Python` for the platform; one that cannot be read excludes nothing, as for pip."""
    if not requires_python or platform.runtime.python is None:
        return True
    try:
        return SpecifierSet(requires_python).contains(platform.runtime.python, prereleases=True)
    except InvalidSpecifier:
        return True


def is_allowed(file: IndexFile, pin: Pin) -> bool:
    """Whether the hashes of a pin admit a file; one without a listed hash is judged once it is here."""
    return not pin.hashes or file.sha256 is None or f"sha256:{file.sha256}" in pin.hashes


def is_wheel_of(filename: str, version: str) -> bool:
    """Whether a filename is that of a wheel of a version.

    The version's text is looked at first: an index lists thousands of wheels, and reading all their tags
    would take longer than fetching the list.
    """
    if not filename.endswith(".whl"):
        return False
    _, _, rest = filename.partition("-")
    return _is_version(rest.partition("-")[0], version) and version_of(filename) is not None


@lru_cache(maxsize=65536)
def _is_version(text: str, version: str) -> bool:
    try:
        return Version(text) == Version(version)
    except InvalidVersion:
        return False


def version_of(filename: str) -> Version | None:
    """Read the version from the name of a wheel or an sdist; None for any other file."""
    try:
        if filename.endswith(".whl"):
            return _parsed(filename)[0]
        return parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def wheel_tags(filename: str) -> frozenset[Tag]:
    """The tags of a wheel, compressed sets spread out (PEP 425)."""
    return _parsed(filename)[2]


@lru_cache(maxsize=4096)
def _parsed(filename: str) -> tuple[Version, BuildTag, frozenset[Tag]]:
    _, version, build, tags = parse_wheel_filename(filename)
    return version, build, tags
