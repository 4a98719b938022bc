"""A package index that serves what `make refresh` recorded of the real one: listings and metadata, no files.

tests/data/recorded-index.json.gz has the sets of real packages, the newest versions of each package that they
lead to, and the pins that pip-compile found for each set on the runtime's own interpreter.
"""

import gzip
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from package_index import IndexServer
from packaging.utils import parse_sdist_filename, parse_wheel_filename

RECORDED = Path(__file__).with_name("data") / "recorded-index.json.gz"
_JSON = "application/vnd.pypi.simple.v1+json"


def read() -> dict[str, Any]:
    return json.loads(gzip.decompress(RECORDED.read_bytes()))


def write(recorded: dict[str, Any]) -> None:
    """Write the same bytes for the same content."""
    RECORDED.write_bytes(gzip.compress(json.dumps(recorded, sort_keys=True).encode(), mtime=0))


def name_and_version(filename: str) -> tuple[str, str]:
    parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
    name, version, *_ = parse(filename)
    return name, str(version)


class RecordedIndex(IndexServer):
    """Serves the packages of a record; use it in a `with` statement."""

    def __init__(self, packages: dict[str, Any]) -> None:
        super().__init__(RECORDED.parent)
        self._packages = packages
        self._listings: dict[str, bytes] = {}

    def _respond(self, path: str, _: BaseHTTPRequestHandler) -> tuple[int, str, bytes]:
        kind, _, name = path.strip("/").partition("/")
        if kind == "simple" and name in self._packages:
            return 200, _JSON, self._listings.get(name) or self._listed(name)
        if kind == "files" and name.endswith(".metadata"):
            return 200, "application/octet-stream", self._described(name.removesuffix(".metadata"))
        return 404, "text/plain", b"not recorded"

    def _listed(self, name: str) -> bytes:
        listing = {"meta": {"api-version": "1.1"}, "name": name, "files": list(self._files(name))}
        self._listings[name] = text = json.dumps(listing).encode()
        return text

    def _files(self, name: str):
        for filename, digest, requires_python in self._packages[name]["files"]:
            is_wheel = filename.endswith(".whl")
            yield {
                "filename": filename,
                "url": f"../../files/{filename}",
                "hashes": {"sha256": digest},
                **({"requires-python": requires_python} if requires_python else {}),
                **({"core-metadata": self._metadata_digest(filename)} if is_wheel else {}),
            }

    def _metadata_digest(self, filename: str) -> dict[str, str]:
        return {"sha256": hashlib.sha256(self._described(filename)).hexdigest()}

    def _described(self, filename: str) -> bytes:
        name, version = name_and_version(filename)
        return self._packages[name]["metadata"][version].encode()
