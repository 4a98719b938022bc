"""Requirements that come from a folder of the repository or from a commit, and where projects say so.

    ./libs/common, -e ./libs/common, common @ file:./libs/common      lines of requirements files
    [tool.uv.sources], [tool.uv.workspace], [tool.poetry.dependencies]  tables of pyproject.toml files

Their code is not run: name, version and requirements are those of [project]. What else such a project
requires from its workspace is found in the same way.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.options import without_credentials
from entrypoint.index.project_sources import (
    Elsewhere,
    ProjectIndex,
    ProjectSources,
    is_member,
    project_sources,
    sourced_names,
    workspace_members,
)
from entrypoint.index.sources import GitCommit, SourceFolder, git_commit
from entrypoint.index.static_project import StaticProject, static_project
from entrypoint.lock.input_files import LARGEST, display_path
from entrypoint.lock.project_table import ProjectLines, load_table, workspace_sources
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.paths import OUTSIDE_HINT, is_inside

_FILE = "pyproject.toml"
# Without backtracking, so that the time is linear.
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*+)"
_EXTRAS = r"\s*+(?P<extras>\[[^\]]*+\])?\s*+"
_MARKER = r"(?P<marker>;.*)?"
_PATH = r"(?P<path>\.{1,2}|[^\s\[;@=<>!~:/]*+/[^\s\[;]*+)"
_FOLDER = re.compile(rf"(?P<file>file:(?://)?)?{_PATH}{_EXTRAS}{_MARKER}")
_NAMED_FOLDER = re.compile(rf"{_NAME}{_EXTRAS}@\s*+(?P<file>file:(?://)?)(?P<path>[^\s;]++)\s*+{_MARKER}")
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar\.gz|tgz)$")
_MOVING = re.compile(r"git\+(?P<address>https://[\w.:/~%+-]+)(?:@(?P<revision>[\w./-]+))?(?:#.*)?")
"""The URL of a repository without a commit, without credentials, and without what a shell would run."""
#: The keys of a source that can be locked; others make it conditional, or let it move.
_KEYS = frozenset({"path", "workspace", "editable", "develop", "optional", "git", "rev", "subdirectory"})
_STATIC = f"fix [project] of its {_FILE}, or remove it from the requirements and add its code under 'include'"


class FolderLine(NamedTuple):
    """A requirement that is a folder."""

    path: str
    name: str | None
    extras: str
    marker: str


def unknown_extras(line: FolderLine, project: StaticProject) -> str:
    """Return the extras that a line names and the project does not have."""
    names = (_canonical(name.strip()) for name in line.extras.strip("[]").split(",") if name.strip())
    return ", ".join(sorted(set(names) - set(project.extras)))


def folder_line(text: str) -> FolderLine | None:
    """Return the folder that a line requires; None if it requires something else, such as an archive."""
    found = _FOLDER.fullmatch(text) or _NAMED_FOLDER.fullmatch(text)
    if not found or _ARCHIVE.search(found["path"]):
        return None
    from urllib.parse import unquote  # noqa: PLC0415 - the check hook starts light

    parts = found.groupdict()
    path = unquote(parts["path"]) if parts["file"] else parts["path"]
    return FolderLine(path, parts.get("name"), parts["extras"] or "", parts["marker"] or "")


class LocalSources:
    """Collects the folders and commits that requirements come from, and the indexes that projects name.

    Without `follow`, what folders require is not looked at: the lock of a tool has it.
    """

    def __init__(self, requirements: Requirements, root: Path | None, *, follow: bool = True) -> None:
        self._follow = follow
        self._requirements = requirements
        self._root = root
        self._folders: dict[Path, StaticProject | None] = {}
        self.found: dict[str, SourceFolder | GitCommit] = {}
        self.indexes: list[tuple[ProjectIndex, Location]] = []
        self._problems: list[Diagnostic] = []
        self._of_builds: list[tuple[str, Diagnostic]] = []

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """What cannot be locked; packages that only builds take from elsewhere, unless they are found too."""
        builds = (problem for name, problem in self._of_builds if name not in self.found)
        return (*self._problems, *dict.fromkeys(builds))

    @property
    def lines(self) -> tuple[str, ...]:
        """What a lock depends on, for the hash of its inputs: not the content of folders."""
        return tuple(
            f"source {name}: {tuple(source.project) if isinstance(source, SourceFolder) else source}"
            for name, source in sorted(self.found.items())
        )

    def folder(self, path: Path, location: Location, *, name: str | None = None) -> StaticProject | None:
        """Add a folder, and those that it requires; None if there is a problem with it."""
        shown = display_path(Path(os.path.normpath(path)), self._root)
        try:
            identity = path.resolve()
            inside = all(is_inside(each, self._requirements.roots) for each in (identity, identity / _FILE))
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a NUL in the name
            self._problem(f"invalid path {shown!r}: {error}", "correct the path", location)
            return None
        if not inside:
            self._problem(f"{shown} is outside the repository", OUTSIDE_HINT, location)
            return None
        if identity not in self._folders:
            self._folders[identity] = None  # if its requirements lead back to it
            self._folders[identity] = self._read(identity, shown, location)
        project = self._folders[identity]
        if project and name and project.name != _canonical(name):
            message = f"{shown} has the package {project.name}, not {name}"
            self._problem(message, "correct the name or the path", location)
            return None
        return project

    def add(self, source: SourceFolder | GitCommit, location: Location) -> None:
        """Add a source; a package has only one."""
        if self.found.setdefault(source.name, source) != source:
            message = f"{source.name} comes from here, and from another folder or repository"
            self._problem(message, "remove one of them", location)

    def of_project(self, path: Path, found: ProjectLines) -> None:
        """Add what a pyproject.toml, and those above that it is a member of, say about its requirements."""
        self._add_all(found.sources, path)
        for above in self._above(path):
            self._add_all(self._of_workspace(above, path, found), above)

    def _read(self, folder: Path, shown: str, location: Location) -> StaticProject | None:
        file = folder / _FILE
        if not file.is_file():
            hint = f"add a {_FILE}, or add the code under 'include' of the layer"
            self._problem(f"{shown} is not a folder with a {_FILE}", hint, location)
            return None
        place = Location(display_path(Path(shown) / _FILE, None))
        try:
            text = _text(file)
            project = static_project(load_table(text))
        except (OSError, ValueError, TypeError, AttributeError) as error:
            self._problem(f"cannot be locked: {error}", _STATIC, place)
            return None
        self.add(SourceFolder(folder, project), location)
        if self._follow:
            self._follow_requirements(file, text, project, place)
        self._check_build(file, text, project)
        return project

    def _check_build(self, file: Path, text: str, project: StaticProject) -> None:
        """Refuse build requirements from elsewhere; builds look them up in an index."""
        table, requires = load_table(text), project.build_requires
        sources = project_sources(text, table, requires)
        lines = ProjectLines([(each, 1) for each in requires], sources, sourced_names(table))
        workspaces = ((self._of_workspace(above, file, lines), above) for above in self._above(file))
        for found, path in ((sources, file), *workspaces):
            name = display_path(path, self._root)
            for package in found.elsewhere:
                problem = Diagnostic(_message(package), _BUILD_HINT, Location(name, package.line))
                self._of_builds.append((_canonical(package.name), problem))
            self.indexes += [(each, Location(name, each.line)) for each in found.indexes if each.name]

    def _follow_requirements(self, file: Path, text: str, project: StaticProject, place: Location) -> None:
        table, requires = load_table(text), project.requires
        sources = project_sources(text, table, requires)
        self.of_project(file, ProjectLines([(each, 1) for each in requires], sources, sourced_names(table)))
        for name, url in project.urls:
            self._add_url(name, url, file.parent, place)

    def _add_url(self, name: str, url: str, folder: Path, location: Location) -> None:
        """Add a requirement of a folder that has a URL."""
        line = folder_line(f"{name} @ {url}")
        if line:
            self.folder(folder / line.path, location, name=name)
        elif url.startswith("git+"):
            self.commit(name, url, location)
        else:
            message = f"a requirement of a folder cannot have the URL {without_credentials(url)}"
            self._problem(
                message, f"require {name} here, and write the URL in the layer's requirements", location
            )

    def commit(self, name: str, url: str, location: Location) -> None:
        """Add a commit of a repository."""
        try:
            self.add(git_commit(name, url), location)
        except ValueError as error:
            self._problems.append(invalid_commit(url, error, location))

    def _add_all(self, sources: ProjectSources, path: Path) -> None:
        name = display_path(path, self._root)
        for package in sources.elsewhere:
            self._add_elsewhere(package, path, Location(name, package.line))
        if sources.cutoff and not self._requirements.cooldown:
            message = "exclude-newer of [tool.uv] is not used by lambda-layers"
            self._problem(message, "set 'cooldown' in the manifest", Location(name, sources.cutoff))
        self.indexes += [(each, Location(name, each.line)) for each in sources.indexes]

    def _add_elsewhere(self, package: Elsewhere, path: Path, location: Location) -> None:
        table, name = package.table, _canonical(package.name)
        is_alone = not package.is_conditional and not table.keys() - _KEYS
        if is_alone and package.kind == "path" and not _ARCHIVE.search(str(table["path"])):
            self.folder(path.parent / str(table["path"]), location, name=name)
        elif is_alone and package.kind == "workspace" and (member := self._member(name, path)):
            self.folder(member, location, name=name)
        elif is_alone and package.kind == "git" and "rev" in table:
            folder = f"#subdirectory={table['subdirectory']}" if "subdirectory" in table else ""
            self.commit(name, f"git+{table['git']}@{table['rev']}{folder}", location)
        else:
            self._problem(_message(package), _HINTS.get(package.kind, _HINT), location)

    def _member(self, name: str, path: Path) -> Path | None:
        """Return the folder of a package in the workspace that a pyproject.toml belongs to."""
        for file in (path.resolve(), *self._above(path)):
            table = self._table(file)
            folder = path.resolve().parent.relative_to(file.parent).as_posix()
            if folder == "." or is_member(table, folder):
                for member in (file.parent, *workspace_members(table, file.parent)):
                    if _named(self._table(member / _FILE)) == name:
                        return member
        return None

    def _table(self, file: Path) -> Mapping[str, Any]:
        """Return the content of a pyproject.toml; an empty one if it cannot be read."""
        try:
            return load_table(_text(file)) if is_inside(file, self._requirements.roots) else {}
        except (OSError, RuntimeError, ValueError):
            return {}

    def _above(self, path: Path) -> Iterator[Path]:
        """Yield the pyproject.toml files of the repository above a project, which may be of its workspace."""
        for folder in path.resolve().parents[1:]:
            if not self._requirements.roots or not is_inside(folder, self._requirements.roots):
                return
            file = folder / path.name
            if file.is_file() and is_inside(file, self._requirements.roots):
                yield file

    def _of_workspace(self, file: Path, path: Path, found: ProjectLines) -> ProjectSources:
        folder = path.resolve().parent.relative_to(file.parent).as_posix()
        try:
            return workspace_sources(_text(file), folder, found)
        except (OSError, ValueError) as error:
            hint = f"fix the file, which may be of the workspace of {folder}"
            self._problem(str(error), hint, Location(display_path(file, self._root)))
            return ProjectSources()

    def _problem(self, message: str, hint: str, location: Location) -> None:
        self._problems.append(Diagnostic(message, hint, location))


def invalid_commit(url: str, error: ValueError, location: Location) -> Diagnostic:
    """Describe a repository that a lock cannot pin."""
    hint = "write it as `name @ git+https://HOST/PATH@COMMIT`"
    if found := _MOVING.fullmatch(url):
        hint += (
            f"; to find the commit, run: git ls-remote {found['address']} {found['revision'] or ''}".rstrip()
        )
    return Diagnostic(f"{without_credentials(url)} {error}", hint, location)


def _message(package: Elsewhere) -> str:
    return f"{package.name} comes from a {package.kind}, and would be looked up in a package index"


_HINT = "remove it from the layer's requirements, and add code of this repository under 'include'"
_BUILD_HINT = "require it in the layer too, or add the code under 'include' of the layer"
_HINTS = {
    "git": "set 'rev' to a commit, with 40 hexadecimal digits, and no other condition",
    "workspace": f"add the folder of the package, with a {_FILE}, to the members of the workspace",
}


def _text(file: Path) -> str:
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(f"has {size:,} bytes; at most {LARGEST:,} are allowed")
    return file.read_text("utf-8-sig")


def _named(table: Mapping[str, Any]) -> str | None:
    project = table.get("project")
    name = project.get("name") if isinstance(project, Mapping) else None
    return _canonical(name) if isinstance(name, str) else None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
