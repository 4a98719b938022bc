"""Large files, read in chunks, so that they need no more memory than small ones."""

from collections.abc import Iterator
from typing import IO

CHUNK = 1 << 20
"""Bytes in memory at once."""


def chunks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a file from `start` to `end`, or to the end of the file if that comes first."""
    file.seek(start)
    while start < end and (chunk := file.read(min(end - start, CHUNK))):
        start += len(chunk)
        yield chunk
