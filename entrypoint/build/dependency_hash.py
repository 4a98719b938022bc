"""The dependency hash: what a layer is made of, told before it is made.

SHA-256 over canonical JSON (sorted keys, no spaces, ASCII) of what shapes a target's archive: the
platform and the locked packages with the files that the lock allows. It needs neither network nor
build, so "has it changed?" costs one call to AWS. Any machine computes the same.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from entrypoint.build.lock import Lock
from entrypoint.targets import AwsLayer, Target

_SCHEMA = 1
"""Raised when archives of the same packages come out differently: every layer is then published anew."""


def dependency_hash(lock: Lock) -> str:
    """Return the hash, as hex, of a target with this lock."""
    return _digest(
        {
            "schema": _SCHEMA,
            "runtime": str(lock.platform.runtime),
            "architecture": lock.platform.architecture,
            "packages": sorted([pin.name, pin.version, sorted(pin.hashes)] for pin in lock.pins),
        }
    )


def layer_hashes(layers: Iterable[AwsLayer], locks: Mapping[Target, Lock]) -> dict[str, str]:
    """Return each AWS layer's hash by name; one that holds several targets covers them all."""
    hashes = {}
    for layer in layers:
        parts = [dependency_hash(locks[target]) for target in layer.targets]
        hashes[layer.name] = parts[0] if len(parts) == 1 else _digest(sorted(parts))
    return hashes


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
