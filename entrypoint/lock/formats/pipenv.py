"""Pipfile.lock: JSON with a table of packages for each category; the layer's groups are categories.

https://pipenv.pypa.io/en/latest/locking.html
"""

import json
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from entrypoint.lock.formats.selected import Entry, InvalidLockError, Selection, hashes_of

_DEFAULT = "default"
_ELSEWHERE = ("git", "hg", "svn", "bzr", "path", "file")


def read(text: str, selection: Selection) -> list[Entry]:
    """Return the packages of the default category and of those that are selected.

    Raises:
        InvalidLockError: the lock is damaged, or has no such category.
    """
    try:
        lock = json.loads(text)
    except ValueError as error:
        raise InvalidLockError(f"invalid JSON: {error}") from None
    categories = {
        str(canonicalize_name(name)): table
        for name, table in (lock.items() if isinstance(lock, Mapping) else ())
        if name != "_meta" and isinstance(table, Mapping)
    }
    if selection.extras:
        raise InvalidLockError("a Pipfile.lock has no extras", "name a category under 'groups'")
    wanted = {_DEFAULT, *selection.groups}
    if missing := sorted(wanted - categories.keys()):
        message = f"unknown category {missing[0]!r} (available: {', '.join(sorted(categories))})"
        raise InvalidLockError(message, "correct it, or run: pipenv lock --categories")
    return [
        _entry(name, package)
        for category in sorted(wanted)
        for name, package in categories[category].items()
        if isinstance(package, Mapping) and selection.applies(package.get("markers"))
    ]


def _entry(name: str, package: Mapping[str, Any]) -> Entry:
    elsewhere = next((kind for kind in _ELSEWHERE if package.get(kind)), None)
    hashes = package.get("hashes")
    files = hashes_of({"hash": digest} for digest in (hashes if isinstance(hashes, list) else ()))
    version = str(package.get("version", "")).removeprefix("==")
    return Entry(name, version, files, elsewhere)
