"""The requirements of a layer's inputs: lines -> requirements.

Lines are parsed with `packaging` alone and without network, so that every problem has a file and a line.
pip-compile and uv are given the parsed requirements, so they resolve exactly what was read here.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from entrypoint.errors import Diagnostic, Location, ManifestError
from entrypoint.index.direct_file import DirectFile, direct_file
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.requirement import read_requirement
from entrypoint.index.sources import GitCommit, SourceFolder, git_commit
from entrypoint.lock.input_files import display_path
from entrypoint.lock.local_sources import invalid_commit
from entrypoint.lock.requirement_lines import URL, Line, RequirementLines, read_lines
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.paths import roots_of

_OPTIONS_OF_A_REQUIREMENT = re.compile(r"\s(?=--?[A-Za-z])")
_FILE = re.compile(r"https?://")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_PATH = re.compile(r"^\.{0,2}[/\\]|^\.$|^~|\.(?:whl|zip|tar\.gz|tgz)(?:\[|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedRequirement:
    """A requirement and its location; `hashes` are "sha256:<hex>"."""

    requirement: Requirement
    hashes: frozenset[str]
    location: Location
    #: The commit that it comes from; the requirement then has no URL.
    commit: GitCommit | None = None

    @property
    def name(self) -> str:
        """The normalized name (PEP 503)."""
        return canonicalize_name(self.requirement.name)

    def applies(self, environment: Mapping[str, str]) -> bool:
        """Whether its marker is true in an environment (PEP 508).

        Raises:
            ManifestError: the marker cannot be evaluated.
        """
        marker = self.requirement.marker
        if marker is None:
            return True
        try:
            return marker.evaluate(dict(environment))
        except (UndefinedComparison, UndefinedEnvironmentName) as error:
            message = f"cannot evaluate the marker `{marker}`: {error}"
            raise ManifestError.of(message, "correct the marker", self.location) from error

    def __str__(self) -> str:
        """Return the normalized form, the same for every spelling of a requirement."""
        extras = f"[{','.join(sorted(map(canonicalize_name, self.requirement.extras)))}]"
        marker = f" ; {self.requirement.marker}" if self.requirement.marker else ""
        version = f" @ {self.requirement.url}" if self.requirement.url else self.requirement.specifier
        return f"{self.name}{extras if extras != '[]' else ''}{version}{marker}"

    @property
    def digests(self) -> frozenset[str]:
        """Its hashes, or that of its URL."""
        if self.requirement.url and not self.hashes:
            return frozenset({f"sha256:{direct_file(self.requirement).sha256}"})
        return self.hashes

    @property
    def version(self) -> str:
        """The version of a requirement with exactly one, in a specifier or in the filename of its URL."""
        if self.requirement.url:
            return direct_file(self.requirement).version
        return next(iter(self.requirement.specifier)).version


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementSet:
    """The requirements and constraints of a layer, and the lines that they were parsed from."""

    requirements: tuple[LocatedRequirement, ...]
    constraints: tuple[LocatedRequirement, ...]
    lines: RequirementLines

    @property
    def options(self) -> IndexOptions:
        """Where packages come from, and which files are allowed."""
        return self.lines.options


def read_requirements(
    requirements: Requirements, *, root: Path | None = None, from_source: frozenset[str] = frozenset()
) -> RequirementSet:
    """Read the inputs of a layer.

    Raises:
        ManifestError: with every problem of every file.
    """
    lines = read_lines(requirements, root=root, from_source=from_source)
    problems = list(lines.problems)
    parsed: dict[bool, list[LocatedRequirement]] = {True: [], False: []}
    for line in lines.lines:
        if requirement := _parse(line, problems):
            parsed[line.is_constraint].append(requirement)
    sources = _sources(parsed[False], lines, problems)
    if problems:
        raise ManifestError(*sorted(problems, key=_file_and_line))
    lines = lines._replace(options=lines.options._replace(direct=sources))
    return RequirementSet(requirements=tuple(parsed[False]), constraints=tuple(parsed[True]), lines=lines)


def read_requirements_file(path: Path, *, root: Path | None = None) -> RequirementSet:
    """Read a single file and the files of its repository that it includes."""
    location = Location(display_path(path, root))
    roots = roots_of(path.parent, root or path.parent)
    return read_requirements(Requirements(files=(path,), location=location, roots=roots), root=root)


def _sources(
    requirements: Iterable[LocatedRequirement], lines: RequirementLines, problems: list[Diagnostic]
) -> tuple[DirectFile | GitCommit | SourceFolder, ...]:
    """Return the packages that come from no index, by requirements or by what projects say."""
    found = list(lines.options.direct)
    for line in requirements:
        source = direct_file(line.requirement) if line.requirement.url else line.commit
        others = [each for each in found if source and each.name == source.name and each != source]
        if any(not isinstance(each, DirectFile) for each in (*others, source)) and others:
            message = f"{line.name} comes from here, and from another folder, repository or URL"
            problems.append(Diagnostic(message, "remove one of them", line.location))
        elif source and source not in found:
            found.append(source)
    return tuple(found)


def _file_and_line(problem: Diagnostic) -> tuple[str, int]:
    return (problem.location.file, problem.location.line or 0) if problem.location else ("", 0)


def _parse(line: Line, problems: list[Diagnostic]) -> LocatedRequirement | None:
    text, *options = _OPTIONS_OF_A_REQUIREMENT.split(line.text, maxsplit=1)
    try:
        requirement = read_requirement(text)
    except InvalidRequirement as error:
        problems.append(_invalid(text, error, line.location))
        return None
    commit = None
    if (requirement.url or "").startswith("git+"):
        if commit := _commit(requirement, line, problems):
            requirement.url = None
        else:
            return None
    if _PATH.search(requirement.name) or (requirement.url and not _FILE.match(requirement.url)):
        problems.append(_direct_reference(text, line.location))
        return None
    if requirement.url and (problem := _wrong_file(requirement, line)):
        problems.append(problem)
        return None
    hashes = frozenset(_hashes(" ".join(options), line.location, problems))
    return LocatedRequirement(requirement=requirement, hashes=hashes, location=line.location, commit=commit)


def _commit(requirement: Requirement, line: Line, problems: list[Diagnostic]) -> GitCommit | None:
    url = requirement.url or ""
    if line.is_constraint:
        problems.append(_no_constraint(line))
        return None
    try:
        return git_commit(canonicalize_name(requirement.name), url)
    except ValueError as error:
        problems.append(invalid_commit(url, error, line.location))
        return None


def _no_constraint(line: Line) -> Diagnostic:
    return Diagnostic("a constraint cannot have a URL", "write it as a requirement", line.location)


def _wrong_file(requirement: Requirement, line: Line) -> Diagnostic | None:
    """Describe why a URL cannot be locked."""
    try:
        direct_file(requirement)
    except ValueError as error:
        message = f"{without_credentials(requirement.url or '')} {error}"
        return Diagnostic(message, "name a wheel or an sdist, by URL and digest", line.location)
    if line.is_constraint:
        return _no_constraint(line)
    return None


def _hashes(options: str, location: Location, problems: list[Diagnostic]) -> Iterator[str]:
    words = iter(_split(options))
    for option in words:
        value = next(words, "").lower()
        if option != "--hash":
            message = f"unsupported option `{without_credentials(option)}` after a requirement"
            problems.append(Diagnostic(message, "remove the option", location))
            return
        if not _SHA256.fullmatch(value):
            message = f"`--hash={without_credentials(value)}` is not a SHA-256 hash"
            problems.append(Diagnostic(message, "use --hash=sha256:<64 hexadecimal digits>", location))
            return
        yield value


def _split(options: str) -> list[str]:
    """Split `--hash=a --hash b` into words, at spaces and at the first equals sign of each."""
    return [part for word in options.split() for part in word.split("=", 1)]


def _invalid(text: str, error: InvalidRequirement, location: Location) -> Diagnostic:
    if URL.search(text) or _PATH.search(text):
        return _direct_reference(text, location)
    reason = str(error).split("\n", 1)[0]
    return Diagnostic(f"invalid requirement `{text}`: {reason}", "write it as `name==1.2`", location)


def _direct_reference(text: str, location: Location) -> Diagnostic:
    return Diagnostic(
        f"`{without_credentials(text)}` is a file or a repository, which a lock cannot pin",
        "write a repository as `name @ git+https://HOST/PATH@COMMIT`, a file as `name @ URL#sha256=DIGEST`",
        location,
    )
