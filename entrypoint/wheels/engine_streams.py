"""Streams of a Docker engine: files as tar archives, output of commands, progress of a pull."""

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from entrypoint.index.network_settings import FOLDER


def packed(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Pack files under a folder; only the owner can read the network settings among them."""
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
    """Return the regular files of a tar stream by name, without their folders."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        members = [member for member in archive if member.isfile()]
        return {
            PurePosixPath(member.name).name: file.read()
            for member in members
            if (file := archive.extractfile(member))
        }


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split output that arrives in chunks into lines."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


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
