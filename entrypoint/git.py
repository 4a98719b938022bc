"""Runs git on repositories that are not trusted: their configuration can name programs, which do not run.

A pull request, an artifact or another user of the machine may have written a repository. No hook, filter,
file system monitor, signature checker or transport of its configuration is used. So commands that need one
are not called anywhere, such as `git archive` or `git status`. git needs no credentials for the others, so it
gets no variables that hold some.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from entrypoint.variables import is_credential

_GIT = (
    *("git", "--no-replace-objects", "--no-optional-locks"),
    *("-c", "safe.directory=*"),  # in a container, the checkout belongs to another user
    *("-c", "safe.bareRepository=explicit"),  # a folder of the checkout may look like a repository
    *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false"),
)
_NEVER_ASK = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",  # older releases of git do not know it
}
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
    protocol: str = "",
) -> "subprocess.CompletedProcess[bytes]":
    """Run git in a folder, or in the working folder with the variables that git gives to hooks.

    It may use this protocol, such as https; not in a repository that others wrote.

    Raises:
        FileNotFoundError: git is not installed.
    """
    left_out = _OF_ANOTHER_FOLDER if folder is not None else frozenset[str]()
    kept = {key: value for key, value in os.environ.items() if key not in left_out and not is_credential(key)}
    # Unlike protocol.allow, the variable applies to protocols that the configuration allows.
    return subprocess.run(  # noqa: S603 - no shell in between
        [*_GIT, *arguments],
        cwd=folder,
        env=kept | _NEVER_ASK | {"GIT_ALLOW_PROTOCOL": protocol},
        stdin=stdin or subprocess.DEVNULL,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
