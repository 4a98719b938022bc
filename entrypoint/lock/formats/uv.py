"""uv.lock: packages with their dependencies, which are followed from the project.

https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from packaging.utils import canonicalize_name

from entrypoint.lock.formats.selected import Entry, InvalidLockError, Selection, hashes_of, tables
from entrypoint.toml import load_toml

_VERSION = 1
_LOCAL = ("editable", "virtual", "directory")


def read(text: str, selection: Selection) -> list[Entry]:
    """Return the packages that a project requires, without itself.

    Raises:
        InvalidLockError: the lock is of an unknown version, damaged, or not of this project.
    """
    try:
        lock = load_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidLockError(f"invalid TOML: {error}") from None
    if lock.get("version") != _VERSION:
        hint = "export it: uv export --format pylock.toml -o pylock.toml"
        raise InvalidLockError(f"this uv.lock has the version {lock.get('version')}, not {_VERSION}", hint)
    packages = tables(lock.get("package"))
    return list(_Graph(packages, selection).required())


class _Graph:
    """The packages of a lock, and the way from the project to those that it requires."""

    def __init__(self, packages: Sequence[Mapping[str, Any]], selection: Selection) -> None:
        self._selection = selection
        self._by_name: dict[str, list[Mapping[str, Any]]] = {}
        for package in packages:
            self._by_name.setdefault(str(package.get("name")), []).append(package)
        self._of_fork: dict[int, bool] = {}
        self._root = self._project(packages)

    def required(self) -> Iterator[Entry]:
        root, selection = self._root, self._selection
        extras = frozenset(selection.extras)
        waiting = [(root, extra) for extra in (None, *sorted(extras))]
        for group in sorted(selection.groups):
            for dependency in self._list(root, "dev-dependencies", group, "dependency group"):
                waiting += self._chosen(dependency)
        seen: set[tuple[int, str | None]] = set()
        reached: dict[int, Mapping[str, Any]] = {}
        while waiting:
            package, extra = waiting.pop()
            if (id(package), extra) in seen:
                continue
            seen.add((id(package), extra))
            reached[id(package)] = package
            for dependency in self._dependencies(package, extra):
                waiting += self._chosen(dependency)
        yield from (
            _entry(package)
            for package in reached.values()
            if package is not root and "virtual" not in _source(package)
        )

    def _project(self, packages: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        folder = self._selection.project
        members = {
            str(source[kind]): package
            for package in packages
            if isinstance(source := package.get("source"), Mapping)
            for kind in _LOCAL
            if kind in source
        }
        if folder in members:
            return members[folder]
        known = ", ".join(sorted(members)) or "none"
        message = f"this lock has no project in the folder {folder!r} (it has: {known})"
        raise InvalidLockError(message, "name the pyproject.toml of one of them under 'requirements'")

    def _dependencies(self, package: Mapping[str, Any], extra: str | None) -> list[Mapping[str, Any]]:
        if extra is None:
            return tables(package.get("dependencies"))
        if package is self._root:
            return self._list(package, "optional-dependencies", extra, "extra")
        optional = package.get("optional-dependencies")
        return tables(optional.get(extra)) if isinstance(optional, Mapping) else []

    def _list(self, package: Mapping[str, Any], key: str, name: str, what: str) -> list[Mapping[str, Any]]:
        """Return a list of the project that the layer names."""
        found = package.get(key)
        lists = found if isinstance(found, Mapping) else {}
        by_name = {str(canonicalize_name(each)): lists[each] for each in lists}
        if name not in by_name:
            known = ", ".join(sorted(by_name)) or "none"
            message = f"unknown {what} {name!r} (available: {known})"
            raise InvalidLockError(message, "correct it, or run: uv lock")
        return tables(by_name[name])

    def _chosen(self, dependency: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str | None]]:
        """Return what a dependency leads to: its package, and the extras of it that are required."""
        if not self._selection.applies(dependency.get("marker")):
            return []
        name = str(dependency.get("name"))
        found = [
            package
            for package in self._by_name.get(name, ())
            if all(dependency[key] == package.get(key) for key in ("version", "source") if key in dependency)
        ]
        if len(found) > 1:
            found = [package for package in found if self._is_of_this_fork(package)]
        if len(found) != 1:
            raise InvalidLockError(f"the lock does not say which version of {name} is required")
        extras = dependency.get("extra")
        return [(found[0], extra) for extra in (None, *(extras if isinstance(extras, list) else ()))]

    def _is_of_this_fork(self, package: Mapping[str, Any]) -> bool:
        if id(package) not in self._of_fork:  # many packages may depend on this one
            markers = package.get("resolution-markers")
            self._of_fork[id(package)] = not markers or any(map(self._selection.applies, markers))
        return self._of_fork[id(package)]


def _entry(package: Mapping[str, Any]) -> Entry:
    source = _source(package)
    kind = next(iter(source), "folder")
    folder = next((str(source[key]) for key in ("editable", "directory") if key in source), None)
    elsewhere = None if kind == "registry" or folder is not None else kind
    sdist = package.get("sdist")
    files = [*tables(package.get("wheels")), *([sdist] if isinstance(sdist, Mapping) else [])]
    return Entry(str(package.get("name")), str(package.get("version")), hashes_of(files), elsewhere, folder)


def _source(package: Mapping[str, Any]) -> Mapping[str, Any]:
    source = package.get("source")
    return source if isinstance(source, Mapping) else {}
