"""Hook: check every manifest and every lock of the repository, offline."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from entrypoint.errors import LayersError
from entrypoint.layer.check import check_project
from entrypoint.manifest.project import load_project
from entrypoint.variables import given
from hooks.manifests import arguments

_DESCRIPTION = "Check that manifests are valid and that locks are up to date. Works offline."


def main(argv: Sequence[str] | None = None) -> int:
    """Check the given manifests, or all that git tracks; return 1 if there is a problem."""
    names, pairs = arguments(argv, _DESCRIPTION)
    problems = [problem for name in names for problem in _check(name, pairs)]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


def _check(name: str, pairs: Sequence[str]) -> Sequence[object]:
    try:
        check_project(load_project(Path(name), root=Path.cwd(), variables=given(pairs, os.environ)))
    except LayersError as error:
        return error.problems
    return ()


if __name__ == "__main__":
    raise SystemExit(main())
