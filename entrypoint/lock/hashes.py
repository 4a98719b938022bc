"""Versions -> the hashes of their files, from the listings of the index; versions without a usable file."""

import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import IndexFile, choose, choose_sdist, usable, version_of
from entrypoint.index.incompatible import no_compatible_file
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.lock.cooldown import old_enough, too_new
from entrypoint.lock.lock_file import raise_all
from entrypoint.manifest.runtimes import Platform

_CONNECTIONS = 8


def with_hashes(
    pins: Iterable[Pin], platform: Platform, index: PackageIndex, options: IndexOptions
) -> tuple[Pin, ...]:
    """Return the pins with the hashes of the files that the platform can use.

    Raises:
        LockError: with every version that has no such file, or may not be locked yet.
    """

    def hashed(pin: Pin) -> Pin | Diagnostic:
        try:
            return _with_hashes_of(pin, platform, index, options)
        except FetchError as error:
            return error.problems[0]._replace(location=pin.location)

    with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="list") as pool:
        results = list(pool.map(hashed, pins))
    raise_all(dict.fromkeys(result for result in results if isinstance(result, Diagnostic)))
    return tuple(result for result in results if isinstance(result, Pin))


def _with_hashes_of(
    pin: Pin, platform: Platform, index: PackageIndex, options: IndexOptions
) -> Pin | Diagnostic:
    pin = replace(pin, from_source=options.wants_source(pin.name))
    every = index.files(pin.name)
    if problem := too_new(pin, every, options):
        return problem
    files = old_enough(pin.name, every, options)
    wheel = None if pin.from_source else choose(pin, files, platform)
    sdist = choose_sdist(pin, files, platform)
    if wheel is None and (sdist is None or options.refuses_source(pin.name)):
        return no_compatible_file(pin, files, platform)
    digests = frozenset(f"sha256:{_sha256(file, index)}" for file in (wheel, sdist) if file)
    return replace(pin, hashes=digests, from_source=wheel is None)


def _sha256(file: IndexFile, index: PackageIndex) -> str:
    """Return the listed hash; if the index lists none, as a plain folder does, hash the file."""
    if file.sha256:
        return file.sha256
    with tempfile.TemporaryDirectory(prefix="lambda-layers-hash-") as folder:
        return index.download(file, Path(folder) / "file")


def exclusions(
    pins: Iterable[Pin], platform: Platform, index: PackageIndex, options: IndexOptions
) -> Iterator[str]:
    """Yield a constraint for each package whose pin has no compatible file, against all such versions."""
    for pin in pins:
        every = index.files(pin.name)
        files = old_enough(pin.name, every, options)
        if not usable(pin, files, platform, options):
            versions = sorted({version for file in every if (version := version_of(file.filename))})
            others = (replace(pin, version=str(version)) for version in versions)
            excluded = (other.version for other in others if not usable(other, files, platform, options))
            yield f"{pin.name}{','.join(f'!={version}' for version in excluded)}"
