"""Package indexes: names -> listings and files.

unearth parses the formats (PEP 503, PEP 691, find-links, file://) and finds credentials (URL, netrc,
keyring). This module uses the indexes of pip's configuration, retries failures, reports them as one
problem, and keeps credentials out of messages.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from unearth.collector import (
    IndexPage,
    collect_links_from_location,
    is_secure_origin,
)
from unearth.fetchers import Fetcher
from unearth.link import Link
from unearth.utils import is_archive_file

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import IndexFile
from entrypoint.index.direct_file import DirectFile
from entrypoint.index.downloads import PatientClient, ServerRefusedError, open_client, save
from entrypoint.index.listings import JSON, index_file, read_listing
from entrypoint.index.options import IndexOptions, plain_url, without_credentials
from entrypoint.index.pip_settings import combined, read_pip_settings
from entrypoint.index.responses import ResponseLimits, Transfer, watched
from entrypoint.limits import METADATA_BYTES

_ACCEPTED = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01"
_FORBIDDEN = 403
_NOT_FOUND = frozenset({404, 410})

# Problems that unearth logs are raised here; without this, they would be printed twice.
logging.getLogger("unearth").addHandler(logging.NullHandler())


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
        limits: ResponseLimits | None = None,
    ) -> None:
        self._extra_options = options or IndexOptions()
        self._environment = environment
        self._variables = variables or {}
        self._pause = pause or time.sleep
        self._limits = limits
        self._listings: dict[str, tuple[IndexFile, ...]] = {}
        self._by_index: dict[str, dict[str, tuple[IndexFile, ...]]] = {}
        self._find_links: dict[str, dict[str, list[IndexFile]]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._setting_up = threading.RLock()
        self._parsing = (
            threading.Lock()
        )  # parsing a large listing takes 40 MB, and threads do not make it faster
        self._connected: _Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all open connections."""
        if self._connected is not None:
            self._connected.client.close()

    def files(self, name: str) -> tuple[IndexFile, ...]:
        """List the files of a package in all locations, find-links first; each filename once."""
        name = canonicalize_name(name)
        with self._lock_of(name):
            if name not in self._listings:
                direct = self._options.direct_file(name)
                self._by_index[name] = {}
                self._listings[name] = (_of_url(direct),) if direct else tuple(self._listing(name))
            return self._listings[name]

    def download(
        self, file: IndexFile, destination: Path, *, received: Callable[[int], None] | None = None
    ) -> str:
        """Write a file atomically and return its SHA-256 as hex.

        Raises:
            FetchError: if it cannot be downloaded, or its hash or size differs from the listed one.
        """
        count = received or (lambda _: None)
        sha256, size = save(self._client, file.url, destination, received=count, size=file.size)
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

    def metadata(self, file: IndexFile) -> bytes:
        """Return the METADATA that the index has for a file (PEP 658)."""
        response = self._client.get(f"{file.url}.metadata", headers={"Accept": "*/*"})
        if response.status_code in _NOT_FOUND:
            message = f"the index lists metadata for {file.filename} but does not have it"
            raise FetchError(Diagnostic(message, "report this to the operator of the index"))
        if len(response.content) > METADATA_BYTES:
            message = f"the metadata of {file.filename} has more than {METADATA_BYTES:,} bytes"
            raise FetchError(Diagnostic(message, "pin another version, or report this to its maintainers"))
        return bytes(response.content)

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
                yield url, self._read(_link(f"{url.rstrip('/')}/{name}/"))

    def _from_find_links(self, location: str, name: str) -> Iterator[IndexFile]:
        """Yield a package's files in a find-links location, which is read once for all packages."""
        with self._lock_of(f"find-links {location}"):
            if location not in self._find_links:
                by_project: dict[str, list[IndexFile]] = {}
                for file in self._read(_link(location), expand=True):
                    by_project.setdefault(_project(file.filename), []).append(file)
                self._find_links[location] = by_project
        yield from self._find_links[location].get(name, ())

    def _read(self, location: Link, *, expand: bool = False) -> Iterator[IndexFile]:
        """Read a page of links, or a folder of files with `expand`; empty if it does not exist."""
        if location.is_file:
            yield from map(index_file, collect_links_from_location(self._fetcher, location, expand=expand))
            return
        if not is_secure_origin(self._fetcher, location):
            message = f"{without_credentials(location.url)} is not encrypted and its host is not trusted"
            raise FetchError(Diagnostic(message, "use https, or set trusted-host in pip's configuration"))
        if is_archive_file(location.filename):
            yield index_file(location)
            return
        response = self._client.get(location.normalized, headers={"Accept": _ACCEPTED})
        if response.status_code not in _NOT_FOUND:
            content_type = response.headers.get("Content-Type", "text/html").lower()
            page = IndexPage(Link(str(response.url)), response.content, response.encoding, content_type)
            yield from self._parsed(page)

    def _parsed(self, page: IndexPage) -> tuple[IndexFile, ...]:
        def read(transfer: Transfer) -> tuple[IndexFile, ...]:
            transfer.received = len(page.content)
            return read_listing(page)

        seconds = self._client.limits.seconds
        late = "cannot be parsed in time"
        with self._parsing:
            return watched(read, allowed=lambda _: seconds, url=page.link.url, late=late)

    @property
    def _urls(self) -> tuple[str, ...]:
        options = self._options
        return () if options.no_index else (options.index_url or "", *options.extra_index_urls)

    @property
    def _options(self) -> IndexOptions:
        return self._connection().options

    @property
    def _client(self) -> PatientClient:
        return self._connection().client

    @property
    def _fetcher(self) -> Fetcher:
        """The client, typed as unearth requires; responses of httpx2 miss one attribute of that Protocol."""
        return cast("Fetcher", self._client)

    def _connection(self) -> "_Connection":
        with self._setting_up:
            if self._connected is None:
                settings = read_pip_settings(self._environment)
                options = combined(settings.options, self._extra_options, self._variables)
                client = open_client(settings, options, pause=self._pause, limits=self._limits)
                self._connected = _Connection(options=options, client=client)
            return self._connected


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connection:
    """The options and the client, which depend on pip's configuration."""

    options: IndexOptions
    client: PatientClient


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


def _link(location: str) -> Link:
    return Link(location) if "://" in location else Link.from_path(Path(location).absolute())
