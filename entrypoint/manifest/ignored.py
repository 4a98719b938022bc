"""Which files of the repository git ignores: they are in no layer, as they are not in the commit.

The same commit has to give the same hash on all machines, with and without git. So .gitignore files, which
are part of the commit, are read here. What else git ignores (.git/info/exclude, core.excludesFile) is a
setting of one machine. It applies to untracked files only, which no other machine has: they are left out,
because they are often secrets or files of an editor. Such a setting never leaves out tracked files.
"""

import os
from pathlib import Path

from pathspec import GitIgnoreSpec

from entrypoint.git import git

_NEVER = GitIgnoreSpec.from_lines(["__pycache__/", "*.pyc", ".[gG][iI][tT]"])


class Ignored:
    """The files below a folder that git ignores, those of git and of Python's cache, and links to them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._top = folder.resolve()
        self._here = _IgnoredHere(self._top)

    def __contains__(self, file: Path) -> bool:
        path, target = self._top / file.relative_to(self._folder), file.resolve()
        return self._has(path) or (target != path and target.is_relative_to(self._top) and self._has(target))

    def _has(self, file: Path) -> bool:
        path = file.relative_to(self._top).as_posix()
        return _NEVER.match_file(path) or _is_ignored(file) or file in self._here

    def has_folder(self, folder: Path) -> bool:
        """Whether git ignores everything in a folder, so that it need not be read."""
        path = folder.relative_to(self._folder).as_posix()
        return _NEVER.match_file(f"{path}/") or _is_ignored(folder, "/")


def _is_ignored(path: Path, end: str = "") -> bool:
    """Whether git ignores a file, according to the .gitignore files of its folder and its parents."""
    for folder in path.parents:
        ignore = folder / ".gitignore"
        if ignore.is_file():
            spec = GitIgnoreSpec.from_lines(ignore.read_text("utf-8", "replace").splitlines())
            verdict = spec.check_file(path.relative_to(folder).as_posix() + end).include
            if verdict is not None:  # the nearest .gitignore takes precedence
                return verdict
        if (folder / ".git").exists():
            return False
    return False


class _IgnoredHere:
    """The untracked files of a folder that git ignores on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._of: dict[Path, frozenset[Path]] = {}

    def __contains__(self, file: Path) -> bool:
        below = (folder for folder in file.parents if folder.is_relative_to(self._folder))
        repository = next((each for each in below if (each / ".git").exists()), self._folder)
        if repository not in self._of:
            self._of[repository] = _listed(repository)
        listed = self._of[repository]
        return bool(listed) and (file in listed or not listed.isdisjoint(file.parents))


def _listed(folder: Path) -> frozenset[Path]:
    """Return the untracked files and folders that git ignores; none without a repository, or without git."""
    arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", "."]
    try:
        listed = git(arguments, folder).stdout
    except FileNotFoundError:
        return frozenset()
    return frozenset(folder / os.fsdecode(name) for name in listed.split(b"\0") if name)
