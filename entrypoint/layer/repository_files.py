"""Files of the user's repository in a layer: `include` under python/, `content` directly in /opt.

In: a layer of the manifest. Out: the files with their paths and modes, hashed for the dependency hash.
`include` leaves out files that git ignores. `content` does not, because build outputs in bin/ and lib/ are
often ignored by git.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import ArchiveError, Diagnostic
from entrypoint.layer.exclude import Exclusion
from entrypoint.layer.module_imports import module_imports, needed
from entrypoint.manifest.ignored import Ignored
from entrypoint.manifest.model import Layer
from entrypoint.manifest.runtimes import ROOT


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """A file of the repository and its path in the layer."""

    source: Path
    path: str
    executable: bool
    #: What a symbolic link of `content` points to, relative to its folder; it stays a link.
    link: str | None = None

    def digest(self) -> tuple[str, bool, str]:
        """Return what affects the layer: path in the layer, whether it is executable, and SHA-256."""
        if self.link is not None:
            return self.path, False, f"link:{self.link}"
        with self.source.open("rb") as file:
            return self.path, self.executable, hashlib.file_digest(file, "sha256").hexdigest()


def repository_files(layer: Layer) -> tuple[RepositoryFile, ...]:
    """Return the layer's files, sorted by path, without excluded ones.

    Raises:
        ArchiveError: if a link is broken or in a loop, or points outside its folder, to a parent folder, or
            to a file that git ignores.
    """
    problems: list[Diagnostic] = []
    found = [file for path in layer.include for file in _included(path, layer, problems)]
    if layer.content:
        found += _files(layer.content, layer.content, "", layer, problems, links=True)
    if problems:
        raise ArchiveError(*problems)
    excluded = Exclusion(layer.exclude)
    kept = _imported(found, excluded) if excluded.has_presets else frozenset()
    stays = (file for file in found if file.path in kept or not excluded(file.path))
    return tuple(sorted(stays, key=lambda file: file.path))


def _imported(files: Sequence[RepositoryFile], excluded: Exclusion) -> frozenset[str]:
    """Return what presets name and the other files import."""
    imports = {
        file.path: module_imports(file.source.read_bytes())
        for file in files
        if file.path.endswith(".py") and file.link is None
    }
    found = needed((file.path for file in files), excluded, [imports])
    return frozenset(path for path in found if excluded.presets_of(path))


def _included(path: Path, layer: Layer, problems: list[Diagnostic]) -> Iterator[RepositoryFile]:
    """Yield a module, or the files of a package or folder under the folder's name."""
    if path.is_file():
        if path.is_symlink() and (target := path.resolve()) in Ignored(target.parent):
            message = f"{path} is a link to {target.name}, which git ignores"
            problems.append(Diagnostic(message, "name the file itself", layer.location))
        yield _file(path, ROOT + path.name)
        return
    ignored = Ignored(path)
    yield from (
        file
        for file in _files(path, path, f"{ROOT}{path.name}/", layer, problems)
        if file.source not in ignored
    )


def _files(
    folder: Path, top: Path, prefix: str, layer: Layer, problems: list[Diagnostic], *, links: bool = False
) -> Iterator[RepositoryFile]:
    """Yield the files of a folder; with `links`, links are yielded as they are, and not followed."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.name.lower() == ".git":  # its config may hold the token of a checkout
            continue
        if entry.is_symlink() and not (path.exists() and path.resolve().is_relative_to(top.resolve())):
            message = f"{path} is a broken link or in a loop of links, or points outside {top.name}"
            problems.append(Diagnostic(message, "replace the link with the file", layer.location))
        elif entry.is_symlink() and links and not top.resolve().is_relative_to(path.resolve()):
            target = path.readlink()
            relative = os.path.relpath(target, folder.resolve()) if target.is_absolute() else str(target)
            yield RepositoryFile(source=path, path=prefix + entry.name, executable=False, link=relative)
        elif entry.is_dir():
            if entry.is_symlink() and top.resolve().is_relative_to(path.resolve()):
                message = f"{path} is a link to a folder that contains it"
                problems.append(Diagnostic(message, "remove the link", layer.location))
            else:
                yield from _files(path, top, f"{prefix}{entry.name}/", layer, problems, links=links)
        elif entry.is_file():
            yield _file(path, prefix + entry.name)


def _file(path: Path, name: str) -> RepositoryFile:
    return RepositoryFile(source=path, path=name, executable=bool(path.stat().st_mode & 0o100))
