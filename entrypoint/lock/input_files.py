"""Input files of a layer: how large they may be, and how messages name them. Light, for the check hook."""

from pathlib import Path

LARGEST = 4 << 20
"""Bytes of a requirements file, a pyproject.toml or a lock."""


def display_path(path: Path, root: Path | None) -> str:
    """Return the path as messages show it: relative to the root if it is below it, otherwise as given."""
    if root is not None and path.absolute().is_relative_to(root.absolute()):
        return path.absolute().relative_to(root.absolute()).as_posix()
    return str(path)
