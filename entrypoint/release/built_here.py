"""Compares the layer versions in use with the archives that were built here from the same inputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.errors import Diagnostic, LayersError
from entrypoint.layer.describe import recorded_code_sha256
from entrypoint.parallel import for_each
from entrypoint.release.plan import LayerChange

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws


def warn_of_other_bytes(aws: "Aws", folder: Path, changes: Sequence[LayerChange]) -> tuple[Diagnostic, ...]:
    """Return a warning for each version whose content differs from the archive in the folder."""

    def compare(change: LayerChange) -> Diagnostic | None:
        built = recorded_code_sha256(folder, change.layer, change.dependency_hash)
        if change.version is None or built is None:
            return None
        name, version = change.layer.name, change.version.version
        try:
            if aws.layers.code_sha256(name, version) == built:
                return None
        except LayersError:  # only this warning needs it
            return None
        message = f"{name}:{version} has other content than the archive that was built here"
        hint = "it may be built without bytecode or in another image; if not, delete it and run deploy"
        return Diagnostic(message, hint, change.layer.targets[0].layer.location)

    return tuple(found for found in for_each(changes, compare) if found)
