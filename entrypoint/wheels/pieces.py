"""Large files, read piece by piece, so that they take no more memory than small ones."""

from collections.abc import Iterator
from typing import IO

PIECE = 1 << 20
"""Bytes that are in memory at once."""


def pieces(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield what stands between two places of a file, or between the first and the file's end."""
    file.seek(start)
    while start < end and (piece := file.read(min(end - start, PIECE))):
        start += len(piece)
        yield piece
