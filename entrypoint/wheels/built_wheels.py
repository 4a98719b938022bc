"""The wheels that were compiled before, each with a record of what it was compiled from and with.

They lie in the cache under `built/<key>/<builder>/`: the key is all that is known beforehand (sdist,
platform, the builder's name, system packages), the folder in it is what that builder was made of.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.files import write_text, written_whole
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.fetch import Sdist, Wheel

_FORMAT = 1
"""Raised whenever wheels come out otherwise than before, so that older ones are not taken."""
_RECORD = "record.json"


def built_key(sdist: Sdist, platform: Platform, image: str, system_packages: Sequence[str]) -> str:
    """Name all that decides what is compiled, as far as it is known without a builder."""
    decisive = [_FORMAT, sdist.sha256, str(platform), image, sorted(system_packages)]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


class BuiltWheels:
    """The part of the cache that holds them."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "built"

    def find(self, key: str, sdist: Sdist, builder: str | None) -> Wheel | None:
        """Find a wheel: made by this builder or, where that cannot be told, the one made last."""
        records = (self._folder / key).glob(f"*/{_RECORD}")
        for record in sorted(records, key=lambda path: path.stat().st_mtime_ns, reverse=True):
            if builder is None or record.parent.name == _short(builder):
                wheel = _read(record, sdist)
                if wheel is not None:
                    return wheel
        return None

    def keep(
        self, key: str, sdist: Sdist, filename: str, data: bytes, built_from: Mapping[str, object]
    ) -> Wheel:
        """Keep a wheel, whole or not at all; `built_from` names its builder's id."""
        builder = built_from["builder"]
        identity = builder["id"] if isinstance(builder, Mapping) else ""
        folder = self._folder / key / _short(str(identity))
        with written_whole(folder / filename) as file:
            file.write(data)
        sha256 = hashlib.sha256(data).hexdigest()
        record = {"filename": filename, "sha256": sha256, "builtFrom": built_from}
        write_text(folder / _RECORD, json.dumps(record, indent=2) + "\n")
        return _wheel(sdist, folder / filename, sha256, built_from)


def _read(record: Path, sdist: Sdist) -> Wheel | None:
    """Take a wheel only if it still is what its record says: caches get cut off, and poisoned."""
    try:
        known = json.loads(record.read_bytes())
        path = record.parent / Path(known["filename"]).name
        if hashlib.sha256(path.read_bytes()).hexdigest() != known["sha256"]:
            return None
        return _wheel(sdist, path, known["sha256"], known["builtFrom"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _wheel(sdist: Sdist, path: Path, sha256: str, built_from: Mapping[str, object]) -> Wheel:
    return Wheel(
        name=sdist.name,
        version=sdist.version,
        filename=path.name,
        sha256=sha256,
        path=path,
        built_from=built_from,
    )


def _short(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
