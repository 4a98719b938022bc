"""What is made once for all workers of a run: a folder that the first one fills, while the others wait."""

import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def folder(tmp_path_factory, name: str, fill: Callable[[Path], object]) -> Path:
    """Return the folder of this name; `fill` was called with it, in this worker or in another."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    made, done = root / name, root / f"{name}.done"
    with FileLock(root / f"{name}.lock"):
        if not done.exists():
            made.mkdir()
            fill(made)
            done.touch()
    return made
