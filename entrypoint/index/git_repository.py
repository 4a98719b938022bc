"""A commit of a git repository -> its source archive.

The commit is fetched into a new, empty repository, without its history, tags and submodules. No file is
checked out, so that no filter and no attribute of the repository applies. git asks for no credentials; a
credential helper of this user may give some. The names of git's objects are digests, so that it refuses other
content than that of the commit, and the SHA-256 of the archive is in the lock.
"""

import tempfile
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.git import git, git_fetch, git_output
from entrypoint.index.options import without_credentials
from entrypoint.index.project_sources import ProjectSources, is_member, project_sources, sourced_names
from entrypoint.index.source_archive import SourceArchive, SourceFile, archive
from entrypoint.index.sources import GitCommit
from entrypoint.index.static_project import static_project
from entrypoint.limits import METADATA_BYTES, RECORD_BYTES, SDIST_BYTES, UNZIPPED_BYTES, WHEEL_MEMBERS
from entrypoint.toml import load_toml

_LINK, _EXECUTABLE = "120000", "100755"
_PYPROJECT = "pyproject.toml"
_LFS = b"version https://git-lfs.github.com/spec/"
_SECONDS = 600
_MEMORY = 1 << 30
_BUILD_A_WHEEL = "build a wheel of it, and write `name @ URL#sha256=DIGEST`"
_one_at_a_time = threading.Lock()


class _Entry(NamedTuple):
    """A file of a commit."""

    mode: str
    kind: str
    sha: str
    size: str
    path: str


def archive_of_commit(source: GitCommit) -> SourceArchive:
    """Return the archive of a commit, fetched once.

    Raises:
        FetchError: it cannot be fetched, or is not a project whose metadata is known without its code.
    """
    with _one_at_a_time:
        return _archive(source)


@lru_cache(maxsize=8)
def _archive(source: GitCommit) -> SourceArchive:
    with tempfile.TemporaryDirectory(prefix="lambda-layers-git-") as name:
        folder = Path(name)
        _run(["init", "--quiet", "--object-format=sha1"], folder, source)
        try:
            _fetch(source, folder)
            files = tuple(_files(folder, source))
            return _project_archive(files, source, tuple(_above(folder, source)))
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise FetchError(Diagnostic(f"{source} cannot be locked: {error}", _BUILD_A_WHEEL)) from None


def _project_archive(
    files: tuple[SourceFile, ...], source: GitCommit, above: Iterable[tuple[str, str]]
) -> SourceArchive:
    text = next((file.content for file in files if file.path == _PYPROJECT and not file.is_link), None)
    if text is None or len(text) > METADATA_BYTES:
        raise ValueError(f"it has no {_PYPROJECT} of a plausible size")
    project = static_project(load_toml(text.decode()))
    if project.name != source.name:
        raise ValueError(f"it has the package {project.name}, not {source.name}")
    if project.urls:
        raise ValueError(f"it requires {project.urls[0][0]} by a URL")
    sources = tuple(_sources(text.decode(), (*project.requires, *project.build_requires), above))
    if elsewhere := [each for found in sources for each in found.elsewhere]:
        raise ValueError(
            f"{elsewhere[0].name} comes from a {elsewhere[0].kind}, and would be looked up in a package index"
        )
    indexes = tuple(each for found in sources for each in found.indexes)
    return archive(project, files)._replace(indexes=indexes)


def _sources(
    text: str, requires: Iterable[str], above: Iterable[tuple[str, str]]
) -> Iterator[ProjectSources]:
    """Yield what a pyproject.toml, and those of its workspaces, say about the sources of requirements."""
    table = load_toml(text)
    yield project_sources(text, table, requires)
    for folder, other in above:
        if is_member(root := load_toml(other), folder):
            yield project_sources(other, root, requires, sourced_names(table))


