"""Files that appear whole or not at all, whatever interrupts us."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_BUFFER = 1 << 20


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """Give a binary file, readable too, that takes `path`'s place when the block ends without an error.

    Its folder is made where it is missing. The file can be read by all: caches, workflows and
    containers share files between users.
    """
    import tempfile  # noqa: PLC0415 - not for those who only read

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b", _BUFFER) as file:
            yield file
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with written_whole(path) as file:
        file.write(text.encode())
