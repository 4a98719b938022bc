"""Which files a manifest may name: those of its repository.

A pull request can change paths and commit links, and files elsewhere on the machine may hold credentials.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

OUTSIDE_HINT = "use a file of the repository, or allow its folder with: --allow-outside FOLDER"


def roots_of(folder: Path, working: Path, outside: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return the folders that files may be in: the repository, and those that the operator allows.

    The repository is the nearest parent of the manifest's folder with `.git`; without git, it is the working
    folder, or the manifest's folder if that is elsewhere.
    """
    resolved = folder.resolve()
    git = (parent for parent in (resolved, *resolved.parents) if (parent / ".git").exists())
    without_git = working.resolve() if resolved.is_relative_to(working.resolve()) else resolved
    return (next(git, without_git), *(path.resolve() for path in outside))


def is_inside(path: Path, roots: Sequence[Path]) -> bool:
    """Whether a path is in one of the folders, after following all links; without folders, any path is.

    A folder .git is not: its config may hold the token of a checkout.

    Raises:
        OSError, RuntimeError, ValueError: the path cannot be resolved, such as a loop of links.
    """
    resolved = path.resolve()
    inside = (resolved.relative_to(root).parts for root in roots if resolved.is_relative_to(root))
    return not roots or any(".git" not in map(str.lower, parts) for parts in inside)
