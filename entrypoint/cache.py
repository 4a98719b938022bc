"""The cache: files under their SHA-256, and signed records of what was made from them.

    <cache>/wheels/<sha256>/<filename>    downloaded wheels, and wheels built from source
    <cache>/sdists/<sha256>/<filename>    downloaded source archives
    <cache>/archives/<sha256>/<filename>  bytecode and stripped files, as zip files
    <cache>/records/<kind>/<key>          facts as JSON, and the digest of their file if they have one
    <cache>/incoming/                     files that are not complete yet

Threat model. The folder may be restored from a workflow cache that other jobs can write to, pull
requests included. A digest stored beside an entry then proves that the entry is complete, not that we
made it. So nothing is used before it is checked, in one of two ways:

- A downloaded file is checked against the digest in the lock, or in the listing of the index if the lock
  has none. Neither is part of the cache.
- A record is checked against its HMAC-SHA256 over kind, key and content. The key of the HMAC is not
  part of the cache either: it is 32 random bytes in `$XDG_STATE_HOME/lambda-layers/cache.key`
  (`~/.local/state` by default), mode 600, created when missing. A file that a record names is
  checked against the digest in the record.

An entry that fails its check is a miss: the file is downloaded again, or the record made again. Records
from another machine fail, because that machine has another key; its downloaded files are reused.
If no home is writable, or the key would be inside the cache folder, the key exists only for this process.
Other processes of the same user can read the key, but they can also change this program.

Writes are atomic: a file is renamed to its place when it is complete. Threads of one process take a
lock for each key. Two processes may make the same entry; the second replaces the first.
"""

import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

from entrypoint.files import atomic_write

Store = Literal["wheels", "sdists", "archives"]
"""A folder of files under their SHA-256."""

_KEY_BYTES = 32
_SETTLED = 2_000_000_000
"""Nanoseconds after which a change to a file is sure to change its timestamps."""
_PROCESS_KEY = secrets.token_bytes(_KEY_BYTES)
_guard = threading.Lock()
_locks: dict[Path, threading.Lock] = {}
_verified: dict[tuple[Path, str], tuple[int, ...]] = {}
"""Files checked by this process, with digest and status, so that each is hashed once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What `make` returns: facts in JSON's types, and a file in the folder that it was given, if any."""

    facts: Any
    file: Path | None = None
    store: Store = "archives"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """A verified record, with the path and the digest of its verified file, if it has one."""

    facts: Any
    path: Path | None = None
    sha256: str | None = None

    @property
    def file(self) -> Path:
        """The path of an entry whose kind always has a file."""
        if self.path is None:
            raise ValueError("the entry has no file")
        return self.path


