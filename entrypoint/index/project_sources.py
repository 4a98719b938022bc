"""Where a project takes its packages from: the settings of uv and Poetry in a pyproject.toml.

A package that its owner takes from a folder, a repository or an index of its own must not be looked up
elsewhere: anyone may have uploaded another package of that name.
https://docs.astral.sh/uv/concepts/projects/dependencies/#dependency-sources
https://python-poetry.org/docs/repositories/#package-sources
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_ELSEWHERE = ("workspace", "path", "git", "url", "file")


class Elsewhere(NamedTuple):
    """A package that comes from no index, and from where it does."""

    name: str
    kind: str
    line: int
    #: What the file says of the source.
    table: Mapping[str, Any]
    #: Whether the file lists several sources of the package.
    is_conditional: bool


class ProjectIndex(NamedTuple):
    """An index that a project names, for one package or, without a name, for all."""

    url: str
    line: int
    name: str | None = None


class ProjectSources(NamedTuple):
    """What a project says about the sources of its requirements."""

    elsewhere: tuple[Elsewhere, ...] = ()
    indexes: tuple[ProjectIndex, ...] = ()
    #: The line of a setting that leaves out new versions.
    cutoff: int | None = None


def project_sources(
    text: str, table: Mapping[str, Any], requirements: Iterable[str], overridden: frozenset[str] = frozenset()
) -> ProjectSources:
    """Return the sources of these requirements that the file has, without those of `overridden` names."""
    tool = _tables(table.get("tool"))
    uv, poetry = _tables(tool.get("uv")), _tables(tool.get("poetry"))
    if not uv and not poetry:
        return ProjectSources()
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - slow to import, and rarely needed

    names = {canonicalize_name(found[0]) for line in requirements if (found := _NAME.match(line.strip()))}
    names -= overridden
    declared = {
        "tool.uv.sources": _tables(uv.get("sources")),
        "tool.poetry.dependencies": _tables(poetry.get("dependencies")),
    }
    urls = {
        str(index.get("name")): str(index.get("url", ""))
        for index in (*_list(uv.get("index")), *_list(poetry.get("source")))
    }
    elsewhere, indexes = list[Elsewhere](), list(_for_all(text, uv, poetry))
    for header, sources in declared.items():
        for name, source in sources.items():
            if canonicalize_name(name) not in names:
                continue
            line = _line(text, header, name)
            for each in (listed := _list(source)):
                if kind := next((key for key in _ELSEWHERE if each.get(key)), None):
                    elsewhere.append(Elsewhere(name, kind, line, each, len(listed) > 1))
                elif index := each.get("index") or each.get("source"):
                    indexes.append(ProjectIndex(urls.get(str(index), str(index)), line, name))
    cutoff = _line(text, "tool.uv", "exclude-newer") if "exclude-newer" in uv else None
    return ProjectSources(tuple(elsewhere), tuple(indexes), cutoff)


def sourced_names(table: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the packages for which uv has a source in a file."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - see above

    uv = _tables(_tables(table.get("tool")).get("uv"))
    return frozenset(map(canonicalize_name, _tables(uv.get("sources"))))


def is_member(table: Mapping[str, Any], folder: str) -> bool:
    """Return whether a folder is in the workspace of a file, relative to it.

    uv applies the sources and indexes of a workspace to all of its members. A `*` of `members` may match
    more here than in uv, so that no source is missed.
    """
    workspace = _workspace(table)
    excluded = (each for each in _texts(workspace.get("exclude")) if each.count("/") == folder.count("/"))
    return any(fnmatchcase(folder, each) for each in _texts(workspace.get("members"))) and not any(
        fnmatchcase(folder, each) for each in excluded
    )


def workspace_members(table: Mapping[str, Any], folder: Path) -> Iterator[Path]:
    """Yield the folders of a workspace, by the file of its root, which is in this folder."""
    for pattern in _texts(_workspace(table).get("members")):
        found = {folder}
        for part in pattern.split("/"):
            if part == "**":
                found |= {below for each in found for below in _below(each, deep=True)}
            else:
                found = {below for each in found for below in _below(each) if fnmatchcase(below.name, part)}
        yield from (each for each in sorted(found) if is_member(table, each.relative_to(folder).as_posix()))


def _below(folder: Path, *, deep: bool = False) -> Iterator[Path]:
    """Yield the folders in a folder; links, which may lead out of the repository, are not followed."""
    for path, names, _ in os.walk(folder):
        yield from (Path(path, name) for name in names if not Path(path, name).is_symlink())
        if not deep:
            return


def _workspace(table: Mapping[str, Any]) -> Mapping[str, Any]:
    return _tables(_tables(_tables(table.get("tool")).get("uv")).get("workspace"))


def _for_all(text: str, uv: Mapping[str, Any], poetry: Mapping[str, Any]) -> Iterator[ProjectIndex]:
    """Yield the indexes in which a tool looks up every package."""
    for index in _list(uv.get("index")):
        if not index.get("explicit") and index.get("url"):
            yield ProjectIndex(str(index["url"]), _line(text, "tool.uv.index", "url", str(index["url"])))
    for index in _list(poetry.get("source")):
        if index.get("priority") != "explicit" and index.get("url"):
            yield ProjectIndex(str(index["url"]), _line(text, "tool.poetry.source", "url", str(index["url"])))


def _line(text: str, header: str, key: str, value: str = "") -> int:
    """Return the line of a key below a header, or of the header."""
    start = max(text.find(f"[{header}"), 0)
    pattern = rf"^\s*(?:\[[\w.]*\.)?[\"']?{re.escape(key)}[\"']?\s*[\]=].*{re.escape(value)}"
    found = re.compile(pattern, re.MULTILINE).search(text, start)
    position = found.end() if found else start
    return text.count("\n", 0, position) + 1


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any value of the file
    """Yield the texts of a list of folders, as relative paths."""
    for each in value if isinstance(value, list) else ():
        yield str(each).removeprefix("./").rstrip("/")


def _tables(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any value of the file
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - as above
    """Return a table, or the tables of a list."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, Mapping)]
