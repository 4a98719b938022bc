"""The JSON that stands beside each archive: what is in it, for people, scanners and later runs."""

import json
from pathlib import Path

from entrypoint.atomic import write_text
from entrypoint.build.assemble import Archive
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
        "packages": [
            {
                "name": package.wheel.name,
                "version": package.wheel.version,
                "wheel": package.wheel.filename,
                "sha256": package.wheel.sha256,
                "bytes": package.compressed_size,
                "unzippedBytes": package.size,
            }
            for package in archive.packages
        ],
    }
    write_text(path, json.dumps(description, indent=2) + "\n")
    return path
