"""Hook: check every manifest and every lock of the repository, offline."""

import sys
from collections.abc import Sequence

from entrypoint.errors import LayersError
from entrypoint.layer.check import check_project
from entrypoint.printable import printable
from hooks.manifests import Arguments, arguments

_DESCRIPTION = "Check that manifests are valid and that locks are up to date. Works offline."


def main(argv: Sequence[str] | None = None) -> int:
    """Check the given manifests, or all that git tracks; return 1 if there is a problem."""
    found = arguments(argv, _DESCRIPTION)
    problems = [problem for name in found.manifests for problem in _check(name, found)]
    for problem in problems:
        sys.stdout.write(printable(f"{problem}\n"))
    return 1 if problems else 0


def _check(name: str, found: Arguments) -> Sequence[object]:
    try:
        check_project(found.project(name))
    except LayersError as error:
        return error.problems
    return ()


if __name__ == "__main__":
    raise SystemExit(main())
