"""The command line of the hooks: which manifests to check, and the values for `${NAME}` in them."""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from entrypoint.manifest.project import Project, load_project
from entrypoint.manifest.schema import DEFAULT_PATH
from entrypoint.variables import given


class Arguments(NamedTuple):
    """What a hook was called with."""

    manifests: list[str]
    #: Each NAME or NAME=VALUE.
    set: list[str]
    #: Folders outside the repository that manifests may use.
    outside: list[str]

    @property
    def words(self) -> list[str]:
        """The same options for a command."""
        return [
            *(f"--set={pair}" for pair in self.set),
            *(f"--allow-outside={path}" for path in self.outside),
        ]

    def project(self, name: str) -> Project:
        """Load a manifest."""
        outside = tuple(map(Path, self.outside))
        variables = given(self.set, os.environ)
        return load_project(Path(name), root=Path.cwd(), variables=variables, outside=outside)


def arguments(argv: Sequence[str] | None, description: str) -> Arguments:
    """Return the manifests given as arguments, or all that git tracks, or the one of this folder."""
    # Reading the terminal's width takes 5 % of the hook's time.
    wide = partial(argparse.HelpFormatter, width=100)
    parser = argparse.ArgumentParser(description=description, formatter_class=wide)
    parser.add_argument(
        "manifests", nargs="*", help=f"paths of manifests (default: every {DEFAULT_PATH} that git tracks)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="set ${NAME} in manifests and requirements files; without a value, use the environment variable",
    )
    parser.add_argument(
        "--allow-outside",
        action="append",
        default=[],
        metavar="FOLDER",
        help="let manifests use files of this folder outside the repository",
    )
    found = parser.parse_args(argv)
    return Arguments(found.manifests or _tracked() or [DEFAULT_PATH], found.set, found.allow_outside)


def _tracked() -> list[str]:
    from entrypoint.git import git  # noqa: PLC0415 - slow to import, and not needed if manifests are given

    try:
        listed = git(["ls-files", "-z", "--", DEFAULT_PATH, f"**/{DEFAULT_PATH}"])
    except FileNotFoundError:
        return []
    return [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