class Cache:
    """A cache folder. Threads may share it, and processes may share the folder.

    Methods that write raise OSError if the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _key(self) -> bytes:
        return _key_for(self._folder, _key_file(os.environ))

    def get_or_make(self, kind: str, key: str, make: Callable[[Path], Made]) -> CacheEntry:
        """Return the record of a kind and key; call `make` with an empty folder if there is no valid one."""
        with self.lock(kind, key):
            return self.get(kind, key) or self.make(kind, key, make)

    def make(self, kind: str, key: str, make: Callable[[Path], Made]) -> CacheEntry:
        """Make a record, whether or not there is one."""
        with self.incoming() as folder:
            made = make(folder)
            if made.file is None:
                return self.put(kind, key, CacheEntry(facts=made.facts))
            with made.file.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            path = self.add_file(made.store, sha256, made.file.name, made.file)
            return self.put(kind, key, CacheEntry(facts=made.facts, path=path, sha256=sha256))

    def get(self, kind: str, key: str) -> CacheEntry | None:
        """Return the record of a kind and key; None if there is none, or it or its file is not valid."""
        try:
            signature, _, content = self._record(kind, key).read_bytes().partition(b"\n")
        except OSError:
            return None
        if not hmac.compare_digest(signature, self._sign(kind, key, content)):
            return None
        record = json.loads(content)
        if record["file"] is None:
            return CacheEntry(facts=record["facts"])
        store, sha256, filename = record["file"]
        path = self.find_file(store, sha256, filename)
        return CacheEntry(facts=record["facts"], path=path, sha256=sha256) if path else None

    def put(self, kind: str, key: str, entry: CacheEntry) -> CacheEntry:
        """Write a record; a file that it names must be in this cache."""
        file = (entry.path.parent.parent.name, entry.sha256, entry.path.name) if entry.path else None
        content = json.dumps({"facts": entry.facts, "file": file}).encode()
        with atomic_write(self._record(kind, key)) as out:
            out.write(self._sign(kind, key, content) + b"\n" + content)
        return replace(entry, facts=json.loads(content)["facts"])  # as `get` returns them

    def find_file(self, store: Store, sha256: str, filename: str) -> Path | None:
        """Return the path of a file; None if it is missing or does not have this digest."""
        path = self._file(store, sha256, filename)
        return path if _has_digest(path, sha256) else None

    def filenames(self, store: Store, sha256: str) -> tuple[str, ...]:
        """Return the names of the files under a digest, sorted, unchecked."""
        return tuple(sorted(path.name for path in (self._folder / store / sha256).glob("*")))

    def add_file(self, store: Store, sha256: str, filename: str, file: Path) -> Path:
        """Move a complete file, from the folder of `incoming`, to its place; return its new path."""
        path = self._file(store, sha256, filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        file.chmod(0o644)
        file.replace(path)
        return path

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """Give a temporary folder on the file system of the cache."""
        incoming = self._folder / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=incoming) as folder:
            yield Path(folder)

    def lock(self, kind: str, key: str) -> threading.Lock:
        """Return the lock of a key, the same for every cache object of this process."""
        with _guard:
            return _locks.setdefault(self._record(kind, key), threading.Lock())

    def _record(self, kind: str, key: str) -> Path:
        return self._folder / "records" / kind / key

    def _file(self, store: Store, sha256: str, filename: str) -> Path:
        return self._folder / store / sha256 / filename

    def _sign(self, kind: str, key: str, content: bytes) -> bytes:
        message = f"{kind}\0{key}\0".encode() + content
        return hmac.digest(self._key, message, "sha256").hex().encode()


def _has_digest(path: Path, sha256: str) -> bool:
    """Hash a file, unless this process did so before and the file has not changed since."""
    try:
        # A pipe would block here, and has no digest.
        with open(
            path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
        ) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return False
            known = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if _verified.get((path, sha256)) == known:
                return True
            is_settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return False
    except OSError:
        return False
    if is_settled:
        _verified[path, sha256] = known
    return True


def machine_key(*, outside: Path, environment: Mapping[str, str] = os.environ) -> bytes:
    """Return this user's key, created if missing; the process's own if the key cannot be kept safely.

    Args:
        outside: the cache folder, which must not contain the key.
        environment: names the user's state folder.
    """
    return _read_or_create(outside, _key_file(environment))


def _read_or_create(outside: Path, path: Path | None) -> bytes:
    if path is None or path.resolve().is_relative_to(outside.resolve()):
        return _PROCESS_KEY
    try:
        return _read_key(path) or _create_key(path)
    except OSError:
        return _PROCESS_KEY


_key_for = lru_cache(_read_or_create)
"""The same, read once for each cache folder."""


def _key_file(environment: Mapping[str, str]) -> Path | None:
    """Return the key's path: https://specifications.freedesktop.org/basedir-spec/latest/."""
    state, home = environment.get("XDG_STATE_HOME", ""), environment.get("HOME", "")
    folder = Path(state) if Path(state).is_absolute() else Path(home) / ".local" / "state"
    return folder / "lambda-layers" / "cache.key" if folder.is_absolute() else None


def _read_key(path: Path) -> bytes | None:
    """Return a key; None if it is missing, or of the wrong size, or others can read it.

    Raises:
        OSError: if it cannot be read, or belongs to another user.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - of a descriptor
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{path} belongs to another user")
        key = file.read(_KEY_BYTES + 1)
    return key if len(key) == _KEY_BYTES and not status.st_mode & 0o077 else None


def _create_key(path: Path) -> bytes:
    """Create a key if there is none that can be used; return the one that other processes read, too."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # mode 600
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(secrets.token_bytes(_KEY_BYTES))
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            if _read_key(path) is None:
                temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return _read_key(path) or _PROCESS_KEY
