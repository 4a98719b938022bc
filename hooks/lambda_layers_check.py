"""Hook: every manifest in the repository is right, and every lock in step with its inputs. Offline."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from entrypoint.commands.check import check_project
from entrypoint.errors import LayersError
from entrypoint.manifest.project import load_project
from hooks.manifests import manifests


def main(argv: Sequence[str] | None = None) -> int:
    """Check the named manifests, else all that git tracks; return 1 where something is wrong."""
    problems = [problem for name in manifests(argv, __doc__) for problem in _check(name)]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


def _check(name: str) -> Sequence[object]:
    try:
        check_project(load_project(Path(name), root=Path.cwd(), variables=os.environ))
    except LayersError as error:
        return error.problems
    return ()


if __name__ == "__main__":
    raise SystemExit(main())
