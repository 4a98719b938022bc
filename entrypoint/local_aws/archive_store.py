"""The archives of published layers, by hash: the target of a layer version's `Location`.

In AWS this is a presigned URL of S3. Here it is a URL of this server with the hash, which is as hard to
guess. Like S3, it supports Range requests.
"""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.exceptions import HTTPException
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from entrypoint.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/_layer_archives/"  # not a valid bucket name
_LAST = re.compile(r"bytes=-(\d+)")
_NAME = re.compile(rf"{PATH}([0-9a-f]{{64}})")


class ArchiveStore:
    """Archives in a folder, where they outlive the process, or in memory if none is given."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._archives: dict[str, bytes] = {}

    def keep(self, sha256: str, content: bytes) -> None:
        """Store an archive under its hash, base64 as in Lambda's API."""
        if self._folder is None:
            self._archives[_hex(sha256)] = content
        else:
            with atomic_write(self._folder / f"{_hex(sha256)}.zip") as file:
                file.write(content)

    def read(self, sha256: str) -> bytes | None:
        """Return an archive; None if it is not stored."""
        source = self._source(_hex(sha256))
        if source is None:
            return None
        return source.read_bytes() if isinstance(source, Path) else source.getvalue()

    def keep_only(self, hashes: Iterable[str]) -> None:
        """Delete all archives but the given ones."""
        names = {f"{_hex(sha256)}.zip" for sha256 in hashes}
        for path in self._folder.glob("*.zip") if self._folder else ():
            if path.name not in names:
                path.unlink()

    @staticmethod
    def path_of(sha256: str) -> str:
        """Return the URL path of an archive."""
        return PATH + _hex(sha256)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve an archive, or the requested range of it."""
        named = _NAME.fullmatch(environ["PATH_INFO"])
        source = self._source(named[1]) if named else None
        if source is None:
            answer: WSGIApplication = Response("<Code>NoSuchKey</Code>", 404, content_type="application/xml")
            return answer(environ, start_response)
        last = _LAST.fullmatch(environ.get("HTTP_RANGE", ""))
        if last and int(last[1]) > _size(source):  # the whole archive, by RFC 9110 14.1.2; werkzeug refuses
            environ["HTTP_RANGE"] = "bytes=0-"
        try:
            answer = send_file(source, environ, mimetype="application/zip", conditional=True)
        except HTTPException as refusal:
            answer = refusal
        return answer(environ, start_response)

    def _source(self, name: str) -> Path | io.BytesIO | None:
        if self._folder is None:
            return io.BytesIO(self._archives[name]) if name in self._archives else None
        path = self._folder / f"{name}.zip"
        return path if path.is_file() else None


def _size(source: Path | io.BytesIO) -> int:
    return source.getbuffer().nbytes if isinstance(source, io.BytesIO) else source.stat().st_size


def _hex(sha256: str) -> str:
    return base64.b64decode(sha256).hex()
