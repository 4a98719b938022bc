"""pylock.toml (PEP 751): what a platform gets of a lock that another tool made for many."""

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

_MAKE_ANEW = "make the lock anew with the tool that made it"


def read_pylock(text: str, platform: Platform, location: Location) -> tuple[Pin, ...]:
    """Return the pins of a platform, sorted by name; each allows the one file that the platform gets.

    Raises:
        LockError: where the lock is invalid, does not serve the platform, or names what no index has.
    """
    try:
        lock = Pylock.from_dict(tomllib.loads(text))
        environment = marker_environment(platform)
        chosen = list(lock.select(environment=environment, tags=supported_tags(platform)))  # type: ignore[arg-type]
    except tomllib.TOMLDecodeError as error:
        raise LockError.of(f"this is not valid TOML: {error}", _MAKE_ANEW, location) from None
    except PylockValidationError as error:
        raise LockError.of(f"this is no pylock.toml: {error}", _MAKE_ANEW, location) from None
    except PylockSelectError as error:
        raise LockError.of(f"it does not serve {platform}: {error}", _MAKE_ANEW, location) from None
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
            message = f"{package.name} is locked to a folder, an archive's address or a repository"
            yield Diagnostic(message, "lock a version of it that an index has", location)
        elif package.version is None or "sha256" not in file.hashes:
            yield Diagnostic(f"{package.name} is locked without a version or a SHA-256", _MAKE_ANEW, location)
