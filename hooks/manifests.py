"""Which manifests a hook looks at, and its command line."""

import argparse
import os
from collections.abc import Sequence
from functools import partial

from entrypoint.manifest.schema import DEFAULT_PATH


def manifests(argv: Sequence[str] | None, description: str | None) -> list[str]:
    """Return the manifests that the arguments name, else all that git tracks, else the one of this folder."""
    # To ask for the terminal's width would be a twentieth of the hook's time.
    wide = partial(argparse.HelpFormatter, width=100)
    parser = argparse.ArgumentParser(description=description, formatter_class=wide)
    parser.add_argument("manifests", nargs="*", help=f"default: every {DEFAULT_PATH} that git tracks")
    named: list[str] = parser.parse_args(argv).manifests
    return named or _tracked() or [DEFAULT_PATH]


def _tracked() -> list[str]:
    import subprocess  # noqa: PLC0415 - slow to import, and not for those who name their manifests

    command = ["git", "ls-files", "-z", "--", DEFAULT_PATH, f"**/{DEFAULT_PATH}"]
    listed = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - constant arguments
    return [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
