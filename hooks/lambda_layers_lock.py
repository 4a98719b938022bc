"""Hook: locks that are out of step are made anew; pins that still satisfy stay. Uses the package index."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from entrypoint import cli
from entrypoint.errors import LayersError
from entrypoint.lock.current import outdated
from entrypoint.manifest.project import load_project
from hooks.manifests import manifests


def main(argv: Sequence[str] | None = None) -> int:
    """Lock what is out of step; return 1 where a lock was made, as it is not in the commit yet."""
    return max([_lock(name) for name in manifests(argv, __doc__)])


def _lock(name: str) -> int:
    try:
        project = load_project(Path(name), root=Path.cwd(), variables=os.environ)
    except LayersError as error:
        for problem in error.problems:
            sys.stdout.write(f"{problem}\n")
        return 1
    targets = [f"--target={target}" for target in outdated(project)]
    if not targets:
        return 0
    if cli.main(["lock", "--manifest", name, *targets]) == 0:
        sys.stdout.write(f"{name}: the locks are made anew; add them to the commit\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
