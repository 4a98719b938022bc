"""Built archives -> layer versions.

PublishLayerVersion creates a new version at every call and has no client token. So after a lost answer, the
dependency hash is looked up before the call is repeated.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from entrypoint.aws.model import REVISION_MARK, LayerVersion, UnclearAnswerError
from entrypoint.errors import AwsError
from entrypoint.layer.describe import BuiltArchive
from entrypoint.limits import DESCRIPTION_CHARACTERS
from entrypoint.manifest.checks import HASH_MARK
from entrypoint.release.plan import LayerChange
from entrypoint.release.state import read_layer

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_ATTEMPTS = 4


def publish(
    aws: "Aws",
    change: LayerChange,
    archive: BuiltArchive,
    *,
    revision: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> LayerChange:
    """Publish the archive, built from a git `revision`; return the change with its version.

    It is published even if the latest version has the same bytes: AWS has to have the new hash, or each later
    run would build again and find the same.

    Raises:
        AwsError: AWS gives no clear answer repeatedly, or refuses.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return replace(change, version=_settled(aws, change, _publish(aws, change, archive, revision)))
        except UnclearAnswerError:
            sleep(2.0**attempt)  # let AWS recover, and list what was published
            found = read_layer(aws, change.layer.name, change.dependency_hash).current
            if found:
                return replace(change, version=found)
    message = f"AWS gave no clear answer to publishing {change.layer.name}, {_ATTEMPTS} times"
    raise AwsError.of(message, "run again: a version that was published is found and used")


def _settled(aws: "Aws", change: LayerChange, published: LayerVersion) -> LayerVersion:
    """Return the lowest version with this hash: of two runs at once both publish, and must agree on one."""
    found = read_layer(aws, change.layer.name, change.dependency_hash).current
    return found if found and found.version < published.version else published


def _publish(aws: "Aws", change: LayerChange, archive: BuiltArchive, revision: str | None) -> LayerVersion:
    layer = change.layer
    first = layer.targets[0].layer
    about = (
        first.description or f"{first.name} for {', '.join(str(target.platform) for target in layer.targets)}"
    )
    return aws.layers.publish(
        name=layer.name,
        description=describe(
            about,
            change.dependency_hash,
            revision,
            libraries=[package.origin for package in archive.packages if package.is_system],
        ),
        archive=archive.path,
        runtimes=layer.runtimes,
        architectures=layer.architectures,
        license=first.license,
    )


def describe(
    about: str, dependency_hash: str, revision: str | None = None, *, libraries: Sequence[str] = ()
) -> str:
    """Return a version's description, at most 256 characters, with the hash by which it is found.

    Libraries are named as far as there is room.
    """
    commit = f" {REVISION_MARK}{revision}" if revision else ""
    end = f"{commit} {HASH_MARK}{dependency_hash}"
    text = about[:150]
    for library in libraries:
        if len(text) + len(library) + len(end) + 2 > DESCRIPTION_CHARACTERS:
            break
        text += f", {library}"
    return text + end
