"""The JSON that stands beside each archive: what is in it, for people, scanners and later runs."""

import json
from pathlib import Path

from entrypoint.atomic import write_text
from entrypoint.build.assemble import Archive
from entrypoint.build.layout import Part
from entrypoint.targets import Target


def write_description(archive: Archive, target: Target, dependency_hash: str) -> Path:
    """Write `<archive>.json` beside the archive, whole or not at all; return its path."""
    path = archive.path.with_suffix(".json")
    description = {
        "target": str(target),
        "layer": target.layer.name,
        "runtime": str(target.platform.runtime),
        "architecture": target.platform.architecture,
        "dependencyHash": f"sha256:{dependency_hash}",
        "zip": {
            "file": archive.path.name,
            "bytes": archive.compressed_size,
            "sha256": archive.sha256.hex(),
            "codeSha256": archive.code_sha256,
        },
        "unzippedBytes": archive.unzipped_size,
        "files": len(archive.entries),
        "packages": [_package(part) for part in archive.parts],
    }
    write_text(path, json.dumps(description, indent=2) + "\n")
    return path


def _package(part: Part) -> dict[str, object]:
    sizes: dict[str, object] = {"bytes": part.compressed_size, "unzippedBytes": part.size}
    if part.contents is None:
        return {"path": part.origin, **sizes}
    wheel = part.contents.wheel
    return {
        "name": wheel.name,
        "version": wheel.version,
        "wheel": wheel.filename,
        "sha256": wheel.sha256,
        **({"builtFrom": wheel.built_from} if wheel.built_from else {}),
        **sizes,
    }
