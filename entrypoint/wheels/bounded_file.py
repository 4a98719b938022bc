"""A file that returns only limited parts of itself, for zipfile and tarfile.

Both read tables and headers whole, in the size that the archive itself states: a small archive can state
gigabytes.
"""

import io
import os
from gzip import GzipFile
from itertools import islice
from typing import IO

AT_ONCE = 16 << 20
"""More than any table or header of an archive needs: a zip's directory of 100,000 files."""

_PART = 1 << 16


class BoundedFile(io.RawIOBase):
    """Reads from a file, and refuses what is over a limit.

    Args:
        file: the file; it is not closed.
        total: how far it may be read.

    Raises:
        ValueError: by `read` and `seek`.
    """

    def __init__(self, file: IO[bytes] | GzipFile | io.RawIOBase, *, total: int | None = None) -> None:
        super().__init__()
        self._file = file
        self._total = total

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        if whence == os.SEEK_SET:
            self._check(offset)
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        if size > AT_ONCE:
            raise ValueError(f"a header or table of {size:,} bytes is too large")
        content = self._rest() if size < 0 else self._file.read(size) or b""
        self._check(self._file.tell())
        return content

    def _rest(self) -> bytes:
        """Read the rest in parts, because a buffer is as large as what it is asked for."""
        parts = iter(lambda: self._file.read(_PART), b"")
        return b"".join(part for part in islice(parts, AT_ONCE // _PART) if part)

    def _check(self, position: int) -> None:
        if self._total is not None and position > self._total:
            raise ValueError(f"it unpacks to more than {self._total:,} bytes")
