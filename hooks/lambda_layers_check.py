"""Hook: every manifest in the repository is right, and every lock in step with its inputs. Offline."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from entrypoint.errors import LayersError
from entrypoint.project import check_locks, load_project
from entrypoint.schema import DEFAULT_PATH


def main(argv: Sequence[str] | None = None) -> int:
    """Check the named manifests, else all that git tracks; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="*", help=f"default: every {DEFAULT_PATH} that git tracks")
    names = parser.parse_args(argv).manifests or _tracked()
    problems = [problem for name in names for problem in _check(name)]
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return 1 if problems else 0


def _tracked() -> list[str]:
    import subprocess  # noqa: PLC0415 - slow to import, and not for those who name their manifests

    command = ["git", "ls-files", "-z", "--", DEFAULT_PATH, f"**/{DEFAULT_PATH}"]
    listed = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - constant arguments
    return [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name] or [DEFAULT_PATH]


def _check(name: str) -> Sequence[object]:
    try:
        check_locks(load_project(Path(name), root=Path.cwd(), variables=os.environ))
    except LayersError as error:
        return error.problems
    return ()


if __name__ == "__main__":
    raise SystemExit(main())
