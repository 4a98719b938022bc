"""Runs git on repositories that are not trusted: their configuration can name programs, which do not run.

A pull request, an artifact or another user of the machine may have written a repository. No hook, filter,
file system monitor, signature checker or transport of its configuration is used. So commands that need one
are not called anywhere, such as `git archive` or `git status`. git needs no credentials for the others, so it
gets no variables that hold some.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from entrypoint.variables import is_credential

_GIT = (
    *("git", "--no-replace-objects", "--no-optional-locks"),
    *("-c", "safe.directory=*"),  # in a container, the checkout belongs to another user
    *("-c", "safe.bareRepository=explicit"),  # a folder of the checkout may look like a repository
    *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false"),
)
# A server that is slower than 1 kB/s for a minute; also if this process has ended meanwhile.
_GIVE_UP = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60", "-c", "pack.threads=1")
_SOON = 0.2
"""Seconds between two looks at what was fetched."""
_NEVER_ASK = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # also turns off SSH_ASKPASS; such a program may answer for every server
    "GIT_NO_LAZY_FETCH": "1",  # older releases of git do not know it
    "GIT_ALLOW_PROTOCOL": "",  # unlike protocol.allow, it applies to protocols that the configuration allows
}
# Settings such as `http.extraHeader`, which sends a token to every server.
_OF_SETTINGS = re.compile(r"GIT_CONFIG_(?:COUNT|PARAMETERS|(?:KEY|VALUE)_\d+)")
# A hook of git has these variables, with relative paths.
_OF_ANOTHER_FOLDER = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


def tracked(folder: Path, checkout: Path) -> str | None:
    """Return the first file in a folder of the checkout's repository that git tracks, or None.

    The folder may be in a submodule, which the repository brings too. Where git cannot list its files, the
    folder itself is returned. Without git, or outside the repository, it is None.
    """
    folder = folder.resolve()
    try:
        top = git(["rev-parse", "--show-toplevel"], checkout)
        repository = Path(os.fsdecode(top.stdout.removesuffix(b"\n"))).resolve()
        if top.returncode or not folder.is_relative_to(repository):
            return None
        for place in (checkout, folder):
            listed = git(["ls-files", "-z", "--", str(folder)], place)
            if listed.returncode:
                return str(folder)
            if listed.stdout:
                return listed.stdout.split(b"\0")[0].decode("utf-8", "replace")
    except OSError:
        pass
    return None


def git(
    arguments: Sequence[str],
    folder: Path | None = None,
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run git in a folder, or in the working folder with the variables that git gives to hooks.

    Raises:
        FileNotFoundError: git is not installed.
    """
    return subprocess.run(  # noqa: S603 - no shell in between
        [*_GIT, *arguments],
        cwd=folder,
        env=_environment(folder),
        stdin=stdin or subprocess.DEVNULL,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )


def git_output(
    arguments: Sequence[str], folder: Path, *, most_bytes: int
) -> "subprocess.CompletedProcess[bytes]":
    """Run git in a folder, for output that its repository can make as long as it likes.

    Raises:
        FileNotFoundError: git is not installed.
        ValueError: the output has more bytes than this.
    """
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603 - as above
            [*_GIT, *arguments],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        output = process.stdout.read(most_bytes + 1) if process.stdout else b""
        if len(output) > most_bytes:
            process.kill()
            raise ValueError(f"git lists more than {most_bytes:,} bytes of it")
        process.wait()
        said.seek(0)
        return subprocess.CompletedProcess(process.args, process.returncode, output, said.read())


def git_fetch(
    url: str, commit: str, folder: Path, *, most_bytes: int, most_memory: int, seconds: float
) -> "subprocess.CompletedProcess[bytes]":
    """Fetch one commit into a new repository, which no one else wrote; only the protocol of the URL is used.

    `most_memory` is for each file; git fails if one needs more.

    Raises:
        FileNotFoundError: git is not installed.
        ValueError: the server sends more bytes than this, or takes longer.
    """
    options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    deadline = time.monotonic() + seconds
    with subprocess.Popen(  # noqa: S603 - as above
        [*_GIT, *_GIVE_UP, "fetch", *options, "--", url, commit],
        cwd=folder,
        env=_environment(folder)
        # A pack of some kB may have a delta that makes a file of any size, which git keeps in memory.
        | {"GIT_ALLOW_PROTOCOL": url.partition(":")[0], "GIT_ALLOC_LIMIT": str(most_memory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # its children continue if git alone is killed
    ) as process:
        try:
            while (said := _said(process)) is None and time.monotonic() < deadline:
                if _size(folder) > most_bytes:
                    break
        finally:
            if process.returncode is None:
                _kill(process)
    if _size(folder) > most_bytes:
        raise ValueError(f"the server sends more than {most_bytes:,} bytes")
    if said is None:
        raise ValueError(f"the server takes more than {seconds:.0f} seconds")
    return subprocess.CompletedProcess(process.args, process.returncode, b"", said)


def _said(process: "subprocess.Popen[bytes]") -> bytes | None:
    """Return the messages of a process that ends soon; None if it continues."""
    try:
        return process.communicate(timeout=_SOON)[1]
    except subprocess.TimeoutExpired:
        return None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _size(folder: Path) -> int:
    """Return the size of the files in a folder, some of which git may be renaming."""
    size = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - faster
    return size


def _environment(folder: Path | None) -> dict[str, str]:
    left_out = _OF_ANOTHER_FOLDER if folder is not None else frozenset[str]()
    return {
        key: value
        for key, value in os.environ.items()
        if key not in left_out and not is_credential(key) and not _OF_SETTINGS.fullmatch(key)
    } | _NEVER_ASK
