"""Hook: each locked package has a wheel for its target, or is compiled on purpose. Uses the index."""

from collections.abc import Sequence

from entrypoint import cli
from hooks.manifests import manifests

_COMMAND = ("check", "--wheels", "--quiet", "--manifest")


def main(argv: Sequence[str] | None = None) -> int:
    """Ask the index about every lock; return 1 where something has no wheel."""
    codes = [cli.main([*_COMMAND, name]) for name in manifests(argv, __doc__)]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
