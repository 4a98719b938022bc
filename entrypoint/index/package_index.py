"""Package indexes: names -> listings and files.

The locations are those of pip's configuration. What reads them (`locations.py`) is imported at the first
request: its libraries take a fifth of a second, and most runs find everything in the cache.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.built_sources import BuiltSources
from entrypoint.index.candidates import IndexFile, ServerRefusedError
from entrypoint.index.direct_file import DirectFile
from entrypoint.index.options import IndexOptions, plain_url, without_credentials
from entrypoint.index.pip_settings import combined, read_pip_settings
from entrypoint.index.project_sources import ProjectIndex
from entrypoint.index.sources import GitCommit, SourceFolder

if TYPE_CHECKING:
    from entrypoint.index.locations import Locations
    from entrypoint.index.responses import ResponseLimits

_FORBIDDEN = 403


class PackageIndex:
    """All indexes and find-links locations together. Thread-safe; reads nothing before the first request.

    Args:
        options: those of requirements files, which extend pip's configuration.
        environment: the variables for pip.
        variables: the values for `${NAME}` in URLs.
        pause: waits the given number of seconds between attempts.
        limits: for responses of servers.
    """

    def __init__(
        self,
        options: IndexOptions | None = None,
        *,
        environment: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
        pause: Callable[[float], None] | None = None,
        limits: "ResponseLimits | None" = None,
    ) -> None:
        self._extra_options = options or IndexOptions()
        self._environment = environment
        self._variables = variables or {}
        self._pause = pause or time.sleep
        self._limits = limits
        self._listings: dict[str, tuple[IndexFile, ...]] = {}
        self._by_index: dict[str, dict[str, tuple[IndexFile, ...]]] = {}
        self._built = BuiltSources()
        self._find_links: dict[str, dict[str, list[IndexFile]]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._setting_up = threading.RLock()
        self._opened: Locations | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all open connections."""
        if self._opened is not None:
            self._opened.close()

    def files(self, name: str) -> tuple[IndexFile, ...]:
        """List the files of a package in all locations, find-links first; each filename once."""
        name = canonicalize_name(name)
        with self._lock_of(name):
            if name not in self._listings:
                direct = self._options.direct_of(name)
                self._by_index[name] = {}
                self._listings[name] = self._of(direct) if direct else tuple(self._listing(name))
            return self._listings[name]

    def download(
        self, file: IndexFile, destination: Path, *, received: Callable[[int], None] | None = None
    ) -> str:
        """Write a file atomically and return its SHA-256 as hex.

        Raises:
            FetchError: if it cannot be downloaded, or its hash or size differs from the listed one.
        """
        if self._built.write(file, destination):
            return file.sha256 or ""
        count = received or (lambda _: None)
        sha256, size = self._locations.download(file, destination, received=count)
        if file.sha256 in {None, sha256} and file.size in {None, size}:
            return sha256
        destination.unlink()
        listed = [f"sha256:{file.sha256}"] if file.sha256 else []
        listed += [f"{file.size} bytes"] if file.size else []
        message = (
            f"{file.filename} differs from the index's listing: expected {' and '.join(listed)}, "
            f"got sha256:{sha256} and {size} bytes"
        )
        hint = "retry; if it fails again, a proxy or the index returns corrupt files"
        raise FetchError(Diagnostic(message, hint))

    def stated_indexes(self, file: IndexFile) -> tuple[ProjectIndex, ...]:
        """Return the indexes that a commit takes its requirements from."""
        return self._built.indexes(file)

    def stated_metadata(self, file: IndexFile) -> bytes | None:
        """Return the METADATA that a folder or a commit states; None for a file of an index."""
        return self._built.metadata(file)

    def metadata(self, file: IndexFile) -> bytes:
        """Return the METADATA that the index has for a file (PEP 658)."""
        return self._locations.metadata(file)

    @property
    def urls(self) -> frozenset[str]:
        """The URLs of the indexes, as `plain_url` returns them."""
        return frozenset(map(plain_url, self._urls))

    @property
    def cutoffs(self) -> tuple[str, ...]:
        """Return the settings of pip and uv that leave out new versions; they are not used here."""
        pip = read_pip_settings(self._environment).has_cutoff
        names = {"uploaded-prior-to of pip": pip, "UV_EXCLUDE_NEWER": "UV_EXCLUDE_NEWER" in self._environment}
        return tuple(name for name, is_set in names.items() if is_set)

    def index_for(self, name: str) -> str | None:
        """Return the only index of a package; None if it may be in any."""
        return self._options.index_for(canonicalize_name(name))

    def by_index(self, name: str) -> Mapping[str, tuple[IndexFile, ...]]:
        """Return the files of a package in each of the indexes that list it."""
        name = canonicalize_name(name)
        self.files(name)
        return {url: files for url, files in self._by_index[name].items() if files}

    def mask(self, text: str) -> str:
        """Replace every credential in a text for output."""
        return without_credentials(text)

    def _of(self, direct: DirectFile | GitCommit | SourceFolder) -> tuple[IndexFile, ...]:
        return (_of_url(direct),) if isinstance(direct, DirectFile) else self._built.files(direct)

    def _lock_of(self, key: str) -> threading.Lock:
        with self._setting_up:
            return self._locks.setdefault(key, threading.Lock())

    def _listing(self, name: str) -> Iterator[IndexFile]:
        seen: set[str] = set()
        refused: list[Diagnostic] = []
        found = self._by_index[name]
        for url, source in self._sources(name):
            try:
                files = tuple(file for file in source if _is_of(file.filename, name))
            except ServerRefusedError as error:
                # Object stores return 403 for missing objects, so static indexes on them do too.
                if error.status != _FORBIDDEN:
                    raise
                refused.extend(error.problems)
                continue
            if url:
                found[plain_url(url)] = files
            for file in files:
                if file.filename not in seen:
                    seen.add(file.filename)
                    yield file
        if refused and not seen:
            raise FetchError(*refused)

    def _sources(self, name: str) -> Iterator[tuple[str | None, Iterator[IndexFile]]]:
        """Yield the locations of a package, each with its URL if it is an index."""
        for location in self._options.find_links:
            yield None, self._from_find_links(location, name)
        only = self._options.index_for(name)
        for url in self._urls:
            if only in {None, plain_url(url)}:
                yield url, self._locations.files(f"{url.rstrip('/')}/{name}/")

    def _from_find_links(self, location: str, name: str) -> Iterator[IndexFile]:
        """Yield a package's files in a find-links location, which is read once for all packages."""
        with self._lock_of(f"find-links {location}"):
            if location not in self._find_links:
                by_project: dict[str, list[IndexFile]] = {}
                for file in self._locations.files(location, is_folder=True):
                    by_project.setdefault(_project(file.filename), []).append(file)
                self._find_links[location] = by_project
        yield from self._find_links[location].get(name, ())

    @property
    def _urls(self) -> tuple[str, ...]:
        options = self._options
        return () if options.no_index else (options.index_url or "", *options.extra_index_urls)

    @property
    def _options(self) -> IndexOptions:
        return self._locations.options

    @property
    def _locations(self) -> "Locations":
        with self._setting_up:
            if self._opened is None:
                from entrypoint.index.locations import Locations  # noqa: PLC0415 - slow, and often not needed

                settings = read_pip_settings(self._environment)
                options = combined(settings.options, self._extra_options, self._variables)
                self._opened = Locations(settings, options, pause=self._pause, limits=self._limits)
            return self._opened


def _of_url(file: DirectFile) -> IndexFile:
    return IndexFile(filename=file.filename, url=file.url, sha256=file.sha256)


def _is_of(filename: str, name: str) -> bool:
    """Whether a file belongs to a project; parses no more of a wheel's name than necessary."""
    return (
        _canonical(filename.partition("-")[0]) if filename.endswith(".whl") else _project(filename)
    ) == name


_canonical = lru_cache(canonicalize_name)


@lru_cache(maxsize=65536)
def _project(filename: str) -> str:
    """Return the canonical project name in a filename; empty if it is neither a wheel nor an sdist."""
    parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
    try:
        return parse(filename)[0]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return ""
