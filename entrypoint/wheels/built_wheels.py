"""Wheels built from source earlier, each with a record of its sdist, builder and build requirements.

The key of a record covers everything known before the build: sdist, platform, name of the builder, system
packages, build requirements with their hashes, and whether the build has network. Below the key there is a
record for each builder, by its identity, and one for the latest build.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from entrypoint.cache import Cache, CacheEntry, Made
from entrypoint.wheels.build_environment import BuildEnvironment
from entrypoint.wheels.fetch import Sdist, Wheel

_FORMAT = 2
"""Increment when builds change, so that existing wheels are not reused."""
_KIND = f"built/{_FORMAT}"
_LATEST = "latest"


def built_key(sdist: Sdist, environment: BuildEnvironment, requirements: object) -> str:
    """Return the key of a build, from everything that is known of it without a builder.

    `requirements` are the build requirements, in JSON's types.
    """
    decisive = [
        _FORMAT,
        sdist.sha256,
        str(environment.platform),
        environment.image,
        sorted(environment.system_packages),
        environment.network,
        requirements,
    ]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def pure_key(sdist: Sdist, environment: BuildEnvironment, requirements: object) -> str:
    """Return the key of a wheel without compiled code, the same for every runtime and architecture."""
    decisive = [
        _FORMAT,
        sdist.sha256,
        sorted(environment.system_packages),
        environment.network,
        environment.image if environment.chosen else None,
        requirements,
    ]
    return f"pure/{hashlib.sha256(json.dumps(decisive).encode()).hexdigest()}"


class BuiltWheels:
    """Wheels built from source, in the cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = Cache(cache)

    def find(self, key: str, sdist: Sdist, builder: str | None) -> Wheel | None:
        """Return the wheel that this builder built, or the latest one if its identity is unknown."""
        entry = self._cache.get(_KIND, f"{key}/{_short(builder) if builder else _LATEST}")
        return _wheel(sdist, entry) if entry else None

    def find_pure(self, key: str, sdist: Sdist) -> Wheel | None:
        """Return the wheel without compiled code that any builder built, for any platform."""
        entry = self._cache.get(_KIND, key)
        return _wheel(sdist, entry) if entry else None

    def keep(self, key: str, pure: str, sdist: Sdist, built: Path, built_from: Mapping[str, object]) -> Wheel:
        """Move a wheel into the cache; `built_from["builder"]["id"]` is the identity of its builder.

        A wheel for any platform is also found by its key `pure`.
        """
        builder = built_from["builder"]
        identity = builder["id"] if isinstance(builder, Mapping) else ""

        def write(folder: Path) -> Made:
            file = folder / built.name
            built.replace(file)
            return Made(facts=built_from, file=file, store="wheels")

        entry = self._cache.make(_KIND, f"{key}/{_short(str(identity))}", write)
        self._cache.put(_KIND, f"{key}/{_LATEST}", entry)
        if built.name.endswith("-py3-none-any.whl"):
            self._cache.put(_KIND, pure, entry)
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
