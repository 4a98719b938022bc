"""Hook: check that the package index has a wheel for each locked package."""

from collections.abc import Sequence

from entrypoint import cli
from hooks.manifests import arguments

_DESCRIPTION = (
    "Check that each locked package has a compatible wheel, or is listed under from_source. "
    "Uses the package index."
)
_COMMAND = ("check", "--wheels", "--quiet", "--manifest")


def main(argv: Sequence[str] | None = None) -> int:
    """Check every lock against the index; return 1 if a package has no compatible wheel."""
    found = arguments(argv, _DESCRIPTION)
    codes = [cli.main([*_COMMAND, name, *found.words]) for name in found.manifests]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
