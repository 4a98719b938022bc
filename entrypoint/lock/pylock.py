"""pylock.toml (PEP 751): the pins of one platform in a lock of another tool."""

import tomllib
from collections.abc import Iterator, Sequence

from packaging.pylock import (
    Package,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
)

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.index.pin import Pin
from entrypoint.index.tags import marker_environment, supported_tags
from entrypoint.manifest.runtimes import Platform
from entrypoint.toml import load_toml

_REGENERATE = "generate the lock again with the tool that created it"


def read_pylock(text: str, platform: Platform, location: Location) -> tuple[Pin, ...]:
    """Return the pins of a platform, sorted by name; each allows only the best file for the platform.

    Raises:
        LockError: the lock is invalid, incompatible with the platform, or names a file outside an index.
    """
    try:
        lock = Pylock.from_dict(load_toml(text))
        environment = marker_environment(platform)
        chosen = list(lock.select(environment=environment, tags=supported_tags(platform)))  # type: ignore[arg-type]
    except tomllib.TOMLDecodeError as error:
        raise LockError.of(f"invalid TOML: {error}", _REGENERATE, location) from None
    except RecursionError:
        raise LockError.of("values are nested too deeply", _REGENERATE, location) from None
    except PylockValidationError as error:
        raise LockError.of(f"invalid pylock.toml: {error}", _REGENERATE, location) from None
    except PylockSelectError as error:
        raise LockError.of(f"incompatible with {platform}: {error}", _REGENERATE, location) from None
    problems = list(_problems(chosen, location))
    if problems:
        raise LockError(*problems)
    pins = (
        Pin(
            name=package.name,
            version=str(package.version),
            hashes=frozenset({f"sha256:{file.hashes['sha256']}"}),
            location=location,
        )
        for package, file in chosen
        if isinstance(file, PackageWheel | PackageSdist)
    )
    return tuple(sorted(pins, key=lambda pin: pin.name))


def _problems(chosen: Sequence[tuple[Package, object]], location: Location) -> Iterator[Diagnostic]:
    for package, file in chosen:
        if not isinstance(file, PackageWheel | PackageSdist):
            message = f"{package.name} is locked to a folder, an archive URL or a repository"
            yield Diagnostic(message, "lock a version from a package index", location)
        elif package.version is None or "sha256" not in file.hashes:
            yield Diagnostic(f"{package.name} has no version or no SHA-256 hash", _REGENERATE, location)
