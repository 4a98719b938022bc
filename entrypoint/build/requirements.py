"""Reads requirements files: paths go in, requirements with their places and index options come out.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/). Reading it
here, with `packaging` alone, gives every problem its file and line, needs no network, and keeps the
pre-commit hooks light. pip later resolves what was understood here, so both always see the same.
"""

import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from entrypoint.build.project_table import project_requirements
from entrypoint.build.requirement_options import INCLUDES, IndexOptions, OptionsReader, without_credentials
from entrypoint.errors import ManifestError, Place, Problem
from entrypoint.manifest import Requirements

_COMMENT = re.compile(r"(^|\s)#.*$")
_OPTIONS_OF_A_REQUIREMENT = re.compile(r"\s(?=--?[A-Za-z])")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)|(?:^(?:file|git|hg|svn|bzr)[+:])")
_PATH = re.compile(r"^\.{0,2}[/\\]|^\.$|^~|\.(?:whl|zip|tar\.gz|tgz)(?:\[|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementLine:
    """One requirement, as written at a place; `hashes` are "sha256:<hex>"."""

    requirement: Requirement
    hashes: frozenset[str]
    place: Place

    @property
    def name(self) -> str:
        """The canonical name (PEP 503)."""
        return canonicalize_name(self.requirement.name)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Whether its marker holds in a PEP 508 environment."""
        marker = self.requirement.marker
        if marker is None:
            return True
        try:
            return marker.evaluate(dict(environment))
        except (UndefinedComparison, UndefinedEnvironmentName) as error:
            problem = Problem(f"the marker `{marker}` cannot be judged: {error}", "correct it", self.place)
            raise ManifestError(problem) from error

    def __str__(self) -> str:
        """Spell it in the one way that does not depend on how it was written."""
        extras = f"[{','.join(sorted(map(canonicalize_name, self.requirement.extras)))}]"
        marker = f" ; {self.requirement.marker}" if self.requirement.marker else ""
        return f"{self.name}{extras if extras != '[]' else ''}{self.requirement.specifier}{marker}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementSet:
    """What some requirements files say together, nested `-r` and `-c` files included."""

    requirements: tuple[RequirementLine, ...]
    constraints: tuple[RequirementLine, ...]
    options: IndexOptions
    #: The options as written, without credentials: what a hash of the inputs may look at.
    option_lines: tuple[str, ...]


def read_requirements(
    requirements: Requirements, *, root: Path | None = None, from_source: frozenset[str] = frozenset()
) -> RequirementSet:
    """Read the inputs of a layer; every problem of every file is raised in one ManifestError.

    What the manifest wants `from_source` means the same as --no-binary in a file.
    """
    reader = _Reader(root=root, extras=requirements.extras, groups=requirements.groups)
    for name in sorted(from_source):
        words = ["--no-binary", name]
        list(reader.options.read(words, place=requirements.place, folder=Path(), problems=reader.problems))
    for path in requirements.files:
        reader.read_file(path, asked_at=requirements.place)
    for text, place in requirements.lines:
        reader.read_line(text, place=place, folder=root or Path())
    return reader.result()


def read_requirements_file(path: Path, *, root: Path | None = None) -> RequirementSet:
    """Read a single file, and what it includes."""
    return read_requirements(Requirements(files=(path,), place=Place(shown(path, root))), root=root)


def shown(path: Path, root: Path | None) -> str:
    """Name a file the way people look for it: from the root where it lies below, else as given."""
    if root is not None and path.absolute().is_relative_to(root.absolute()):
        return path.absolute().relative_to(root.absolute()).as_posix()
    return str(path)


@dataclass(slots=True)
class _Reader:
    """Collects what the files say; `including` is the chain of files that is being read."""

    root: Path | None
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    requirements: list[RequirementLine] = field(default_factory=list)
    constraints: list[RequirementLine] = field(default_factory=list)
    options: OptionsReader = field(default_factory=OptionsReader)
    problems: list[Problem] = field(default_factory=list)
    including: list[Path] = field(default_factory=list)
    seen: set[tuple[Path, bool]] = field(default_factory=set)

    def result(self) -> RequirementSet:
        if self.problems:
            raise ManifestError(*self.problems)
        return RequirementSet(
            requirements=tuple(self.requirements),
            constraints=tuple(self.constraints),
            options=self.options.result(),
            option_lines=tuple(self.options.lines),
        )

    def read_file(self, path: Path, *, asked_at: Place, constraint: bool = False) -> None:
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
            place = Place(shown(path, self.root), line)
            self.read_line(text, place=place, folder=path.parent, constraint=constraint)
        self.including.pop()

    def read_line(self, text: str, *, place: Place, folder: Path, constraint: bool = False) -> None:
        text = _COMMENT.sub("", text).strip()
        if text.startswith("-"):
            self._read_options(text, place, folder, constraint)
        elif text:
            self._read_requirement(text, place, constraint)

    def _lines_of(self, path: Path, asked_at: Place) -> Iterable[tuple[str, int]]:
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
                return self._project_dependencies(text, Place(shown(path, self.root)))
            return logical_lines(text)
        return ()

    def _project_dependencies(self, text: str, place: Place) -> Iterable[tuple[str, int]]:
        """Take what a project lists statically; nothing is built to learn more."""
        try:
            asked = project_requirements(tomllib.loads(text), self.extras, self.groups)
        except tomllib.TOMLDecodeError as error:
            self._problem(f"this is not valid TOML: {error}", "correct it", place)
            return ()
        except ValueError as error:
            self._problem(str(error), "correct it, or name a requirements file instead", place)
            return ()
        lines = text.split("\n")
        return [(item, _line_with(item, lines)) for item in asked]

    def _read_options(self, text: str, place: Place, folder: Path, constraint: bool) -> None:
        try:
            words = shlex.split(text)
        except ValueError as error:
            self._problem(f"`{without_credentials(text)}` cannot be split: {error}", "close the quote", place)
            return
        for option, value in self.options.read(words, place=place, folder=folder, problems=self.problems):
            self._include(option, value, place, folder, constraint)

    def _include(self, option: str, value: str, place: Place, folder: Path, constraint: bool) -> None:
        if _URL.search(value):
            message = f"`{option} {without_credentials(value)}` would read requirements from the network"
            self._problem(message, "put the file into the repository", place)
            return
        is_constraint = constraint or INCLUDES[option] == "constraint"
        self.read_file(folder / value, asked_at=place, constraint=is_constraint)

    def _read_requirement(self, text: str, place: Place, constraint: bool) -> None:
        text, *options = _OPTIONS_OF_A_REQUIREMENT.split(text, maxsplit=1)
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            self.problems.append(_unreadable(text, error, place))
            return
        if requirement.url or _PATH.search(requirement.name):
            self.problems.append(_direct_reference(text, place))
            return
        hashes = frozenset(self._hashes(" ".join(options), place))
        line = RequirementLine(requirement=requirement, hashes=hashes, place=place)
        (self.constraints if constraint else self.requirements).append(line)

    def _hashes(self, options: str, place: Place) -> Iterator[str]:
        words = iter(_spread(options))
        for option in words:
            value = next(words, "").lower()
            if option != "--hash":
                self._problem(f"`{option}` is not supported after a requirement", "remove it", place)
                return
            if not _SHA256.fullmatch(value):
                self._problem(f"`--hash={value}` is not a SHA-256", "use --hash=sha256:<64 digits>", place)
                return
            yield value

    def _problem(self, message: str, remedy: str, place: Place) -> None:
        self.problems.append(Problem(message, remedy, place))


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


def _spread(options: str) -> list[str]:
    """Split `--hash=a --hash b` into words, the equals sign being one way to write the space."""
    return [part for word in options.split() for part in word.split("=", 1)]


def _unreadable(text: str, error: InvalidRequirement, place: Place) -> Problem:
    if _URL.search(text) or _PATH.search(text):
        return _direct_reference(text, place)
    reason = str(error).split("\n", 1)[0]
    return Problem(f"`{text}` is not a requirement: {reason}", "write it like `name==1.2`", place)


def _direct_reference(text: str, place: Place) -> Problem:
    return Problem(
        f"`{without_credentials(text)}` names a file, a folder or a URL, which a lock cannot pin",
        "build a wheel of it, put it where --find-links looks, and write `name==version`",
        place,
    )


def _line_with(item: str, lines: list[str]) -> int:
    """The line that holds a string of a TOML file; the first line where it is spelled differently."""
    return next((number for number, line in enumerate(lines, start=1) if item in line), 1)
