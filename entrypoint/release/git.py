"""git: the files of a revision, without touching the checkout."""

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from entrypoint.errors import UsageError

# A checkout may contain what looks like a bare repository, with a configuration that git would obey.
_GIT = ("git", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false")


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
        (found,) = self._commits(["--no-walk", sha.decode().strip()])
        return found

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

        Links that lead out of it are skipped.

        Raises:
            UsageError: there is no such revision.
        """
        message = f"the revision {revision!r} does not exist here"
        hint = "see: git log; a workflow's checkout has one commit, unless it has `fetch-depth: 0`"
        if revision.startswith("-"):  # git would take it for an option
            raise UsageError.of(message, hint)
        found = self._run(["rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}"], message, hint)
        tree = found.decode().strip()
        top = self._run(["rev-parse", "--show-toplevel"], message, hint).decode().removesuffix("\n")
        with tempfile.TemporaryFile() as file:
            self._run(["-C", top, "archive", "--format=tar", tree], message, hint, output=file)
            file.seek(0)
            with tarfile.open(fileobj=file) as tar:
                _unpack(tar, into.resolve())

    def _run(
        self, arguments: Sequence[str], message: str, hint: str, output: IO[bytes] | None = None
    ) -> bytes:
        try:
            answer = subprocess.run(  # noqa: S603 - no shell in between
                [*_GIT, *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        except FileNotFoundError:
            raise UsageError.of("git is not installed", "install it to name a revision") from None
        if answer.returncode == 0:
            return answer.stdout or b""
        said = answer.stderr.decode("utf-8", "replace").strip().replace("\n", " ")
        raise UsageError.of(f"{message}: {said}" if said else message, hint)


def _unpack(tar: tarfile.TarFile, into: Path) -> None:
    """Write the files, folders and inner links; `TarFile.extractall` has its filters only since 3.11.4."""
    for member in tar:
        path = into / member.name
        if not path.parent.resolve().is_relative_to(into):
            continue
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif member.issym():
            if (path.parent / member.linkname).resolve().is_relative_to(into):
                path.symlink_to(member.linkname)
        elif data := tar.extractfile(member):
            path.parent.mkdir(parents=True, exist_ok=True)
            with data, path.open("xb") as file:
                shutil.copyfileobj(data, file)
            path.chmod(0o755 if member.mode & 0o100 else 0o644)
