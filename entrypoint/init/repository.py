"""The files that a manifest may name, and what init takes to be development files."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entrypoint.manifest.paths import is_inside, roots_of
from entrypoint.manifest.yaml_limits import BYTES

_DEPTH = 3
"""How many folders below the manifest's one are searched."""
_SKIPPED = {"node_modules", "site-packages", "dist", "build", "venv", "cdk.out", "__pycache__"}
_DEVELOPMENT_WORDS = (
    "dev|devel|develop|development|tests?|testing|pytest|docs?|lint(?:ers?|ing)?|ci|typing|types|mypy|build|tox|nox"
    "|qa|format(?:ting)?|style|coverage|bench(?:marks?)?|local|debug|notebooks?|jupyter|pre-?commit|e2e"
)
_DEVELOPMENT_FILE = re.compile(rf"(?:^|[-_.])(?:{_DEVELOPMENT_WORDS})(?:$|[-_.])", re.IGNORECASE)
_DEVELOPMENT_FOLDER = re.compile(
    r"dev|(?:(?:unit|integration|functional|e2e)[-_]?)?tests?|testing|e2e|docs?|ci|lint|examples?|benchmarks?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Repository:
    """The manifest's folder, and the folders that its files may be in."""

    folder: Path
    roots: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> "Repository":
        """Return the repository of a manifest's folder."""
        return cls(folder.resolve(), roots_of(folder, Path.cwd()))

    def contains(self, path: Path) -> bool:
        """Whether a manifest may name a path, after following all links."""
        try:
            return is_inside(path, self.roots)
        except (OSError, RuntimeError, ValueError):
            return False

    def shown(self, path: Path) -> str:
        """Return a path relative to the manifest's folder."""
        return Path(os.path.relpath(path.resolve(), self.folder)).as_posix()


def is_development_file(path: Path) -> bool:
    """Whether a relative path is that of a file for development: tests, linting, documentation."""
    return _DEVELOPMENT_FILE.search(path.stem) is not None or any(
        _DEVELOPMENT_FOLDER.fullmatch(part) for part in path.parts[:-1]
    )


def is_development_folder(name: str) -> bool:
    """Whether a folder is for development."""
    return _DEVELOPMENT_FOLDER.fullmatch(name) is not None


def start_of(path: Path) -> str:
    """Return the first MiB of a file as text; empty if it is not a regular file.

    A committed link may lead to a device, or to a file of the system, which has no end.
    """
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def files_below(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, without hidden ones and those of tools."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_file():
            yield Path(entry.path)
        elif depth and entry.is_dir(follow_symlinks=False):
            is_of_tools = entry.name.startswith(".") or entry.name in _SKIPPED
            if not is_of_tools and not Path(entry.path, "pyvenv.cfg").exists():
                yield from files_below(Path(entry.path), depth - 1)
