"""The dependency hash: identifies the content of a layer before it is built.

SHA-256 over canonical JSON (sorted keys, no spaces, ASCII) of everything that determines a target's
archive: the platform, the locked packages with the hashes of the lock, the repository's files, and the
manifest's options. It needs neither network nor build, so one call to AWS shows whether a layer has
changed. All machines compute the same hash.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from entrypoint.layer.exclude import PRESETS
from entrypoint.layer.repository_files import RepositoryFile
from entrypoint.lock.build_requirements import as_json
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.model import DEFAULT_BUILDER, Layer
from entrypoint.manifest.targets import AwsLayer, Target

_PRESETS = 2
"""Increment when presets leave out other files: layers with presets are then published again."""
_SCHEMA = 1
"""Increment when archives of the same packages change: every layer is then published again."""


def dependency_hash(target: Target, lock: Lock, files: Sequence[RepositoryFile]) -> str:
    """Return a target's hash as hex."""
    return _digest(
        {
            "schema": _SCHEMA,
            "runtime": str(target.platform.runtime),
            "architecture": target.platform.architecture,
            "packages": sorted([pin.name, pin.version, sorted(pin.hashes)] for pin in lock.pins),
            "files": [file.digest() for file in files],
            "options": _options(target.layer, lock),
        }
    )


def _options(layer: Layer, lock: Lock) -> dict[str, object]:
    """Return the options that affect the archive, without defaults, so that new options change no hash."""
    options: dict[str, object] = {
        "exclude": layer.exclude or None,
        "presets": _PRESETS if set(PRESETS) & set(layer.exclude) else None,
        "strip": layer.strip or None,
        "bytecode": layer.bytecode,
        **_compile_options(layer, lock),
        **_library_options(layer, lock),
    }
    return {name: value for name, value in options.items() if value is not None}


def _compile_options(layer: Layer, lock: Lock) -> dict[str, object]:
    """Return the packages that are compiled, the builder, and the pinned build requirements.

    A lock that another tool wrote does not say which packages have no wheel, so with such a lock the
    builder is included if the user chose it.
    """
    compiled = sorted(pin.name for pin in lock.pins if pin.from_source)
    chosen = (
        layer.builder_image != DEFAULT_BUILDER
        or layer.system_packages
        or layer.build_network
        or layer.requirements.build
    )
    if not compiled and (lock.inputs or not chosen):
        return {}
    options: dict[str, object] = {
        "from_source": compiled,
        "builder_image": layer.builder_image,
        "system_packages": sorted(layer.system_packages),
        "build_requirements": as_json(lock.builds) or None,
        "build_network": layer.build_network or None,
    }
    if lock.inputs is None and layer.requirements.build:
        options["build_requirements"] = layer.requirements.build
    return options


def _library_options(layer: Layer, lock: Lock) -> dict[str, object]:
    """Return the system packages of `libraries`, with their versions unless another tool wrote the lock."""
    names = layer.requirements.libraries
    if not names:
        return {}
    pinned = lock.libraries.as_json() if lock.libraries else {"names": sorted(names)}
    return {"libraries": pinned, "builder_image": layer.builder_image}


def layer_hashes(
    layers: Iterable[AwsLayer],
    locks: Mapping[Target, Lock],
    files: Mapping[Target, Sequence[RepositoryFile]],
) -> dict[str, str]:
    """Return the hash of each AWS layer by name; it covers all targets of the layer."""
    hashes = {}
    for layer in layers:
        parts = [dependency_hash(target, locks[target], files[target]) for target in layer.targets]
        hashes[layer.name] = combined(parts)
    return hashes


def combined(hashes: Sequence[str]) -> str:
    """Return the hash of an AWS layer from those of its targets."""
    return hashes[0] if len(hashes) == 1 else _digest(sorted(hashes))


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
