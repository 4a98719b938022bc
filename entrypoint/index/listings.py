"""The listings of package indexes: what a server or a folder has of a package."""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from unearth.collector import IndexPage, parse_html_page
from unearth.link import Link

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import IndexFile
from entrypoint.index.options import without_credentials

JSON = "application/vnd.pypi.simple.v1+json"
_MOST_FILES = 100_000
"""Of a package, or of a page for --find-links; PyPI has about 10,000 of the package with the most."""
_REMOTE = ("https://", "http://")
_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


def read_listing(page: IndexPage) -> tuple[IndexFile, ...]:
    """Read a listing of a server.

    Raises:
        FetchError: it is not valid, or it names files of this machine.
    """
    try:
        if page.content_type.startswith(JSON):
            base = page.link.url_without_fragment
            listed = json.loads(page.content)["files"]
            files = tuple(_listed_file(file, base) for file in islice(listed, _MOST_FILES + 1))
        else:
            files = tuple(map(index_file, islice(parse_html_page(page), _MOST_FILES + 1)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"{without_credentials(page.link.url)} is not a valid package listing: {error}"
        raise FetchError(Diagnostic(message, "check that the URL is a package index")) from error
    if len(files) > _MOST_FILES:
        message = f"{without_credentials(page.link.url)} lists more than {_MOST_FILES:,} files"
        raise FetchError(Diagnostic(message, "report this to the operator of the index"))
    _refuse_local_files(files, page)
    return files


def _refuse_local_files(files: Iterable[IndexFile], page: IndexPage) -> None:
    """Refuse a listing of a server that names files of this machine; folders of find-links may."""
    schemes = (urlsplit(file.url).scheme for file in files if not file.url.startswith(_REMOTE))
    if "file" in schemes:
        message = f"{without_credentials(page.link.url)} lists files of this machine (file://)"
        raise FetchError(Diagnostic(message, "report this to the operator of the index"))


def _listed_file(listed: Mapping[str, Any], base: str) -> IndexFile:
    """Read a file of a JSON listing (PEP 691).

    Without unearth's links, which took 2.1 of 2.7 s for the 42,000 files of numpy, pandas, boto3 and 18 more.
    """
    filename, url = listed["filename"], listed["url"].partition("#")[0]
    if "/" in filename or "\\" in filename:
        raise ValueError(f"{filename!r} is not a filename")
    size = listed.get("size")
    if size is not None and not isinstance(size, int):
        raise ValueError(f"{size!r} is not a size")
    return IndexFile(
        filename=filename,
        url=url if url.startswith(_REMOTE) else urljoin(base, url),
        sha256=_digest(listed.get("hashes", {}).get("sha256")),
        requires_python=_text(listed.get("requires-python")),
        yanked=_reason(listed.get("yanked")),
        size=size,
        uploaded=_text(listed.get("upload-time")),
        has_metadata=bool(listed.get("core-metadata", listed.get("data-dist-info-metadata"))),
    )


def _reason(yanked: object) -> str | None:
    """Return the reason of a listing, which is text, or true without one."""
    if isinstance(yanked, str):
        return yanked.strip()
    return "" if yanked else None


def index_file(link: Link) -> IndexFile:
    """Return the file that a link leads to."""
    fragment = link.hash if link.hash_name == "sha256" else None
    return IndexFile(
        filename=link.filename,
        url=link.url_without_fragment,
        sha256=_digest((link.hashes or {}).get("sha256", fragment)),
        requires_python=link.requires_python,
        yanked=_reason(link.yank_reason) if link.is_yanked else None,
        has_metadata=link.dist_info_link is not None,
    )


def _digest(listed: object) -> str | None:
    """Return a listed SHA-256, which is written to locks; None if it is not one, as if it were not listed."""
    return listed.lower() if isinstance(listed, str) and _SHA256.fullmatch(listed) else None


def _text(listed: object) -> str | None:
    if listed is not None and not isinstance(listed, str):
        raise ValueError(f"{listed!r} is not a text")
    return listed
