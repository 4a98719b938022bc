"""A cooldown: no version that was uploaded in the last days is locked.

Hostile releases are usually found and removed within days. The files of an index have the time of their
upload (PEP 700). Both engines first choose versions. Those that are too new are then excluded, and the engine
chooses again.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from packaging.version import Version

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.candidates import IndexFile, version_of
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin


def old_enough(name: str, files: Iterable[IndexFile], options: IndexOptions) -> tuple[IndexFile, ...]:
    """Return the files of a package that may be locked."""
    if not options.cooldown or name in options.cooldown_exceptions or options.direct_of(name):
        return tuple(files)
    cutoff = datetime.now(tz=UTC) - timedelta(days=options.cooldown)
    return tuple(file for file in files if (uploaded := _uploaded(file)) and uploaded <= cutoff)


def too_new(pin: Pin, files: Iterable[IndexFile], options: IndexOptions) -> Diagnostic | None:
    """Describe a version of which no file may be locked yet."""
    found = [file for file in files if version_of(file.filename) == Version(pin.version)]
    if not found or old_enough(pin.name, found, options):
        return None
    times = [uploaded for file in found if (uploaded := _uploaded(file))]
    if not times:
        message = f"the index lists no upload times of {pin}, which 'cooldown' needs"
        hint = f"use an index that does, or add it to 'cooldown_exceptions': {pin.name}"
        return Diagnostic(message, hint, pin.location)
    message = f"{pin} was uploaded on {min(times):%Y-%m-%d}, within the cooldown of {options.cooldown} days"
    hint = f"allow an older version, wait, or add it to 'cooldown_exceptions': {pin.name}"
    return Diagnostic(message, hint, pin.location)


def unused_cutoffs(index: PackageIndex, options: IndexOptions, location: Location) -> Iterator[Diagnostic]:
    """Yield the settings of pip and uv that leave out new versions, which would not be used."""
    for name in () if options.cooldown else index.cutoffs:
        yield Diagnostic(f"{name} is not used by lambda-layers", "set 'cooldown' in the manifest", location)


def _uploaded(file: IndexFile) -> datetime | None:
    try:
        found = datetime.fromisoformat(file.uploaded or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
