"""Files of the user's repository that go into a layer: `include` under python/, `content` into /opt as it is.

In: a layer of the manifest. Out: the files with their places and modes, hashed for the dependency hash.
What git ignores is not included; `content` is taken whole, for what is built into bin/ and lib/ is often
ignored by git.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from entrypoint.errors import ArchiveError, Diagnostic
from entrypoint.layer.exclude import Exclusion
from entrypoint.manifest.model import Layer
from entrypoint.manifest.runtimes import ROOT

_NEVER = GitIgnoreSpec.from_lines(["__pycache__/", "*.pyc", ".git/"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """A file of the repository and the path that it gets in the layer."""

    source: Path
    path: str
    executable: bool

    def digest(self) -> tuple[str, bool, str]:
        """Return what of it shapes the layer: path, mode and SHA-256."""
        with self.source.open("rb") as file:
            return self.path, self.executable, hashlib.file_digest(file, "sha256").hexdigest()


def repository_files(layer: Layer) -> tuple[RepositoryFile, ...]:
    """Find the layer's files, sorted by path, without what it excludes.

    Raises:
        ArchiveError: where a link leads out of the folder that is taken, or to nothing.
    """
    problems: list[Diagnostic] = []
    found = [file for place in layer.include for file in _included(place, layer, problems)]
    if layer.content:
        found += _files(layer.content, layer.content, "", layer, problems)
    if problems:
        raise ArchiveError(*problems)
    excluded = Exclusion(layer.exclude)
    return tuple(sorted((f for f in found if not excluded(f.path)), key=lambda file: file.path))


def _included(place: Path, layer: Layer, problems: list[Diagnostic]) -> Iterator[RepositoryFile]:
    """Yield a module, or the files of a package or folder under its own name."""
    if place.is_file():
        yield _file(place, ROOT + place.name)
        return
    for file in _files(place, place, f"{ROOT}{place.name}/", layer, problems):
        if not _NEVER.match_file(file.path) and not _is_ignored(file.source):
            yield file


def _files(
    folder: Path, top: Path, prefix: str, layer: Layer, problems: list[Diagnostic]
) -> Iterator[RepositoryFile]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_symlink() and not (path.exists() and path.resolve().is_relative_to(top.resolve())):
            message = f"{path} is a link to nothing, or out of {top.name}"
            problems.append(Diagnostic(message, "put the file itself there", layer.location))
        elif entry.is_dir():
            if entry.is_symlink() and top.resolve().is_relative_to(path.resolve()):
                message = f"{path} is a link to its own folder"
                problems.append(Diagnostic(message, "remove it", layer.location))
            else:
                yield from _files(path, top, f"{prefix}{entry.name}/", layer, problems)
        elif entry.is_file():
            yield _file(path, prefix + entry.name)


def _file(path: Path, name: str) -> RepositoryFile:
    return RepositoryFile(source=path, path=name, executable=bool(path.stat().st_mode & 0o100))


def _is_ignored(path: Path) -> bool:
    """Tell whether git ignores a file, by the .gitignore files from the repository's top down to it."""
    for folder in path.parents:
        ignore = folder / ".gitignore"
        if ignore.is_file():
            spec = GitIgnoreSpec.from_lines(ignore.read_text("utf-8", "replace").splitlines())
            verdict = spec.check_file(path.relative_to(folder).as_posix()).include
            if verdict is not None:  # the file nearest to the path has the last word
                return verdict
        if (folder / ".git").exists():
            return False
    return False
