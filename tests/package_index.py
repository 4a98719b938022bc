"""A package index for tests: makes tiny real wheels, and serves them over HTTP, with or without faults.

It speaks PEP 503 (HTML), PEP 691 (JSON) and PEP 658 (metadata beside the wheel), asks for a password
when told to, and misbehaves on command: `fail`, `reset`, `stall`, `corrupt`, `list_without_hashes`.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import socket
import struct
import tarfile
import threading
import zipfile
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

_FAILING = {
    "pyproject.toml": "[build-system]\nrequires = []\n",
    "setup.py": "raise SystemExit('a source build was started')\n",
}
_JSON = "application/vnd.pypi.simple.v1+json"


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    tag: str = "py3-none-any",
    build: str | None = None,
    requires: tuple[str, ...] = (),
    requires_python: str | None = None,
    files: dict[str, str | bytes] | None = None,
    extras: tuple[str, ...] = (),
    metadata: tuple[str, ...] = (),
) -> Path:
    """Write a wheel that pip and installer accept; by default, it has one module with the project's name."""
    stem = f"{canonicalize_name(name).replace('-', '_')}-{version}"
    module = canonicalize_name(name).replace("-", "_")
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    tags = [f"Tag: {part}" for part in _spread(tag)]
    purelib = "true" if tag.endswith("-any") else "false"
    wheel = ["Wheel-Version: 1.0", "Generator: tests", f"Root-Is-Purelib: {purelib}", *tags]
    members: dict[str, str | bytes] = {
        **(files if files is not None else {f"{module}.py": f"VERSION = {version!r}\n"}),
        f"{stem}.dist-info/METADATA": "\n".join(lines) + "\n\n",
        f"{stem}.dist-info/WHEEL": "\n".join(wheel) + "\n",
    }
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in members.items()}
    record = "".join(f"{path},{_record_hash(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n".encode()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "-".join(filter(None, [stem, build, tag]))
    path = path.with_name(f"{path.name}.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in contents.items():
            archive.writestr(zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0)), data)
    return path


