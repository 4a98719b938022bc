"""The lines of requirements files and pyproject.toml files, as written: text -> lines.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/): included files,
continued lines, comments, options. requirements.py parses the lines. The check hook does not: it only
compares their hash with that of the lock, so this module imports nothing slow.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.options import (
    INCLUDES,
    IndexOptions,
    PipOption,
    index_options,
    parse_options,
    plain_url,
    without_credentials,
)
from entrypoint.index.project_sources import ProjectIndex
from entrypoint.lock.input_files import LARGEST, display_path
from entrypoint.lock.local_sources import FolderLine, LocalSources, folder_line, unknown_extras
from entrypoint.lock.project_table import project_lines
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.paths import OUTSIDE_HINT, is_inside

_SUFFIXES = (".txt", ".in", ".toml", ".lock", ".pip")
_DEEPEST = 50
_COMMENT = re.compile(r"(^|\s)#.*$")
URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)|(?:^(?:file|git|hg|svn|bzr)[+:])")
"""A URL, or a version control address."""


class Line(NamedTuple):
    """A requirement or a constraint as written, with its hashes."""

    text: str
    location: Location
    is_constraint: bool


class RequirementLines(NamedTuple):
    """The lines of a layer's requirements files, including nested `-r` and `-c` files."""

    lines: tuple[Line, ...]
    options: IndexOptions
    #: The options as written, without credentials, for the hash of the inputs.
    option_lines: tuple[str, ...]
    #: What could not be read.
    problems: tuple[Diagnostic, ...]
    #: The indexes that pyproject.toml files name.
    indexes: tuple[tuple[ProjectIndex, Location], ...] = ()
    #: The build requirements and libraries that the layer adds, for the hash of the inputs.
    build_lines: tuple[str, ...] = ()
    #: The folders and commits that packages come from, for the hash of the inputs.
    source_lines: tuple[str, ...] = ()


def read_lines(
    requirements: Requirements, *, root: Path | None = None, from_source: frozenset[str] = frozenset()
) -> RequirementLines:
    """Read the inputs of a layer; `from_source` is the same as --no-binary in a file."""
    reader = _Reader(requirements, root)
    for name in sorted(from_source):
        reader.add_option(PipOption("--no-binary", name), Path())
    for path in requirements.files:
        reader.read_file(path, included_at=requirements.location)
    for text, location in requirements.lines:
        reader.read_line(text, location=location, folder=((root or Path()) / location.file).parent)
    return reader.result()


def _build_lines(requirements: Requirements) -> Iterator[str]:
    for name, texts in requirements.build:
        yield f"build {name}: {', '.join(texts)}"
    if requirements.libraries:
        image, *names = requirements.libraries_of_image
        yield f"libraries of {image}: {', '.join(names)}"


