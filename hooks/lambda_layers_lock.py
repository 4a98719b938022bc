"""Hook: update every lock of the repository that is out of date."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from entrypoint import cli
from entrypoint.errors import LayersError
from entrypoint.lock.current import outdated
from entrypoint.manifest.project import load_project
from entrypoint.variables import given
from hooks.manifests import arguments

_DESCRIPTION = (
    "Update locks that are out of date. Pins that still satisfy the requirements are kept. "
    "Uses the package index."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Update locks that are out of date; return 1 if one was updated, as it is not in the commit yet."""
    names, pairs = arguments(argv, _DESCRIPTION)
    return max([_lock(name, pairs) for name in names])


def _lock(name: str, pairs: Sequence[str]) -> int:
    try:
        project = load_project(Path(name), root=Path.cwd(), variables=given(pairs, os.environ))
    except LayersError as error:
        for problem in error.problems:
            sys.stdout.write(f"{problem}\n")
        return 1
    targets = [f"--target={target}" for target in outdated(project)]
    if not targets:
        return 0
    values = [f"--set={pair}" for pair in pairs]
    if cli.main(["lock", "--manifest", name, *values, *targets]) == 0:
        sys.stdout.write(f"{name}: locks updated; add them to the commit\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
