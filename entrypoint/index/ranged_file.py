"""A file behind a URL, of which only what is read is fetched: HTTP Range requests, as S3 answers them.

The URL may be a presigned one, which is a credential: it appears in no message.
"""

import io
import os
import re
from http import HTTPStatus

import httpx2

from entrypoint.errors import AwsError

_TAIL = 1 << 18
"""Bytes that are fetched first: a zip's directory is at its end, and 2,500 members fit in here."""
_BLOCK = 1 << 16
_ATTEMPTS = 3
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")


class RangedFile(io.RawIOBase):
    """Reads a file where it is; not safe to share between threads, unless who reads takes turns.

    Args:
        url: where it is.
        name: what messages call it.
        direct: go past the proxy that the environment names.

    Raises:
        AwsError: where the server does not answer, or not with the part that was asked for.
    """

    def __init__(self, url: str, *, name: str, direct: bool = False) -> None:
        super().__init__()
        self._url = url
        self._shown = name
        self._client = httpx2.Client(trust_env=not direct, timeout=30, follow_redirects=True)
        self._position = 0
        #: What was fetched last, and where it begins; the tail is kept too: zipfile comes back to it.
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
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; nothing is fetched."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or all that is left; empty at the end."""
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
        """Return a part and the size of the whole; a lost connection or a 5xx answer is tried again."""
        for _ in range(_ATTEMPTS):
            try:
                # The bytes are wanted as they are stored.
                headers = {"Range": part, "Accept-Encoding": "identity"}
                answer = self._client.get(self._url, headers=headers)
            except httpx2.HTTPError as error:
                said = type(error).__name__
                continue
            total = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
            if answer.status_code == HTTPStatus.PARTIAL_CONTENT and total:
                return answer.content, int(total[1])
            said = f"it answered {answer.status_code}"
            if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        message = f"{self._shown} cannot be read where AWS keeps it: {said}"
        raise AwsError.of(message, "check the network, and the proxy on the way to S3")
