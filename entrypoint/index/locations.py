"""Locations of packages, on servers and in folders: URLs -> the files that they list.

unearth parses the formats (PEP 503, PEP 691, find-links, file://) and finds credentials (URL, netrc,
keyring). This module retries failures, reports them as one problem, and keeps credentials out of messages.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from unearth.collector import IndexPage, collect_links_from_location, is_secure_origin
from unearth.fetchers import Fetcher
from unearth.link import Link
from unearth.utils import is_archive_file

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import IndexFile
from entrypoint.index.downloads import open_client, save
from entrypoint.index.listings import JSON, index_file, read_listing
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import PipSettings
from entrypoint.index.responses import ResponseLimits, Transfer, watched
from entrypoint.limits import METADATA_BYTES

_ACCEPTED = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.01"
_NOT_FOUND = frozenset({404, 410})

# Problems that unearth logs are raised here; without this, they would be printed twice.
logging.getLogger("unearth").addHandler(logging.NullHandler())


class Locations:
    """Reads indexes, folders and files with one client. Threads may share it.

    Args:
        settings: pip's configuration, with the settings of the network.
        options: all options, those of pip's configuration included.
        pause: waits the given number of seconds between attempts.
        limits: for responses of servers.
    """

    def __init__(
        self,
        settings: PipSettings,
        options: IndexOptions,
        *,
        pause: Callable[[float], None],
        limits: ResponseLimits | None,
    ) -> None:
        self.options = options
        self._client = open_client(settings, options, pause=pause, limits=limits)
        # Parsing a large listing takes 40 MB, and threads do not make it faster.
        self._parsing = threading.Lock()

    def close(self) -> None:
        """Close all open connections."""
        self._client.close()

    def files(self, location: str, *, is_folder: bool = False) -> Iterator[IndexFile]:
        """Read a page of links, or a folder of files; empty if it does not exist."""
        link = Link(location) if "://" in location else Link.from_path(Path(location).absolute())
        if link.is_file:
            yield from map(index_file, collect_links_from_location(self._fetcher, link, expand=is_folder))
            return
        if not is_secure_origin(self._fetcher, link):
            message = f"{without_credentials(link.url)} is not encrypted and its host is not trusted"
            raise FetchError(Diagnostic(message, "use https, or set trusted-host in pip's configuration"))
        if is_archive_file(link.filename):
            yield index_file(link)
            return
        response = self._client.get(link.normalized, headers={"Accept": _ACCEPTED})
        if response.status_code not in _NOT_FOUND:
            content_type = response.headers.get("Content-Type", "text/html").lower()
            page = IndexPage(Link(str(response.url)), response.content, response.encoding, content_type)
            yield from self._parsed(page)

    def download(
        self, file: IndexFile, destination: Path, *, received: Callable[[int], None]
    ) -> tuple[str, int]:
        """Write a file atomically and return its SHA-256 as hex, and its size.

        Raises:
            FetchError: if it cannot be downloaded.
        """
        return save(self._client, file.url, destination, received=received, size=file.size)

    def metadata(self, file: IndexFile) -> bytes:
        """Return the METADATA that the index has for a file (PEP 658).

        Raises:
            FetchError: if the index does not have it, or it is too large.
        """
        response = self._client.get(f"{file.url}.metadata", headers={"Accept": "*/*"})
        if response.status_code in _NOT_FOUND:
            message = f"the index lists metadata for {file.filename} but does not have it"
            raise FetchError(Diagnostic(message, "report this to the operator of the index"))
        if len(response.content) > METADATA_BYTES:
            message = f"the metadata of {file.filename} has more than {METADATA_BYTES:,} bytes"
            raise FetchError(Diagnostic(message, "pin another version, or report this to its maintainers"))
        return bytes(response.content)

    def _parsed(self, page: IndexPage) -> tuple[IndexFile, ...]:
        def read(transfer: Transfer) -> tuple[IndexFile, ...]:
            transfer.received = len(page.content)
            return read_listing(page)

        seconds = self._client.limits.seconds
        late = "cannot be parsed in time"
        with self._parsing:
            return watched(read, allowed=lambda _: seconds, url=page.link.url, late=late)

    @property
    def _fetcher(self) -> Fetcher:
        """The client, typed as unearth requires; responses of httpx2 miss one attribute of that Protocol."""
        return cast("Fetcher", self._client)
