"""The project files of a folder (pyproject.toml of PEP 621, uv and Poetry, Pipfile) -> what a layer requires.

A list of requirements is never copied: the manifest names the file, so that there is one place to change it,
and the project's own lock. Without one, Poetry's and Pipenv's own lists have to be exported by their tools.

https://packaging.python.org/en/latest/specifications/pyproject-toml/
https://python-poetry.org/docs/pyproject/ and https://pipenv.pypa.io/en/latest/pipfile.html
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from entrypoint.errors import Location
from entrypoint.init.draft import Content, Note, fill_in, left_out, taken
from entrypoint.init.repository import Repository, start_of
from entrypoint.manifest.yaml_limits import BYTES
from entrypoint.toml import load_toml

_FORMATS = {
    "Pipfile.lock": r'"default": \{',
    "pdm.lock": r'^strategy = \[.*"inherit_metadata"',
    "poetry.lock": r'^(?:groups = \[|lock-version = "2\.[1-9])',
    "uv.lock": r"^version = 1$",
}
_DEVELOPMENT_GROUP = re.compile(r"dev(elop(ment)?)?|tests?|testing|lint(ing)?|docs?|typing|types|ci")


class Found(NamedTuple):
    """The content of a layer, if there is any, and notes on where it is from or why there is none."""

    content: Content
    notes: tuple[Note, ...] = ()


NOTHING = Found(Content())


def read_toml(path: Path) -> Mapping[str, Any]:
    """Return the content of a TOML file; empty if it is missing, invalid or too large."""
    try:
        text = start_of(path)
        return load_toml(text) if len(text) < BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}


def found_in_project(repository: Repository, folder: Path, groups: tuple[str, ...] = ()) -> Found:
    """Return the requirements of a folder's pyproject.toml or Pipfile; with `groups`, of those too."""
    pyproject, pipfile = folder / "pyproject.toml", folder / "Pipfile"
    if pyproject.is_file() and repository.contains(pyproject):
        project = read_toml(pyproject)
        if (found := _of_pyproject(repository, pyproject, project, groups)).content or found.notes:
            return found
    if pipfile.is_file() and repository.contains(pipfile) and read_toml(pipfile).get("packages"):
        if lock := _lock(repository, pipfile.parent, "Pipfile.lock"):
            return Found(Content(lock=lock), (_pinned(lock),))
        return _exported(repository, pipfile, "pipenv requirements > requirements.txt")
    return NOTHING


def requires_python(folder: Path) -> str:
    """Return `requires-python` of a folder's project; empty if it has none."""
    project = _table(read_toml(folder / "pyproject.toml"), "project")
    found = project.get("requires-python")
    return found if isinstance(found, str) else ""


def _of_pyproject(
    repository: Repository, path: Path, project: Mapping[str, Any], groups: tuple[str, ...]
) -> Found:
    standard, poetry = _table(project, "project"), _table(project, "tool", "poetry")
    shown, dependencies = repository.shown(path), standard.get("dependencies")
    if isinstance(dependencies, list) and (dependencies or groups):
        known = tuple(each for each in groups if each in _table(project, "dependency-groups"))
        notes = (
            taken("the dependencies of [project]", _at(path, shown, r"dependencies\s*=")),
            *_optional(path, shown, project, known),
        )
        lock = _lock(repository, path.parent, "uv.lock", "poetry.lock", "pdm.lock")
        pinned = (_pinned(lock),) if lock else ()
        return Found(Content(requirements=(shown,), groups=known, lock=lock), (*notes, *pinned))
    if [name for name in _table(poetry, "dependencies") if name != "python"]:
        if lock := _lock(repository, path.parent, "poetry.lock"):
            return Found(Content(requirements=(shown,), groups=groups, lock=lock), (_pinned(lock),))
        command = "poetry export --format requirements.txt --output requirements.txt"
        return _exported(repository, path, command + "".join(f" --with {each}" for each in groups))
    if "dependencies" in (dynamic := standard.get("dynamic") or ()) and isinstance(dynamic, list):
        note = left_out(
            "its dependencies are dynamic: its build backend sets them", _at(path, shown, "dynamic")
        )
        return Found(Content(), (note,))
    return NOTHING


def _lock(repository: Repository, folder: Path, *names: str) -> str:
    """Return the lock of a project or, with uv, of its workspace; empty if none can be read."""
    for name in names:
        for place in (folder, *folder.parents) if name == "uv.lock" else (folder,):
            path = place / name
            if path.is_file() and repository.contains(path) and _can_be_read(path):
                return repository.shown(path)
    return ""


def _can_be_read(lock: Path) -> bool:
    """Return whether a lock is in the format that is read; before Poetry 2, it had no groups of packages."""
    return re.search(_FORMATS[lock.name], start_of(lock), re.MULTILINE) is not None


def _pinned(lock: str) -> Note:
    return taken(f"the versions of {lock}: change them with its tool", Location(lock))


def _optional(path: Path, shown: str, project: Mapping[str, Any], groups: tuple[str, ...]) -> Iterator[Note]:
    """Yield notes on the extras and groups that the layer does not install."""
    for key, parent, what in (
        ("extras", _table(project, "project", "optional-dependencies"), "extra"),
        ("groups", _table(project, "dependency-groups"), "dependency group"),
    ):
        for name in (each for each in parent if each not in groups):
            why = (
                "for development"
                if _DEVELOPMENT_GROUP.fullmatch(name)
                else f"to install it, add `{key}: [{name}]`"
            )
            yield left_out(f"{what} {name}: {why}", _at(path, shown, rf'"?{re.escape(name)}"?\s*='))


def _exported(repository: Repository, source: Path, command: str) -> Found:
    """Return the requirements.txt that a tool exports beside its own file."""
    path = source.parent / "requirements.txt"
    where = (
        source.parent.relative_to(repository.folder) if source.is_relative_to(repository.folder) else Path()
    )
    run = command if where == Path() else f"cd {where.as_posix()} && {command}"
    location = _at(source, repository.shown(source), r"\[(?:tool\.poetry\.dependencies|packages)\]")
    text = f"run `{run}` after each change of its lock: this file has a format of its own"
    return Found(Content(requirements=(repository.shown(path),)), (fill_in(text, location),))


def _at(path: Path, shown: str, pattern: str) -> Location:
    """Return the first line that begins with a pattern; TOML values have no lines."""
    match = re.search(rf"^\s*{pattern}", path.read_text("utf-8", "replace"), re.MULTILINE)
    return Location(shown, match.string.count("\n", 0, match.end()) + 1 if match else None)


def _table(parent: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = parent.get(key)
        parent = found if isinstance(found, dict) else {}
    return parent
