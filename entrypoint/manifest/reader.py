"""lambda-layers.yml -> Manifest.

In: the file's text and the variables for `${NAME}`. Out: a `Manifest`, or one ManifestError with every
problem, each with its line. Does not access the network, locks or AWS.
"""

from collections.abc import Mapping
from pathlib import Path

from entrypoint.errors import Diagnostic, ManifestError
from entrypoint.manifest.checks import problems_of
from entrypoint.manifest.model import Manifest
from entrypoint.manifest.schema import MANIFEST
from entrypoint.manifest.yaml_nodes import Reader, compose


def load(
    path: Path, *, text: str, shown: str, variables: Mapping[str, str], roots: tuple[Path, ...] = ()
) -> Manifest:
    """Parse the manifest's text; relative paths in it start from the manifest's folder.

    Args:
        path: the manifest's path.
        text: its content.
        shown: what messages call the file.
        variables: values for `${NAME}`.
        roots: the folders that files may be in; any if empty.

    Raises:
        ManifestError: with every problem of the file, not only the first.
    """
    reader = Reader(shown, variables)
    table = MANIFEST.read(compose(text, shown), reader)
    if table is not None:
        reader.problems.extend(problems_of(table, path.parent, roots))
        if not reader.problems:
            manifest: Manifest = MANIFEST.build(table, path.parent, roots, path=path)
            return manifest
    raise ManifestError(*sorted(reader.problems, key=_position))


def _position(problem: Diagnostic) -> tuple[int, int]:
    return (problem.location.line or 0, problem.location.column or 0) if problem.location else (0, 0)