def make_sdist(
    folder: Path,
    name: str,
    version: str,
    *,
    metadata: str = "2.1",
    requires: tuple[str, ...] = (),
    dynamic: tuple[str, ...] = (),
    files: dict[str, str] | None = None,
) -> Path:
    """Write an sdist; without `files`, its build fails."""
    stem = f"{canonicalize_name(name).replace('-', '_')}-{version}"
    fields = [f"Metadata-Version: {metadata}", f"Name: {name}", f"Version: {version}"]
    fields += [f"Dynamic: {field}" for field in dynamic]
    fields += [f"Requires-Dist: {requirement}" for requirement in requires]
    members = {
        "PKG-INFO": "\n".join(fields) + "\n",
        **(files or _FAILING),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.tar.gz"
    # Without a date in it: made again, it has the same hash.
    with (
        gzip.GzipFile(path, "wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for member, text in members.items():
            data = text.encode()
            info = tarfile.TarInfo(f"{stem}/{member}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def undescribed(name: str, version: str, *_: object) -> bytes:
    """Fail if the METADATA of an sdist is requested."""
    raise AssertionError(f"the metadata of {name} {version} was asked for")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pip_environment(home: Path, **variables: str) -> dict[str, str]:
    """Return an environment for pip without the settings of this machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "DOCKER_HOST": os.environ.get("DOCKER_HOST", ""),
        **variables,
    }


class IndexServer:
    """Serves every wheel and sdist of a folder under `url`; use it in a `with` statement."""

    def __init__(self, folder: Path, *, credentials: str | None = None, html_only: bool = False) -> None:
        self.folder = folder
        self.credentials = credentials
        self.html_only = html_only
        self.requests: list[str] = []
        self.user_agents: Counter[str] = Counter()
        self.corrupted: set[str] = set()
        self.yanked: dict[str, str] = {}
        #: The times of upload by filename, if they are listed (PEP 700).
        self.uploaded: dict[str, str] = {}
        self.lists_hashes = True
        self.lists_nonsense = False
        self.can_be_cached = False
        self.listing: bytes | None = None
        self._failures: list[tuple[str, int]] = []
        self._resets: list[str] = []
        self._stalls: set[str] = set()
        self._stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def url_with(self, credentials: str) -> str:
        return self.url.replace("//", f"//{credentials}@", 1)

    def fail(self, part: str, status: int, *, times: int = 1) -> None:
        """Answer the next requests whose path contains `part` with a status."""
        self._failures += [(part, status)] * times

    def reset(self, part: str, *, times: int = 1) -> None:
        """Break the connection in the middle of the next responses whose path contains `part`."""
        self._resets += [part] * times

    def stall(self, part: str) -> None:
        """Never finish a response whose path contains `part`."""
        self._stalls.add(part)

    def corrupt(self, filename: str) -> None:
        """Serve different bytes than those that are listed."""
        self.corrupted.add(filename)

    def list_without_hashes(self) -> None:
        self.lists_hashes = False

    def list_nonsense(self) -> None:
        self.lists_nonsense = True

    def asked_for(self, part: str) -> int:
        """Return the number of requests whose path contains `part`."""
        return sum(part in path for path in self.requests)

    def __enter__(self) -> Self:
        # The poll interval is how long stopping takes.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        self.requests.append(path)
        self.user_agents[handler.headers.get("User-Agent", "").split("/")[0]] += 1
        status, content_type, body = self._respond(path, handler)
        reset = status == 200 and self._taken(self._resets, lambda part: part in path)
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        if self.can_be_cached:
            handler.send_header("Cache-Control", "max-age=600")
        if status == 401:
            handler.send_header("WWW-Authenticate", 'Basic realm="tests"')
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if reset or any(part in path for part in self._stalls):
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
        if reset:
            linger = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.close_connection = True
        elif any(part in path for part in self._stalls):
            self._stopped.wait()
        else:
            handler.wfile.write(body)

    def _respond(self, path: str, handler: BaseHTTPRequestHandler) -> tuple[int, str, bytes]:
        failure = self._taken(self._failures, lambda failure: failure[0] in path)
        if failure:
            return failure[1], "text/plain", b"told to fail"
        if self.credentials and not self._is_authorised(handler):
            return 401, "text/plain", b"who are you?"
        kind, _, name = path.strip("/").partition("/")
        if kind == "simple" and name:
            return self._listing(name, handler.headers.get("Accept", ""))
        file = self.folder / name.removesuffix(".metadata")
        if kind != "files" or not file.is_file():
            return 404, "text/plain", b"no such file"
        data = _metadata(file) if name.endswith(".metadata") else file.read_bytes()
        if name in self.corrupted:
            data = data[:-1] + bytes([data[-1] ^ 1])
        return 200, "application/octet-stream", data

    def _listing(self, name: str, accept: str) -> tuple[int, str, bytes]:
        files = [path for path in sorted(self.folder.iterdir()) if _project(path) == name]
        if not files:
            return 404, "text/plain", b"no such package"
        if self.lists_nonsense:
            return 200, _JSON, b"[]"
        if self.listing is not None:
            return 200, _JSON, self.listing
        if _JSON in accept and not self.html_only:
            listing = {"meta": {"api-version": "1.1"}, "name": name, "files": list(map(self._json, files))}
            return 200, _JSON, json.dumps(listing).encode()
        return 200, "text/html", b"<!DOCTYPE html>\n" + "\n".join(map(self._html, files)).encode()

    def _json(self, path: Path) -> dict[str, object]:
        file: dict[str, object] = {
            "filename": path.name,
            "url": f"../../files/{path.name}",
            "hashes": {"sha256": sha256(path)} if self.lists_hashes else {},
            "size": path.stat().st_size,
            "yanked": (self.yanked[path.name] or True) if path.name in self.yanked else False,
        }
        if path.name in self.uploaded:
            file["upload-time"] = self.uploaded[path.name]
        if path.suffix == ".whl":
            file["core-metadata"] = {"sha256": hashlib.sha256(_metadata(path)).hexdigest()}
            if requires_python := _requires_python(path):
                file["requires-python"] = requires_python
        return file

    def _html(self, path: Path) -> str:
        attributes = f' data-yanked="{self.yanked[path.name]}"' if path.name in self.yanked else ""
        if path.suffix == ".whl" and (requires_python := _requires_python(path)):
            attributes += f' data-requires-python="{requires_python.replace(">", "&gt;")}"'
        fragment = f"#sha256={sha256(path)}" if self.lists_hashes else ""
        return f'<a href="../../files/{path.name}{fragment}"{attributes}>{path.name}</a><br>'

    def _is_authorised(self, handler: BaseHTTPRequestHandler) -> bool:
        expected = base64.b64encode((self.credentials or "").encode()).decode()
        return handler.headers.get("Authorization") == f"Basic {expected}"

    @staticmethod
    def _taken(waiting, fits):
        found = next((item for item in waiting if fits(item)), None)
        if found is not None:
            waiting.remove(found)
        return found


def _handler_of(server: IndexServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(BrokenPipeError, ConnectionResetError):  # clients may end at any time
                super().handle()

        def do_GET(self) -> None:
            server.answer(self)

        def do_HEAD(self) -> None:
            server.answer(self)

        def log_message(self, *_: object) -> None:
            """Do not print requests."""

    return Handler


def _project(path: Path) -> str:
    parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
    return parse(path.name)[0]


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _requires_python(wheel: Path) -> str | None:
    lines = _metadata(wheel).decode().splitlines()
    found = (line.partition(": ")[2] for line in lines if line.startswith("Requires-Python: "))
    return next(found, None)


def _record_hash(data: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')}"


def _spread(tag: str) -> list[str]:
    pythons, abis, platforms = tag.split("-")
    return [
        f"{python}-{abi}-{platform}"
        for python in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    ]
