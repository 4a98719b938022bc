"""The files of an index -> the best compatible one for a platform.

Pure decisions: nothing here accesses the network.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

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

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.index.tags import tag_ranks
from entrypoint.manifest.runtimes import Platform


class ServerRefusedError(FetchError):
    """A server refused a request; `status` is that of HTTP."""

    def __init__(self, status: int, problem: Diagnostic) -> None:
        super().__init__(problem)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """A file as its index lists it (PEP 503, PEP 691); `sha256` is hex, or None if it is not listed."""

    filename: str
    url: str
    sha256: str | None
    requires_python: str | None = None
    #: Why it was yanked (PEP 592), empty if no reason is given; None if it was not.
    yanked: str | None = None
    size: int | None = None
    #: When it was uploaded, as listed (PEP 700).
    uploaded: str | None = None
    #: Whether its METADATA can be read without the file (PEP 658).
    has_metadata: bool = False


def choose(pin: Pin, files: Iterable[IndexFile], platform: Platform) -> IndexFile | None:
    """Return the wheel for a pin: the best tag, then the highest build tag; None if none is compatible.

    Yanked files are included, as a pin names its version exactly (PEP 592).
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


def yank_reason(pin: Pin, files: Iterable[IndexFile]) -> str | None:
    """Return why all files of a version were yanked, empty without a reason; None if some were not."""
    version = Version(pin.version)
    found = [file.yanked for file in files if version_of(file.filename) == version]
    return next((reason for reason in found if reason), "") if found and None not in found else None


def choose_sdist(pin: Pin, files: Iterable[IndexFile], platform: Platform) -> IndexFile | None:
    """Return the source distribution for a pin: .tar.gz (PEP 625) before .zip; None if there is none."""
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
    """Whether a version has a compatible wheel, or a source distribution that may be compiled."""
    files = tuple(files)
    if not options.wants_source(pin.name) and choose(pin, files, platform):
        return True
    return not options.refuses_source(pin.name) and choose_sdist(pin, files, platform) is not None


def preference(filename: str, platform: Platform) -> tuple[int, int, str]:
    """Return the sort key of a compatible wheel: best tag first, then the highest build number."""
    number, letters = _parsed(filename)[1] or (-1, "")
    rank = fit(filename, platform)
    return (len(tag_ranks(platform)) if rank is None else rank, -number, letters)


def fit(filename: str, platform: Platform) -> int | None:
    """Return the rank of a wheel's best tag, 0 being the best; None if it is incompatible."""
    ranks = tag_ranks(platform)
    return min((ranks[tag] for tag in wheel_tags(filename) if tag in ranks), default=None)


def accepts_python(requires_python: str | None, platform: Platform) -> bool:
    """Whether the platform satisfies `Requires-Python`; an invalid one is ignored, as in pip."""
    if not requires_python or platform.runtime.python is None:
        return True
    try:
        return SpecifierSet(requires_python).contains(platform.runtime.python, prereleases=True)
    except InvalidSpecifier:
        return True


def is_allowed(file: IndexFile, pin: Pin) -> bool:
    """Whether the hashes of a pin allow a file; one without a listed hash is checked after its download."""
    return not pin.hashes or file.sha256 is None or f"sha256:{file.sha256}" in pin.hashes


def is_wheel_of(filename: str, version: str) -> bool:
    """Whether a filename is that of a wheel of a version.

    The version is compared first: an index lists thousands of wheels, and parsing all their tags takes longer
    than fetching the list.
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
    """Return the version in the name of a wheel or source distribution; None for any other file."""
    try:
        if filename.endswith(".whl"):
            return _parsed(filename)[0]
        return parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


def wheel_tags(filename: str) -> frozenset[Tag]:
    """Return the tags of a wheel, with compressed sets expanded (PEP 425)."""
    return _parsed(filename)[2]


@lru_cache(maxsize=4096)
def _parsed(filename: str) -> tuple[Version, BuildTag, frozenset[Tag]]:
    _, version, build, tags = parse_wheel_filename(filename)
    return version, build, tags
