"""pdm.lock: a list of packages with their groups and markers, with its default strategy `inherit_metadata`.

https://pdm-project.org/latest/usage/lockfile/
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from packaging.utils import canonicalize_name

from entrypoint.lock.formats.selected import Entry, InvalidLockError, Selection, hashes_of, tables
from entrypoint.toml import load_toml

_DEFAULT = "default"
_ELSEWHERE = ("git", "hg", "svn", "bzr", "path", "url")
_EXPORT = "lock it with `--strategy inherit_metadata`, or export it: pdm export -o requirements.txt"


def read(text: str, selection: Selection) -> list[Entry]:
    """Return the packages of the default group, and of the groups and extras that are selected.

    Raises:
        InvalidLockError: the lock is damaged, or does not record groups.
    """
    try:
        lock = load_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidLockError(f"invalid TOML: {error}") from None
    packages, metadata = tables(lock.get("package")), lock.get("metadata")
    if any("groups" not in package for package in packages) or not isinstance(metadata, Mapping):
        raise InvalidLockError("this pdm.lock does not record groups", _EXPORT)
    known = {canonicalize_name(str(name)) for name in metadata.get("groups", ())}
    groups = {_DEFAULT, *selection.groups, *selection.extras}  # PDM does not tell extras from groups
    if missing := sorted(groups - known - {_DEFAULT}):
        message = f"unknown group or extra {missing[0]!r} (available: {', '.join(sorted(known))})"
        raise InvalidLockError(message, "correct it, or lock it: pdm lock -G:all")
    return [
        _entry(package)
        for package in packages
        if groups & {canonicalize_name(str(name)) for name in package["groups"]}
        and selection.applies(package.get("marker"))
    ]


def _entry(package: Mapping[str, Any]) -> Entry:
    elsewhere = next((kind for kind in _ELSEWHERE if package.get(kind)), None)
    files = hashes_of(tables(package.get("files")))
    return Entry(str(package.get("name")), str(package.get("version")), files, elsewhere)
