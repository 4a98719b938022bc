"""The other Pythons of this machine: on PATH, or those that pyenv installed."""

import os
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@cache
def python(version: str) -> str | None:
    """Return the path of a CPython of a minor version; None if there is none on this machine."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = []
    with suppress(OSError):  # the folder of another user
        installed = sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    for path in filter(None, [*installed, shutil.which(f"python{version}")]):  # pyenv's shims are slow
        with suppress(OSError):  # one that only another user may run
            result = subprocess.run([path, "-V"], capture_output=True, text=True, check=False)
            if result.stdout.startswith(f"Python {version}."):
                return path
    return None


def link_all(folder: Path) -> Path:
    """Make a folder for PATH that has a command such as python3.13 for each of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for version in VERSIONS:
        if path := python(version):
            (folder / f"python{version}").symlink_to(path)
    return folder
