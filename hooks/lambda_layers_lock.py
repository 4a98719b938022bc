"""Hook: update every lock of the repository that is out of date."""

import sys
from collections.abc import Sequence

from entrypoint import cli
from entrypoint.errors import LayersError
from entrypoint.lock.current import outdated
from entrypoint.printable import printable
from hooks.manifests import Arguments, arguments

_DESCRIPTION = (
    "Update locks that are out of date. Pins that still satisfy the requirements are kept. "
    "Uses the package index."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Update locks that are out of date; return 1 if one was updated, as it is not in the commit yet."""
    found = arguments(argv, _DESCRIPTION)
    return max([_lock(name, found) for name in found.manifests])


def _lock(name: str, found: Arguments) -> int:
    try:
        project = found.project(name)
    except LayersError as error:
        for problem in error.problems:
            sys.stdout.write(printable(f"{problem}\n"))
        return 1
    targets = [f"--target={target}" for target in outdated(project)]
    if not targets:
        return 0
    if cli.main(["lock", "--manifest", name, *found.words, *targets]) == 0:
        sys.stdout.write(f"{name}: locks updated; add them to the commit\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
