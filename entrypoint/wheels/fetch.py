"""Download the files of a lock: pins go in, verified files in the cache come out."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.version import Version

from entrypoint.cache import Cache, CacheEntry, Store
from entrypoint.errors import Diagnostic, FetchError, Location
from entrypoint.index.candidates import IndexFile, choose, choose_sdist, fit, preference, version_of
from entrypoint.index.incompatible import no_compatible_file
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.runtimes import Platform
from entrypoint.parallel import as_they_end
from entrypoint.progress import Download

# Measured with 110 wheels at 30 ms latency: 8 take a fifth of the time of one, 16 gain little more.
_CONNECTIONS = 8
_CHOICES = "choices"
"""The kind of record that holds the hash of the file chosen for a pin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel on disk that the lock allows; `sha256` is hex."""

    name: str
    version: str
    filename: str
    sha256: str
    path: Path
    #: What it was built from and with, in JSON's types; None for a downloaded wheel.
    built_from: Mapping[str, object] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdist:
    """A source archive on disk that the lock allows and that must be compiled; `sha256` is hex."""

    name: str
    version: str
    filename: str
    sha256: str
    path: Path
    location: Location

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class _CancelledError(Exception):
    """Another download failed, or the user pressed Ctrl-C."""


def fetch(
    lock: Lock,
    platform: Platform,
    *,
    index: PackageIndex,
    cache: Path,
    progress: Callable[[Download], None] = lambda _: None,
) -> tuple[Wheel | Sdist, ...]:
    """Return a file for each pin, downloaded unless the cache has it.

    The file is a wheel. It is the source archive if the pin says so or if, in a lock that another tool
    wrote, no wheel is compatible. `progress` is called from several threads.

    Raises:
        FetchError: with the problems of all pins.
    """
    cancelled = threading.Event()
    downloads = _Downloads(
        platform=platform,
        index=index,
        cache=Cache(cache),
        progress=progress,
        cancelled=cancelled,
        options=lock.options,
        exact=bool(lock.inputs),
    )
    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="fetch") as pool:
        futures = {pool.submit(downloads.file, pin): pin for pin in lock.pins}
        try:
            for future in as_they_end(futures):
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


def fetch_sdist(pin: Pin, file: IndexFile, *, platform: Platform, index: PackageIndex, cache: Path) -> Sdist:
    """Return one source archive, downloaded unless the cache has it."""
    downloads = _Downloads(
        platform=platform,
        index=index,
        cache=Cache(cache),
        progress=lambda _: None,
        cancelled=threading.Event(),
        options=IndexOptions(),
        exact=True,
    )
    path = downloads.cached_or_downloaded(pin, file).path
    return _sdist(pin, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Downloads:
    """The downloads of one lock."""

    platform: Platform
    index: PackageIndex
    cache: Cache
    progress: Callable[[Download], None]
    cancelled: threading.Event
    options: IndexOptions
    #: The lock allows one wheel for each package, so any compatible wheel in the cache is the right one.
    exact: bool

    def file(self, pin: Pin) -> Wheel | Sdist:
        if cached := self._cached(pin):
            return cached
        fetched = self.cached_or_downloaded(pin, self._chosen(pin))
        self._record_choice(pin, fetched)
        return fetched

    def cached_or_downloaded(self, pin: Pin, file: IndexFile) -> Wheel | Sdist:
        if file.sha256 is None:
            return self._download(pin, file)
        store = _store(file.filename)
        with self.cache.lock(store, file.sha256):
            if path := self.cache.find_file(store, file.sha256, file.filename):
                return _fetched(pin, path)
            return self._download(pin, file)

    def _chosen(self, pin: Pin) -> IndexFile:
        files = self.index.files(pin.name)
        if not pin.from_source:
            if wheel := choose(pin, files, self.platform):
                return wheel
            replaced = choose(replace(pin, hashes=frozenset()), files, self.platform)
            if self.exact or replaced or self.options.refuses_source(pin.name):
                raise FetchError(no_compatible_file(pin, files, self.platform))
        if sdist := choose_sdist(pin, files, self.platform):
            return sdist
        raise FetchError(no_compatible_file(pin, files, self.platform))

    def _cached(self, pin: Pin) -> Wheel | Sdist | None:
        """Return the file of a pin if it can be found without the index.

        A lock that another tool wrote may allow several wheels, and the cache may contain a less
        suitable one that was downloaded for another platform. So the choice made from the index's
        listing is recorded.
        """
        hashes = pin.hashes if self.exact or pin.from_source else self._recorded_choice(pin)
        stores: tuple[Store, ...] = ("wheels", "sdists")
        if pin.from_source or self.exact:
            stores = ("sdists",) if pin.from_source else ("wheels",)
        found = [
            (filename, store, sha256)
            for store in stores
            for sha256 in sorted(digest.removeprefix("sha256:") for digest in hashes)
            for filename in self.cache.filenames(store, sha256)
            if version_of(filename) == Version(pin.version) and (store == "sdists" or self._fits(filename))
        ]
        if not found:
            return None
        filename, store, sha256 = min(found, key=lambda file: self._preference(file[0]))
        path = self.cache.find_file(store, sha256, filename)
        return _fetched(pin, path) if path else None

    def _fits(self, filename: str) -> bool:
        """Whether a file in the cache is a compatible wheel; anything may be there under any name."""
        return filename.endswith(".whl") and fit(filename, self.platform) is not None

    def _preference(self, filename: str) -> tuple[int, int, str]:
        return preference(filename, self.platform) if filename.endswith(".whl") else (0, 0, filename)

    def _download(self, pin: Pin, file: IndexFile) -> Wheel | Sdist:
        received = 0

        def count(chunk: int) -> None:
            nonlocal received
            if self.cancelled.is_set():
                raise _CancelledError
            received += chunk
            self.progress(Download(filename=file.filename, received=received, size=file.size))

        with self.cache.incoming() as folder:
            arrived = folder / "file"
            sha256 = self.index.download(file, arrived, received=count)
            if pin.hashes and f"sha256:{sha256}" not in pin.hashes:
                raise FetchError(_not_allowed(pin, file, sha256))
            path = self.cache.add_file(_store(file.filename), sha256, file.filename, arrived)
        self.progress(Download(filename=file.filename, received=received, size=file.size, done=True))
        return _fetched(pin, path)

    def _choice_key(self, pin: Pin) -> str:
        text = "\n".join([str(self.platform), str(pin), *sorted(pin.hashes)])
        return hashlib.sha256(text.encode()).hexdigest()

    def _recorded_choice(self, pin: Pin) -> Iterable[str]:
        choice = self.cache.get(_CHOICES, self._choice_key(pin))
        return {str(choice.facts)} & pin.hashes if choice else ()

    def _record_choice(self, pin: Pin, fetched: Wheel | Sdist) -> None:
        if pin.hashes and not self.exact:
            self.cache.put(_CHOICES, self._choice_key(pin), CacheEntry(facts=f"sha256:{fetched.sha256}"))


def _store(filename: str) -> Store:
    return "wheels" if filename.endswith(".whl") else "sdists"


def _fetched(pin: Pin, path: Path) -> Wheel | Sdist:
    if path.suffix != ".whl":
        return _sdist(pin, path)
    sha256 = path.parent.name
    return Wheel(name=pin.name, version=pin.version, filename=path.name, sha256=sha256, path=path)


def _sdist(pin: Pin, path: Path) -> Sdist:
    sha256 = path.parent.name
    return Sdist(
        name=pin.name,
        version=pin.version,
        filename=path.name,
        sha256=sha256,
        path=path,
        location=pin.location,
    )


def _not_allowed(pin: Pin, file: IndexFile, sha256: str) -> Diagnostic:
    allowed = ", ".join(sorted(pin.hashes))
    return Diagnostic(
        f"{file.filename} does not match the lock: expected {allowed}, got sha256:{sha256}",
        "find out why the index serves a different file; if it is correct, run: lambda-layers lock",
        pin.location,
    )
