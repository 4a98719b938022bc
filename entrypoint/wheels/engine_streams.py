"""Streams of a Docker engine: files as tar archives, output of commands, progress of a pull."""

import io
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from entrypoint.errors import CompileError
from entrypoint.index.network_settings import FOLDER
from entrypoint.wheels.chunks import CHUNK

_LONGEST_LINE = 1 << 16
_MOST_FILES = 1000
_LOG_KEPT = 1 << 20


@contextmanager
def packed(folder: str, files: Mapping[str, bytes | Path], *, owner: int) -> Iterator[IO[bytes]]:
    """Pack files under a folder that only its owner can read; yield the archive, which is on disk."""
    paths = [PurePosixPath(folder, name) for name in (*files, "out")]
    parents = {str(parent) for path in paths for parent in path.parents}
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            for path in sorted(parents - {".", "/"}):
                archive.addfile(_member(path, owner, tarfile.DIRTYPE, mode=0o700))
            for name, content in files.items():
                mode = 0o600 if name.startswith(f"{FOLDER}/") else 0o644
                with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as data:
                    member = _member(f"{folder}/{name}", owner, mode=mode)
                    member.size = data.seek(0, io.SEEK_END)
                    data.seek(0)
                    archive.addfile(member, data)
        file.seek(0)
        yield file


def _member(path: str, owner: int, kind: bytes = tarfile.REGTYPE, *, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.uid, member.gid = kind, mode, owner, owner
    return member


def unpack(chunks: Iterable[bytes], folder: Path, *, limit: int) -> dict[str, Path]:
    """Copy the regular files directly below the archive's folder to `folder`; return their paths by name.

    The archive comes from untrusted code: links and other members are skipped, and sizes are checked before
    the content is read.

    Raises:
        CompileError: if the files are larger than the limit together, or too many.
    """
    found: dict[str, Path] = {}
    total = members = 0
    with tarfile.open(fileobj=_Reader(chunks), mode="r|", bufsize=CHUNK) as archive:
        for member in archive:
            total, members = total + member.size, members + 1
            if total > limit or members > _MOST_FILES:
                raise too_large(limit)
            path = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isfile() and len(path.parts) == 2 else None  # noqa: PLR2004 - folder and name
            if content is not None:
                found[path.name] = folder / path.name
                with found[path.name].open("wb") as file:
                    while chunk := content.read(CHUNK):
                        file.write(chunk)
    return found


def too_large(limit: int) -> CompileError:
    """Return the error for results beyond the limit."""
    message = f"the result exceeds {limit / 1e6:,.0f} MB or {_MOST_FILES:,} files"
    return CompileError.of(message, "a layer cannot be larger than 250 MB; pin a version that has a wheel")


class _Reader(io.RawIOBase):
    """A stream of chunks as a file, for tarfile; no more than two chunks are in memory."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, or fewer at the end."""
        parts = bytearray(self._rest)
        while len(parts) < size and (chunk := next(self._chunks, b"")):
            parts += chunk
        self._rest = bytes(parts[size:])
        return bytes(parts[:size])


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split output that arrives in chunks into lines; very long lines are broken."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            whole, rest = [*whole, rest], b""
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


class Log:
    """The end of a command's output; refuses more than a limit.

    Args:
        limit: the number of characters after which the command has printed too much.
        on_line: is called with each line.
    """

    def __init__(self, limit: int, on_line: Callable[[str], None]) -> None:
        self._limit = limit
        self._on_line = on_line
        self._lines: deque[str] = deque()
        self._received = self._kept = 0

    def add(self, line: str) -> None:
        """Add a line.

        Raises:
            CompileError: if the limit is exceeded.
        """
        self._received += len(line) + 1
        if self._received > self._limit:
            message = f"the command printed more than {self._limit / 1e6:,.0f} MB"
            raise CompileError.of(message, "pin a version that has a wheel")
        self._on_line(line)
        self._lines.append(line)
        self._kept += len(line) + 1
        while self._kept > _LOG_KEPT:
            self._kept -= len(self._lines.popleft()) + 1

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines)


def pulled_layers(events: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """Yield a text for each quarter of an image's layers that is complete."""
    layers: dict[str, bool] = {}
    reported = 0
    for event in events:
        if "error" in event:
            raise OSError(event["error"])
        status, layer = event.get("status"), str(event.get("id", ""))
        if status in {"Pulling fs layer", "Already exists", "Pull complete"}:
            layers[layer] = status != "Pulling fs layer"
        done = sum(layers.values())
        if layers and done * 4 // len(layers) > reported:
            reported = done * 4 // len(layers)
            yield f"{done} of {len(layers)} layers"
