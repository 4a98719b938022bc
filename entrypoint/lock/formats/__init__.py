"""Locks in the formats of other tools: uv.lock, poetry.lock, pdm.lock, Pipfile.lock -> pins of a platform.

Each reader selects what the tool's own export has for the platform. The hashes are those of the lock, so it
does not matter which index serves the files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from entrypoint.errors import Location, LockError
from entrypoint.lock.formats import pdm, pipenv, poetry, uv
from entrypoint.lock.formats.selected import (
    CREATE_AGAIN,
    Entry,
    InvalidLockError,
    Selection,
    ToolLock,
    pins_of,
)
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

_READERS: Mapping[str, Callable[[str, Selection], list[Entry]]] = {
    "Pipfile.lock": pipenv.read,
    "pdm.lock": pdm.read,
    "poetry.lock": poetry.read,
    "uv.lock": uv.read,
}


def is_tool_lock(path: Path) -> bool:
    """Return whether a file has the format of a tool, by its name."""
    return path.name in _READERS


def read_tool_lock(
    path: Path, platform: Platform, requirements: Requirements, location: Location
) -> ToolLock:
    """Return the pins of a platform, for the extras and groups of a layer.

    Raises:
        LockError: the lock is invalid, or has packages that come from no index.
    """
    text = path.read_text(encoding="utf-8-sig")
    try:
        entries = _READERS[path.name](text, Selection.of(path, platform, requirements))
    except InvalidLockError as error:
        raise LockError.of(f"{error}", error.hint, location) from None
    except RecursionError:
        raise LockError.of("values are nested too deeply", "create the lock again", location) from None
    except (TypeError, AttributeError) as error:
        message = f"it has a value of another type than {path.name} has: {error}"
        raise LockError.of(message, CREATE_AGAIN, location) from None
    return pins_of(entries, text, location)
