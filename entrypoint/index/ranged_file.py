"""A remote file that fetches only the parts that are read, with HTTP Range requests as S3 supports them.

The URL may be presigned and is then a credential: it does not appear in messages.
"""

import io
import os
import re
from http import HTTPStatus

import httpx2

from entrypoint.errors import AwsError

_TAIL = 1 << 18
"""Bytes to fetch first: a zip's directory is at its end, and that of 2,500 members fits."""
_BLOCK = 1 << 16
_ATTEMPTS = 3
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class RangedFile(io.RawIOBase):
    """Reads a remote file. Threads that share it need a lock.

    Args:
        url: its URL.
        name: what messages call it.
        direct: whether to ignore the proxy settings of the environment.

    Raises:
        AwsError: if the server does not respond with the requested part.
    """

    def __init__(self, url: str, *, name: str, direct: bool = False) -> None:
        super().__init__()
        self._url = url
        self._shown = name
        self._client = httpx2.Client(trust_env=not direct, timeout=30, follow_redirects=True)
        self._position = 0
        #: The last part that was fetched, with its offset; the tail is kept too, as zipfile reads it again.
        self._block = (0, b"")
        try:
            tail, self._size = self._fetch(f"bytes=-{_TAIL}")
        except BaseException:
            self._client.close()
            raise
        self._tail = (self._size - len(tail), tail)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position; fetches nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or the rest if negative; empty at the end."""
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        if not wanted:
            return b""
        for start, held in (self._tail, self._block):
            if start <= self._position and self._position + wanted <= start + len(held):
                break
        else:
            start, end = self._position, min(self._position + max(wanted, _BLOCK), self._size)
            held, _ = self._fetch(f"bytes={start}-{end - 1}")
            self._block = start, held
        found = held[self._position - start :][:wanted]
        self._position += len(found)
        return found

    def _fetch(self, part: str) -> tuple[bytes, int]:
        """Return a part and the size of the file; retries lost connections and 5xx responses."""
        for _ in range(_ATTEMPTS):
            try:
                # Request the bytes as they are stored.
                headers = {"Range": part, "Accept-Encoding": "identity"}
                response = self._client.get(self._url, headers=headers)
            except httpx2.HTTPError as error:
                reason = type(error).__name__
                continue
            total = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
            if response.status_code == HTTPStatus.PARTIAL_CONTENT and total:
                return response.content, int(total[1])
            reason = f"the server returned {response.status_code}"
            if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        message = f"cannot read the archive of {self._shown} in AWS: {reason}"
        raise AwsError.of(message, "check the network and the proxy for S3")
