"""Files as the tar streams in which an engine takes and gives them."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from entrypoint.edges.network_settings import FOLDER


def packed(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Pack files under a folder; the network settings among them are for their owner's eyes only."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        parents = [str(parent) for parent in reversed(PurePosixPath(folder).parents) if parent.name]
        for path in (*parents, folder, f"{folder}/{FOLDER}"):
            info = tarfile.TarInfo(path)
            info.type, info.mode = tarfile.DIRTYPE, 0o700 if path.endswith(f"/{FOLDER}") else 0o755
            archive.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size, info.mode = len(data), 0o600 if name.startswith(f"{FOLDER}/") else 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def unpacked(chunks: Iterable[bytes]) -> dict[str, bytes]:
    """Read the plain files of a tar stream by their names, without their folders."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        members = [member for member in archive if member.isfile()]
        return {
            PurePosixPath(member.name).name: file.read()
            for member in members
            if (file := archive.extractfile(member))
        }
