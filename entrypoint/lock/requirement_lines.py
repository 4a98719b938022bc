"""The lines of requirements files as they are written: paths go in, lines with their places come out.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/): included files,
continued lines, comments, options. What a line means is for requirements.py to say. Light on purpose:
hooks compare these lines with what a lock was made from, and what was locked has been understood before.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.options import INCLUDES, IndexOptions, OptionsReader, without_credentials
from entrypoint.manifest.model import Requirements

_COMMENT = re.compile(r"(^|\s)#.*$")
URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)|(?:^(?:file|git|hg|svn|bzr)[+:])")
"""What reaches into the network, or would."""


class Line(NamedTuple):
    """A requirement as it is written, its hashes with it, or a constraint."""

    text: str
    location: Location
    is_constraint: bool


class RequirementLines(NamedTuple):
    """What some requirements files say together, nested `-r` and `-c` files included."""

    lines: tuple[Line, ...]
    options: IndexOptions
    #: The options as written, without credentials: what a hash of the inputs may look at.
    option_lines: tuple[str, ...]
    #: What could not be read.
    problems: tuple[Diagnostic, ...]


def read_lines(
    requirements: Requirements, *, root: Path | None = None, from_source: frozenset[str] = frozenset()
) -> RequirementLines:
    """Read the inputs of a layer.

    What the manifest wants `from_source` means the same as --no-binary in a file.
    """
    reader = _Reader(requirements, root)
    for name in sorted(from_source):
        words = ["--no-binary", name]
        list(
            reader.options.read(
                words, location=requirements.location, folder=Path(), problems=reader.problems
            )
        )
    for path in requirements.files:
        reader.read_file(path, asked_at=requirements.location)
    for text, location in requirements.lines:
        reader.read_line(text, location=location, folder=root or Path())
    return reader.result()


class _Reader:
    """Collects what the files say; `including` is the chain of files that is being read."""

    def __init__(self, requirements: Requirements, root: Path | None) -> None:
        self.requirements = requirements
        self.root = root
        self.lines: list[Line] = []
        self.options = OptionsReader()
        self.problems: list[Diagnostic] = []
        self.including: list[Path] = []
        self.seen: set[tuple[Path, bool]] = set()

    def result(self) -> RequirementLines:
        return RequirementLines(
            lines=tuple(self.lines),
            options=self.options.result(),
            option_lines=tuple(self.options.lines),
            problems=tuple(self.problems),
        )

    def read_file(self, path: Path, *, asked_at: Location, constraint: bool = False) -> None:
        try:
            identity = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # links in a ring, or a NUL in the name
            self._problem(f"{str(path)!r} is no path: {error}", "correct the path", asked_at)
            return
        if identity in self.including:
            self._problem(f"{shown(path, self.root)} includes itself", "remove this line", asked_at)
            return
        if (identity, constraint) in self.seen:
            return
        self.seen.add((identity, constraint))
        lines = self._lines_of(path, asked_at)
        self.including.append(identity)
        for text, line in lines:
            location = Location(shown(path, self.root), line)
            self.read_line(text, location=location, folder=path.parent, constraint=constraint)
        self.including.pop()

    def read_line(self, text: str, *, location: Location, folder: Path, constraint: bool = False) -> None:
        text = _COMMENT.sub("", text).strip()
        if text.startswith("-"):
            self._read_options(text, location, folder, constraint)
        elif text:
            self.lines.append(Line(text=text, location=location, is_constraint=constraint))

    def _lines_of(self, path: Path, asked_at: Location) -> Iterable[tuple[str, int]]:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError:
            self._problem(f"{shown(path, self.root)} is not UTF-8 text", "save it as UTF-8", asked_at)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            message = f"{shown(path, self.root)} cannot be read: {reason}"
            self._problem(message, "correct the path, or add the file", asked_at)
        else:
            if path.name == "pyproject.toml":
                return self._project_dependencies(text, Location(shown(path, self.root)))
            return logical_lines(text)
        return ()

    def _project_dependencies(self, text: str, location: Location) -> Iterable[tuple[str, int]]:
        """Take what a project lists statically; nothing is built to learn more."""
        import tomllib  # noqa: PLC0415 - for those who have such a file

        from entrypoint.lock.project_table import project_requirements  # noqa: PLC0415 - likewise

        try:
            table = tomllib.loads(text)
            asked = project_requirements(table, self.requirements.extras, self.requirements.groups)
        except tomllib.TOMLDecodeError as error:
            self._problem(f"this is not valid TOML: {error}", "correct it", location)
            return ()
        except ValueError as error:
            self._problem(str(error), "correct it, or name a requirements file instead", location)
            return ()
        lines = text.split("\n")
        return [(item, _line_with(item, lines)) for item in asked]

    def _read_options(self, text: str, location: Location, folder: Path, constraint: bool) -> None:
        try:
            words = shlex.split(text)
        except ValueError as error:
            self._problem(
                f"`{without_credentials(text)}` cannot be split: {error}", "close the quote", location
            )
            return
        for option, value in self.options.read(
            words, location=location, folder=folder, problems=self.problems
        ):
            self._include(option, value, location, folder, constraint)

    def _include(self, option: str, value: str, location: Location, folder: Path, constraint: bool) -> None:
        if URL.search(value):
            message = f"`{option} {without_credentials(value)}` would read requirements from the network"
            self._problem(message, "put the file into the repository", location)
            return
        is_constraint = constraint or INCLUDES[option] == "constraint"
        self.read_file(folder / value, asked_at=location, constraint=is_constraint)

    def _problem(self, message: str, hint: str, location: Location) -> None:
        self.problems.append(Diagnostic(message, hint, location))


def logical_lines(text: str) -> Iterator[tuple[str, int]]:
    """Join lines that end in a backslash; each comes with the number of its first line."""
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


def _line_with(item: str, lines: list[str]) -> int:
    """The line that holds a string of a TOML file; the first line where it is spelled differently."""
    return next((number for number, line in enumerate(lines, start=1) if item in line), 1)


def shown(path: Path, root: Path | None) -> str:
    """Name a file the way people look for it: from the root where it lies below, else as given."""
    if root is not None and path.absolute().is_relative_to(root.absolute()):
        return path.absolute().relative_to(root.absolute()).as_posix()
    return str(path)