class _Reader:
    """Collects lines and options; `including` is the chain of files that is being read."""

    def __init__(self, requirements: Requirements, root: Path | None) -> None:
        self.requirements = requirements
        self.root = root
        self.lines: list[Line] = []
        self.options: list[PipOption] = []
        self.option_lines: list[str] = []
        self.problems: list[Diagnostic] = []
        self.sources = LocalSources(requirements, root)
        self.including: list[Path] = []
        self.seen: set[tuple[Path, bool]] = set()

    def result(self) -> RequirementLines:
        return RequirementLines(
            lines=tuple(self.lines),
            options=index_options(self.options)._replace(
                index_of=self.requirements.index_of,
                cooldown=self.requirements.cooldown,
                cooldown_exceptions=self.requirements.cooldown_exceptions,
                direct=tuple(self.sources.found.values()),
            ),
            option_lines=(
                *self.option_lines,
                *(f"index of {glob}: {plain_url(url)}" for glob, url in self.requirements.index_of),
                *_cooldown_lines(self.requirements),
            ),
            problems=(*self.problems, *self.sources.problems),
            indexes=tuple(self.sources.indexes),
            build_lines=tuple(_build_lines(self.requirements)),
            source_lines=self.sources.lines,
        )

    def read_file(self, path: Path, *, included_at: Location, constraint: bool = False) -> None:
        try:
            identity = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, or a NUL in the name
            self._problem(f"invalid path {str(path)!r}: {error}", "correct the path", included_at)
            return
        if not is_inside(identity, self.requirements.roots):
            message = f"{display_path(path, self.root)} is outside the repository"
            self._problem(message, OUTSIDE_HINT, included_at)
            return
        if path.name.startswith(".") or path.suffix not in _SUFFIXES:
            # Messages quote lines, and this may be a file with credentials.
            message = f"{display_path(path, self.root)} does not have the name of a requirements file"
            self._problem(message, f"rename it to end in {', '.join(_SUFFIXES)}", included_at)
            return
        if identity in self.including:
            message = f"{display_path(path, self.root)} includes itself"
            self._problem(message, "remove this line", included_at)
            return
        if len(self.including) > _DEEPEST:
            message = f"{display_path(path, self.root)} is included by more than {_DEEPEST} files in a row"
            self._problem(message, "include it in the first file", included_at)
            return
        if (identity, constraint) in self.seen:
            return
        self.seen.add((identity, constraint))
        lines = self._lines_of(path, included_at)
        self.including.append(identity)
        for text, line in lines:
            location = Location(display_path(path, self.root), line)
            self.read_line(text, location=location, folder=path.parent, constraint=constraint)
        self.including.pop()

    def read_line(self, text: str, *, location: Location, folder: Path, constraint: bool = False) -> None:
        text = _COMMENT.sub("", text).strip()
        if text.startswith("-"):
            self._read_options(text, location, folder, constraint)
        elif required := folder_line(text):
            self._read_folder(required, location, folder, constraint)
        elif text:
            self.lines.append(Line(text=text, location=location, is_constraint=constraint))

    def add_option(self, option: PipOption, folder: Path) -> None:
        self.option_lines.append(str(option))
        self.options.append(option.relative_to(folder))

    def _lines_of(self, path: Path, included_at: Location) -> Iterable[tuple[str, int]]:
        name = display_path(path, self.root)
        try:
            size = path.stat().st_size
            if size > LARGEST:
                message = f"{name} has {size:,} bytes; at most {LARGEST:,} are allowed"
                self._problem(message, "split the file", included_at)
                return ()
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            self._problem(f"{name} is not UTF-8", "save the file as UTF-8", included_at)
            return ()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._problem(f"cannot read {name}: {reason}", "correct the path, or add the file", included_at)
            return ()
        if path.name != "pyproject.toml":
            return logical_lines(text)
        try:
            found = project_lines(text, self.requirements.extras, self.requirements.groups)
        except ValueError as error:
            hint = "fix the file, or export its requirements and name that file instead"
            self._problem(str(error), hint, Location(name))
            return ()
        self.sources.of_project(path, found)
        return found.lines

    def _read_options(self, text: str, location: Location, folder: Path, constraint: bool) -> None:
        line = parse_options(text, location)
        for option in line.options:
            if option.name in INCLUDES:
                self._include(option, location, folder, constraint)
            elif option.name == "--editable":
                self._read_editable(option, location, folder, constraint)
            elif option.is_index_option:
                self.add_option(option, folder)
        if line.problem:
            self.problems.append(line.problem)

    def _include(self, option: PipOption, location: Location, folder: Path, constraint: bool) -> None:
        if URL.search(option.value):
            message = f"`{option}` includes a file from the network"
            self._problem(message, "add the file to the repository", location)
            return
        is_constraint = constraint or INCLUDES[option.name] == "constraint"
        self.read_file(folder / option.value, included_at=location, constraint=is_constraint)

    def _read_editable(self, option: PipOption, location: Location, folder: Path, constraint: bool) -> None:
        required = folder_line(option.value)
        if required:
            self._read_folder(required, location, folder, constraint)
        else:
            message = f"`-e {without_credentials(option.value)}` is not a folder of the repository"
            hint = "write a repository as `name @ git+https://HOST/PATH@COMMIT`, and a folder as ./FOLDER"
            self._problem(message, hint, location)

    def _read_folder(self, required: FolderLine, location: Location, folder: Path, constraint: bool) -> None:
        if constraint:
            self._problem("a constraint cannot be a folder", "write it as a requirement", location)
        elif project := self.sources.folder(folder / required.path, location, name=required.name):
            if missing := unknown_extras(required, project):
                message = f"{project.name} has no extra {missing}"
                self._problem(message, "correct the name of the extra", location)
            text = f"{project.name}{required.extras}{required.marker}"
            self.lines.append(Line(text=text, location=location, is_constraint=False))

    def _problem(self, message: str, hint: str, location: Location) -> None:
        self.problems.append(Diagnostic(message, hint, location))


def _cooldown_lines(requirements: Requirements) -> Iterator[str]:
    if requirements.cooldown:
        yield " ".join([f"cooldown {requirements.cooldown}", *sorted(requirements.cooldown_exceptions)])


def logical_lines(text: str) -> Iterator[tuple[str, int]]:
    """Join lines that end in a backslash; yield each with the number of its first line."""
    joined, start = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        start = start or number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            joined += line.removesuffix("\\") + " "
            continue
        yield joined if is_comment and joined else joined + line, start
        joined, start = "", 0
    if joined:
        yield joined, start
