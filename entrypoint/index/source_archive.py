"""Source archives of folders: the same files give the same bytes on every machine.

So the SHA-256 of an archive is that of the content. It is a .tar.gz file without compression, because
releases of zlib compress differently.
"""

import hashlib
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from entrypoint.figures import megabytes
from entrypoint.index.project_sources import ProjectIndex
from entrypoint.index.sources import SourceFolder
from entrypoint.index.static_project import StaticProject
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.ignored import Ignored

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_BLOCK = 0xFFFF


class SourceFile(NamedTuple):
    """A file of a source, with its path from the top; the content of a link is its target."""

    path: str
    content: bytes
    executable: bool = False
    is_link: bool = False


class SourceArchive(NamedTuple):
    """A source archive, and the METADATA of its package."""

    project: StaticProject
    content: bytes
    #: The indexes that a commit takes its requirements from; those of a folder are among the inputs.
    indexes: tuple[ProjectIndex, ...] = ()

    @property
    def sha256(self) -> str:
        """Its digest as hex."""
        return hashlib.sha256(self.content).hexdigest()


def archive_of_folder(source: SourceFolder) -> SourceArchive:
    """Return the archive of a folder, with the files that git does not ignore.

    Raises:
        ValueError: it has too many bytes, or a link that is broken or leads out of it.
        OSError: a file cannot be read.
    """
    return archive(source.project, folder_files(source.path))


def archive(project: StaticProject, files: Iterable[SourceFile]) -> SourceArchive:
    """Return the archive of a project.

    Raises:
        ValueError: it has too many bytes.
    """
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for file in sorted(_limited(files)):
            _add(tar, f"{project.stem}/{file.path}", file)
    return SourceArchive(project, _stored(unpacked.getvalue()))


def _limited(files: Iterable[SourceFile]) -> Iterator[SourceFile]:
    """Yield files until they have too many bytes; many links to one file have them too."""
    size = 0
    for file in files:
        size += tarfile.BLOCKSIZE + len(file.content)
        if size > UNZIPPED_BYTES:
            raise ValueError(f"has more than {megabytes(UNZIPPED_BYTES)}")
        yield file


def _add(tar: tarfile.TarFile, path: str, file: SourceFile) -> None:
    info = tarfile.TarInfo(path)
    info.mode = 0o755 if file.executable else 0o644
    if file.is_link:
        info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(file.content)
    else:
        info.size = len(file.content)
    tar.addfile(info, None if file.is_link else io.BytesIO(file.content))


def _stored(content: bytes) -> bytes:
    """Write content as a gzip file of stored blocks (RFC 1951, RFC 1952)."""
    starts = range(0, len(content), _BLOCK)
    blocks = (content[start : start + _BLOCK] for start in starts)
    last = starts[-1]
    written = [
        struct.pack("<BHH", start == last, len(block), len(block) ^ _BLOCK) + block
        for start, block in zip(starts, blocks, strict=True)
    ]
    return b"".join([_GZIP_HEADER, *written, struct.pack("<II", zlib.crc32(content), len(content))])


def folder_files(folder: Path) -> Iterator[SourceFile]:
    """Yield the files of a folder that git does not ignore; links in it are followed.

    Raises:
        ValueError: a link is broken or leads out of the folder.
    """
    top, ignored = folder.resolve(), Ignored(folder)
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as found:
            entries = list(found)
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                waiting += [] if ignored.has_folder(path) else [path]
            elif path not in ignored:
                yield _file(path, path.relative_to(folder).as_posix(), top)


def _file(path: Path, name: str, top: Path) -> SourceFile:
    target = path.resolve()
    if not target.is_relative_to(top) or not target.is_file():
        raise ValueError(
            f"has {name}, which is not a file, or a link that does not lead to one of the folder"
        )
    status = target.stat()
    if status.st_size > UNZIPPED_BYTES:
        raise ValueError(f"has {name} with more than {megabytes(UNZIPPED_BYTES)}")
    return SourceFile(name, target.read_bytes(), executable=bool(status.st_mode & 0o100))
