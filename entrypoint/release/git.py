"""The files of a git revision, without touching the checkout."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from entrypoint.errors import UsageError
from entrypoint.git import git

_LINK = "120000"
_EXECUTABLE = "100755"
_CHUNK = 1 << 20
_NOT_WRITTEN = frozenset({"..", ".git"})


_LOG_HINT = "see: git log; a workflow's checkout has one commit, unless it has `fetch-depth: 0`"


class Commit(NamedTuple):
    """A commit: its date is YYYY-MM-DD, its subject the first line of its message."""

    sha: str
    date: str
    subject: str

    def __str__(self) -> str:
        return f"{self.sha[:12]} ({self.date}, {self.subject[:60]})"


class Repository:
    """The git repository that a folder is in.

    Raises:
        UsageError: it is in none, or git cannot be run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        hint = "run this in a git repository to compare revisions"
        shown = self._run(["rev-parse", "--show-prefix"], f"{folder} is not in a git repository", hint)
        #: The folder's path from the top of the repository.
        self.below_top = Path(shown.decode().removesuffix("\n"))

    def commit(self, revision: str) -> Commit:
        """Return the commit of a revision, by any name that git knows.

        Raises:
            UsageError: there is no such revision.
        """
        message = f"the revision {revision!r} does not exist here"
        if revision.startswith("-"):  # git would take it for an option
            raise UsageError.of(message, _LOG_HINT)
        sha = self._run(["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"], message, _LOG_HINT)
        found = self._commits(["--no-walk", sha.decode().strip()])
        if len(found) != 1:  # such as ^HEAD, which excludes commits
            raise UsageError.of(message, _LOG_HINT)
        return found[0]

    def log(self, paths: Sequence[Path], most: int) -> tuple[Commit, ...]:
        """Return HEAD and the commits before it that changed files, newest first, along first parents."""
        chosen = [str(path) for path in paths]
        head = self._commits(["--no-walk", "HEAD"])
        limits = [f"--max-count={most}", "--first-parent"]
        return tuple(dict.fromkeys([*head, *self._commits([*limits, "HEAD", "--", *chosen])]))

    def _commits(self, arguments: Sequence[str]) -> tuple[Commit, ...]:
        format_ = "--format=%H%x00%cs%x00%s"
        text = self._run(["log", format_, *arguments], "the history cannot be read", _LOG_HINT)
        lines = text.decode("utf-8", "replace").splitlines()
        return tuple(Commit(*line.split("\0")) for line in lines if line.count("\0") == 2)  # noqa: PLR2004

    def unpack(self, revision: str, into: Path) -> None:
        """Write the files of a revision, as they were committed, into a folder.

        Links that lead out of it are skipped, and folders named .git, which git would take for a repository.
        Filters, such as those of Git LFS, are not applied.

        Raises:
            UsageError: there is no such revision, or its files cannot be written.
        """
        message = f"the revision {revision!r} does not exist here"
        hint = "see: git log; a workflow's checkout has one commit, unless it has `fetch-depth: 0`"
        if revision.startswith("-"):  # git would take it for an option
            raise UsageError.of(message, hint)
        found = self._run(["rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}"], message, hint)
        listing = ["ls-tree", "-r", "-z", "--full-tree", found.decode().strip()]
        entries = tuple(_entries(self._run(listing, message, hint)))
        with tempfile.TemporaryFile() as names, tempfile.TemporaryFile() as contents:
            names.write("".join(f"{entry.sha}\n" for entry in entries).encode())
            names.seek(0)
            self._run(["cat-file", "--batch"], message, hint, stdin=names, stdout=contents)
            contents.seek(0)
            try:
                _write_all(entries, contents, into.resolve())
            except (OSError, ValueError) as error:
                message = f"the files of {revision!r} cannot be written: {error}"
                raise UsageError.of(message, "name a revision that git can check out") from None

    def _run(
        self,
        arguments: Sequence[str],
        message: str,
        hint: str,
        *,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> bytes:
        try:
            answer = git(arguments, self._folder, stdin=stdin, stdout=stdout)
        except FileNotFoundError:
            raise UsageError.of("git is not installed", "install it to name a revision") from None
        if answer.returncode == 0:
            return answer.stdout or b""
        said = answer.stderr.decode("utf-8", "replace").strip().replace("\n", " ")
        raise UsageError.of(f"{message}: {said}" if said else message, hint)


def end_search(folder: Path) -> None:
    """Let the search for a repository and for .gitignore end here, not at files of a neighbour in /tmp."""
    (folder / ".git").touch()


class _Entry(NamedTuple):
    """A file or link in a tree."""

    mode: str
    sha: str
    path: str


def _entries(listing: bytes) -> Iterator[_Entry]:
    for line in listing.split(b"\0")[:-1]:
        facts, _, path = line.decode("utf-8", "surrogateescape").partition("\t")
        mode, kind, sha = facts.split(" ")
        if kind == "blob":  # not the commit of a submodule
            yield _Entry(mode, sha, path)


def _write_all(entries: Sequence[_Entry], contents: IO[bytes], into: Path) -> None:
    for entry in entries:
        _write(entry, contents, into)
    # Where a link leads depends on links that were written after it.
    for path in [into / entry.path for entry in entries if entry.mode == _LINK]:
        if path.is_symlink() and not _leads_into(path, into):
            path.unlink()


def _leads_into(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder)
    except RuntimeError:  # a loop of links
        return False


def _write(entry: _Entry, contents: IO[bytes], into: Path) -> None:
    """Write the next of the contents, which follow each other as `git cat-file --batch` prints them."""
    header = contents.readline().split()
    if len(header) != 3:  # noqa: PLR2004 - its name, `blob` and its size; or its name and `missing`
        return
    start, size = contents.tell(), int(header[2])
    path = into / entry.path
    parts = PurePosixPath(entry.path.lower()).parts
    if _NOT_WRITTEN.isdisjoint(parts) and _leads_into(path.parent, into):
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.mode == _LINK:
            _link(path, contents.read(size).decode("utf-8", "surrogateescape"), into)
        else:
            with path.open("xb") as file:
                _copy(contents, file, size)
            path.chmod(0o755 if entry.mode == _EXECUTABLE else 0o644)
    contents.seek(start + size + 1)


def _link(path: Path, target: str, into: Path) -> None:
    if _leads_into(path.parent / target, into):
        path.symlink_to(target)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size > 0 and (part := source.read(min(size, _CHUNK))):
        target.write(part)
        size -= len(part)
