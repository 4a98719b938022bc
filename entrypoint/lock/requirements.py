"""What requirements files ask for: their lines go in, requirements and index options come out.

Understood here, with `packaging` alone, every problem has its file and line and needs no network. pip
later resolves what was understood here, so both always see the same.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from entrypoint.errors import Diagnostic, Location, ManifestError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.lock.requirement_lines import URL, Line, RequirementLines, read_lines, shown
from entrypoint.manifest.model import Requirements

_OPTIONS_OF_A_REQUIREMENT = re.compile(r"\s(?=--?[A-Za-z])")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(r"^\.{0,2}[/\\]|^\.$|^~|\.(?:whl|zip|tar\.gz|tgz)(?:\[|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementLine:
    """One requirement, as written at a place; `hashes` are "sha256:<hex>"."""

    requirement: Requirement
    hashes: frozenset[str]
    location: Location

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
            problem = Diagnostic(
                f"the marker `{marker}` cannot be judged: {error}", "correct it", self.location
            )
            raise ManifestError(problem) from error

    def __str__(self) -> str:
        """Spell it in the one way that does not depend on how it was written."""
        extras = f"[{','.join(sorted(map(canonicalize_name, self.requirement.extras)))}]"
        marker = f" ; {self.requirement.marker}" if self.requirement.marker else ""
        return f"{self.name}{extras if extras != '[]' else ''}{self.requirement.specifier}{marker}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementSet:
    """What some requirements files ask for together, and the lines that say so."""

    requirements: tuple[RequirementLine, ...]
    constraints: tuple[RequirementLine, ...]
    written: RequirementLines

    @property
    def options(self) -> IndexOptions:
        """Where packages come from, and which kinds are wanted."""
        return self.written.options


def read_requirements(
    requirements: Requirements, *, root: Path | None = None, from_source: frozenset[str] = frozenset()
) -> RequirementSet:
    """Read the inputs of a layer; every problem of every file is raised in one ManifestError."""
    written = read_lines(requirements, root=root, from_source=from_source)
    problems = list(written.problems)
    found: dict[bool, list[RequirementLine]] = {True: [], False: []}
    for line in written.lines:
        if understood := _understood(line, problems):
            found[line.is_constraint].append(understood)
    if problems:
        raise ManifestError(*sorted(problems, key=_position))
    return RequirementSet(requirements=tuple(found[False]), constraints=tuple(found[True]), written=written)


def read_requirements_file(path: Path, *, root: Path | None = None) -> RequirementSet:
    """Read a single file, and what it includes."""
    return read_requirements(Requirements(files=(path,), location=Location(shown(path, root))), root=root)


def _position(problem: Diagnostic) -> tuple[str, int]:
    return (problem.location.file, problem.location.line or 0) if problem.location else ("", 0)


def _understood(line: Line, problems: list[Diagnostic]) -> RequirementLine | None:
    text, *options = _OPTIONS_OF_A_REQUIREMENT.split(line.text, maxsplit=1)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        problems.append(_unreadable(text, error, line.location))
        return None
    if requirement.url or _PATH.search(requirement.name):
        problems.append(_direct_reference(text, line.location))
        return None
    hashes = frozenset(_hashes(" ".join(options), line.location, problems))
    return RequirementLine(requirement=requirement, hashes=hashes, location=line.location)


def _hashes(options: str, location: Location, problems: list[Diagnostic]) -> Iterator[str]:
    words = iter(_spread(options))
    for option in words:
        value = next(words, "").lower()
        if option != "--hash":
            message = f"`{option}` is not supported after a requirement"
            problems.append(Diagnostic(message, "remove it", location))
            return
        if not _SHA256.fullmatch(value):
            message = f"`--hash={value}` is not a SHA-256"
            problems.append(Diagnostic(message, "use --hash=sha256:<64 digits>", location))
            return
        yield value


def _spread(options: str) -> list[str]:
    """Split `--hash=a --hash b` into words, the equals sign being one way to write the space."""
    return [part for word in options.split() for part in word.split("=", 1)]


def _unreadable(text: str, error: InvalidRequirement, location: Location) -> Diagnostic:
    if URL.search(text) or _PATH.search(text):
        return _direct_reference(text, location)
    reason = str(error).split("\n", 1)[0]
    return Diagnostic(f"`{text}` is not a requirement: {reason}", "write it like `name==1.2`", location)


def _direct_reference(text: str, location: Location) -> Diagnostic:
    return Diagnostic(
        f"`{without_credentials(text)}` names a file, a folder or a URL, which a lock cannot pin",
        "build a wheel of it, put it where --find-links looks, and write `name==version`",
        location,
    )
