"""Wheels built from source earlier, each with a record of its sdist, builder and build requirements.

The key of a record covers everything known before the build: sdist, platform, name of the builder and
system packages. Below the key there is a record for each builder, by its identity, and one for the
latest build.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.cache import Cache, CacheEntry, Made
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.fetch import Sdist, Wheel

_FORMAT = 1
"""Increment when builds change, so that existing wheels are not reused."""
_KIND = f"built/{_FORMAT}"
_LATEST = "latest"


def built_key(sdist: Sdist, platform: Platform, image: str, system_packages: Sequence[str]) -> str:
    """Return the key of a build, from everything that is known of it without a builder."""
    decisive = [_FORMAT, sdist.sha256, str(platform), image, sorted(system_packages)]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


class BuiltWheels:
    """Wheels built from source, in the cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = Cache(cache)

    def find(self, key: str, sdist: Sdist, builder: str | None) -> Wheel | None:
        """Return the wheel that this builder built, or the latest one if its identity is unknown."""
        entry = self._cache.get(_KIND, f"{key}/{_short(builder) if builder else _LATEST}")
        return _wheel(sdist, entry) if entry else None

    def keep(
        self, key: str, sdist: Sdist, filename: str, data: bytes, built_from: Mapping[str, object]
    ) -> Wheel:
        """Add a wheel; `built_from["builder"]["id"]` is the identity of its builder."""
        builder = built_from["builder"]
        identity = builder["id"] if isinstance(builder, Mapping) else ""

        def write(folder: Path) -> Made:
            (folder / filename).write_bytes(data)
            return Made(facts=built_from, file=folder / filename, store="wheels")

        entry = self._cache.make(_KIND, f"{key}/{_short(str(identity))}", write)
        self._cache.put(_KIND, f"{key}/{_LATEST}", entry)
        return _wheel(sdist, entry)


def _wheel(sdist: Sdist, entry: CacheEntry) -> Wheel:
    return Wheel(
        name=sdist.name,
        version=sdist.version,
        filename=entry.file.name,
        sha256=entry.file.parent.name,
        path=entry.file,
        built_from=entry.facts,
    )


def _short(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
