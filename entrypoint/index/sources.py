"""Packages whose source is not in an index: a folder of the repository, or a commit of a git repository.

Both are made into a source archive, which is then built like any other. Light, for the check hook.
"""

import re
from pathlib import Path
from typing import NamedTuple

from entrypoint.index.static_project import StaticProject

_COMMIT = re.compile(r"[0-9a-f]{40}")
THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts whose URLs need not be encrypted."""


class SourceFolder(NamedTuple):
    """A folder of the repository with a project."""

    path: Path
    project: StaticProject

    @property
    def name(self) -> str:
        """The canonical name of its package."""
        return self.project.name


class GitCommit(NamedTuple):
    """A commit of a repository, and the folder in it with the project of that name; empty for its top."""

    name: str
    url: str
    commit: str
    subdirectory: str = ""

    def __str__(self) -> str:
        folder = f"#subdirectory={self.subdirectory}" if self.subdirectory else ""
        return f"git+{self.url}@{self.commit}{folder}"


def git_commit(name: str, url: str) -> GitCommit:
    """Return the commit that a URL names: git+https://HOST/PATH@COMMIT#subdirectory=FOLDER.

    Raises:
        ValueError: it is not encrypted, or names no commit, or has parts that are not supported.
    """
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415 - the check hook starts light

    parts = urlsplit(url.removeprefix("git+"))
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
        raise ValueError("is not a git+https URL")
    if parts.username or parts.password:
        raise ValueError("has a user name or a password, which belong in netrc or git's credential helper")
    path, _, commit = parts.path.rpartition("@")
    if not path or not _COMMIT.fullmatch(commit):
        raise ValueError("does not name a commit with @ and its 40 hexadecimal digits, so that it could move")
    fragment = parse_qs(parts.fragment, keep_blank_values=True)
    if parts.query or fragment.keys() - {"egg", "subdirectory"}:
        raise ValueError("has other parts than #subdirectory= behind the commit")
    (folder, *others) = fragment.get("subdirectory", [""])
    if others or folder.startswith(("/", ":")) or {"..", "."} & set(folder.split("/")):
        raise ValueError("has a #subdirectory= that is not a folder of the repository")
    return GitCommit(name, parts._replace(path=path, fragment="").geturl(), commit, folder.rstrip("/"))