def _above(folder: Path, source: GitCommit) -> Iterator[tuple[str, str]]:
    """Yield the pyproject.toml files above the project, each with the path from there to the project."""
    project = PurePosixPath(source.subdirectory)
    for parent in project.parents:
        name = f"{source.commit}:{(parent / _PYPROJECT).as_posix()}"
        found = git_output(["cat-file", "blob", name], folder, most_bytes=METADATA_BYTES)
        if not found.returncode:
            yield project.relative_to(parent).as_posix(), found.stdout.decode()


def _files(folder: Path, source: GitCommit) -> Iterator[SourceFile]:
    """Yield the files of a commit, as they were committed."""
    entries = tuple(_entries(folder, source))
    if len(entries) > WHEEL_MEMBERS or sum(int(entry.size) for entry in entries) > UNZIPPED_BYTES:
        raise ValueError(f"it has more than {WHEEL_MEMBERS:,} files or {UNZIPPED_BYTES:,} bytes")
    with tempfile.TemporaryFile() as names, tempfile.TemporaryFile() as contents:
        names.write("".join(f"{entry.sha}\n" for entry in entries).encode())
        names.seek(0)
        git(["cat-file", "--batch"], folder, stdin=names, stdout=contents)
        contents.seek(0)
        for entry in entries:
            if contents.readline().split()[1:] != [b"blob", entry.size.encode()]:
                raise ValueError(f"{entry.path} cannot be read")
            content = contents.read(int(entry.size))
            contents.seek(1, 1)  # a line feed follows each file
            if content.startswith(_LFS):
                raise ValueError(f"{entry.path} is a file of Git LFS, which is not fetched")
            yield SourceFile(entry.path, content, entry.mode == _EXECUTABLE, entry.mode == _LINK)


def _entries(folder: Path, source: GitCommit) -> Iterator[_Entry]:
    """Yield the files of a commit; a server may have made its trees by hand."""
    tree, seen = f"{source.commit}:{source.subdirectory}", set[str]()
    for line in _run(["ls-tree", "-r", "-l", "-z", "--full-tree", tree], folder, source).split(b"\0")[:-1]:
        facts, _, path = line.decode("utf-8", "surrogateescape").partition("\t")
        mode, kind, sha, size = facts.split()
        entry = _Entry(mode, kind, sha, size, path)
        if entry.kind != "blob":
            raise ValueError(f"{path} is a submodule, which is not fetched")
        if ".." in PurePosixPath(path).parts or path != PurePosixPath(path).as_posix().lstrip("/"):
            raise ValueError(f"{path} is not a path in the repository")
        if path in seen:  # pip would take the other one
            raise ValueError(f"{path} is there twice")
        seen.add(path)
        yield entry


def _fetch(source: GitCommit, folder: Path) -> None:
    limits = {"most_bytes": SDIST_BYTES, "most_memory": _MEMORY}
    done = git_fetch(source.url, source.commit, folder, **limits, seconds=_SECONDS)
    if done.returncode:
        raise _failure(source, done.stderr)


def _run(arguments: list[str], folder: Path, source: GitCommit) -> bytes:
    """Run git in the new repository.

    Raises:
        FetchError: git is not installed, or fails.
        ValueError: its output is too long, as of a commit whose folders are the same one many times.
    """
    try:
        done = git_output(arguments, folder, most_bytes=RECORD_BYTES)
    except FileNotFoundError:
        message = f"git is not installed, so that {source} cannot be fetched"
        raise FetchError(Diagnostic(message, "install git")) from None
    if done.returncode:
        raise _failure(source, done.stderr)
    return done.stdout


def _failure(source: GitCommit, stderr: bytes) -> FetchError:
    said = without_credentials(stderr.decode("utf-8", "replace")).strip().replace("\n", " ")
    hint = "check the URL, the commit and the subdirectory, and git's credentials for the server"
    return FetchError(Diagnostic(f"{source} cannot be fetched: {said}", hint))
