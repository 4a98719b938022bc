"""Fetches the wheels of a lock: pins go in, checked files in a content-addressed cache come out.

The cache holds `wheels/<sha256>/<filename>`, nothing in it ever changes, and a file appears there
whole or not at all, so workflow caches can keep it and many runs can share it.
"""

import hashlib
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from entrypoint.build.candidates import Index, IndexFile, choose, fit, is_wheel_of, preference
from entrypoint.build.lock import Lock, Pin
from entrypoint.build.misfits import no_fitting_wheel
from entrypoint.errors import FetchError, Problem
from entrypoint.runtimes import Platform

# Measured with 110 wheels at 30 ms latency: 8 take a fifth of the time of one, 16 gain little more.
_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel that is here and is what the lock allows; `sha256` is hex."""

    name: str
    version: str
    filename: str
    sha256: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Some bytes of a download, or its end."""

    filename: str
    received: int
    size: int | None
    done: bool = False


class _CancelledError(Exception):
    """Another download failed for good, or the user pressed Ctrl-C."""


def fetch(
    lock: Lock,
    platform: Platform,
    *,
    index: Index,
    cache: Path,
    progress: Callable[[Progress], None] = lambda _: None,
) -> tuple[Wheel, ...]:
    """Bring the wheels of all pins into the cache; all that is wrong is raised in one FetchError.

    `progress` is called from several threads.
    """
    cancelled = threading.Event()
    fetching = _Fetching(
        platform=platform,
        index=index,
        cache=cache,
        progress=progress,
        cancelled=cancelled,
        exact=bool(lock.inputs),
    )
    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="fetch") as pool:
        futures = {pool.submit(fetching.wheel, pin): pin for pin in lock.pins}
        try:
            for future in as_completed(futures):
                if not isinstance(future.exception(), FetchError | None):
                    future.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    problems = [
        problem
        for future in futures
        if isinstance(error := future.exception(), FetchError)
        for problem in error.problems
    ]
    if problems:
        raise FetchError(*dict.fromkeys(problems))
    return tuple(future.result() for future in futures)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetching:
    """What every download of one run shares."""

    platform: Platform
    index: Index
    cache: Path
    progress: Callable[[Progress], None]
    cancelled: threading.Event
    #: The lock lists one wheel for each package, so whatever fits in the cache is the right one.
    exact: bool

    def wheel(self, pin: Pin) -> Wheel:
        if cached := self._cached(pin):
            return cached
        files = self.index.files(pin.name)
        file = choose(pin, files, self.platform)
        if file is None:
            raise FetchError(no_fitting_wheel(pin, files, self.platform))
        if file.sha256 and (cached := self._verified(pin, self._path(file.sha256, file.filename))):
            self._remember(pin, cached)
            return cached
        wheel = self._download(pin, file)
        self._remember(pin, wheel)
        return wheel

    def _cached(self, pin: Pin) -> Wheel | None:
        """Find the wheel of a pin without asking the index.

        A lock of the user's own may allow several wheels, of which the cache may hold a lesser one
        that another platform left there; so the choice made with the index's listing is remembered.
        """
        hashes = pin.hashes if self.exact else self._remembered(pin)
        folders = (self.cache / "wheels" / digest.removeprefix("sha256:") for digest in sorted(hashes))
        paths = [
            path
            for folder in folders
            for path in sorted(folder.glob("*.whl"))
            if is_wheel_of(path.name, pin.version) and fit(path.name, self.platform) is not None
        ]
        if not paths:
            return None
        return self._verified(pin, min(paths, key=lambda path: preference(path.name, self.platform)))

    def _verified(self, pin: Pin, path: Path) -> Wheel | None:
        """Take a cached file only if it still is what its folder says: caches get cut off, and poisoned."""
        sha256 = path.parent.name
        if not path.is_file():
            return None
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return None
        return Wheel(name=pin.name, version=pin.version, filename=path.name, sha256=sha256, path=path)

    def _download(self, pin: Pin, file: IndexFile) -> Wheel:
        received = 0

        def count(chunk: int) -> None:
            nonlocal received
            if self.cancelled.is_set():
                raise _CancelledError
            received += chunk
            self.progress(Progress(filename=file.filename, received=received, size=file.size))

        incoming = self.cache / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=incoming) as folder:
            arrived = Path(folder) / "wheel"
            sha256 = self.index.download(file, arrived, received=count)
            if pin.hashes and f"sha256:{sha256}" not in pin.hashes:
                raise FetchError(_not_allowed(pin, file, sha256))
            path = self._path(sha256, file.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            arrived.replace(path)
        self.progress(Progress(filename=file.filename, received=received, size=file.size, done=True))
        return Wheel(name=pin.name, version=pin.version, filename=file.filename, sha256=sha256, path=path)

    def _path(self, sha256: str, filename: str) -> Path:
        return self.cache / "wheels" / sha256 / filename

    def _choice(self, pin: Pin) -> Path:
        key = "\n".join([str(self.platform), str(pin), *sorted(pin.hashes)])
        return self.cache / "choices" / hashlib.sha256(key.encode()).hexdigest()

    def _remembered(self, pin: Pin) -> Iterable[str]:
        choice = self._choice(pin)
        return frozenset([choice.read_text("ascii")]) & pin.hashes if choice.is_file() else ()

    def _remember(self, pin: Pin, wheel: Wheel) -> None:
        if pin.hashes and not self.exact:
            choice = self._choice(pin)
            choice.parent.mkdir(parents=True, exist_ok=True)
            choice.write_text(f"sha256:{wheel.sha256}", "ascii")


def _not_allowed(pin: Pin, file: IndexFile, sha256: str) -> Problem:
    allowed = ", ".join(sorted(pin.hashes))
    return Problem(
        f"{file.filename} is not the file that was locked: expected {allowed}, got sha256:{sha256}",
        "find out why the index serves another file; if that is right, run: lambda-layers lock",
        pin.place,
    )
