"""poetry.lock: a list of packages with their groups and markers, since Poetry 2.0.

https://python-poetry.org/docs/basic-usage/#installing-dependencies
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from entrypoint.lock.formats.selected import Entry, InvalidLockError, Selection, hashes_of, tables
from entrypoint.toml import load_toml

_MAIN = "main"
_EXPORT = "update it with Poetry 2: poetry lock; or export it: poetry export -o requirements.txt"


def read(text: str, selection: Selection) -> list[Entry]:
    """Return the packages of the main group, and of the groups and extras that are selected.

    Raises:
        InvalidLockError: the lock is damaged, or of a Poetry before 2.0, which does not record groups.
    """
    try:
        lock = load_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidLockError(f"invalid TOML: {error}") from None
    packages = tables(lock.get("package"))
    if any("groups" not in package for package in packages):
        raise InvalidLockError("this poetry.lock does not record groups", _EXPORT)
    known = {canonicalize_name(str(name)) for package in packages for name in package["groups"]}
    extras = lock.get("extras")
    extras = {canonicalize_name(name) for name in extras} if isinstance(extras, Mapping) else set()
    for what, wanted, available in (
        ("dependency group", selection.groups, known),
        ("extra", selection.extras, extras),
    ):
        if missing := sorted(wanted - available):
            names = ", ".join(sorted(available)) or "none"
            raise InvalidLockError(f"unknown {what} {missing[0]!r} (available: {names})", "correct it")
    groups = {_MAIN, *selection.groups}
    return [_entry(package) for package in packages if _applies(package, groups, selection)]


def _applies(package: Mapping[str, Any], groups: set[str], selection: Selection) -> bool:
    """Return whether a package is required; its marker may differ from group to group."""
    markers = package.get("markers")
    for group in package["groups"]:
        if canonicalize_name(str(group)) in groups:
            marker = markers.get(group) if isinstance(markers, Mapping) else markers
            if selection.applies(marker):
                return True
    return False


def _entry(package: Mapping[str, Any]) -> Entry:
    source = package.get("source")
    kind = source.get("type") if isinstance(source, Mapping) else "legacy"
    folder = str(source.get("url")) if kind == "directory" and isinstance(source, Mapping) else None
    elsewhere = None if kind == "legacy" or folder is not None else str(kind)
    files = hashes_of(tables(package.get("files")))
    return Entry(str(package.get("name")), str(package.get("version")), files, elsewhere, folder)
