"""Built archives -> layer versions.

PublishLayerVersion makes a new version at every call and has no client token, so a call whose answer
was lost is settled by looking for our dependency hash before another one is made.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from entrypoint.aws.model import ChangesLambda, LayerVersion, UnclearAnswerError
from entrypoint.errors import AwsError
from entrypoint.layer.describe import BuiltArchive
from entrypoint.release.plan import LayerChange
from entrypoint.release.state import read_layer

_ATTEMPTS = 4


def publish(
    aws: ChangesLambda,
    change: LayerChange,
    archive: BuiltArchive,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> LayerChange:
    """Publish the archive; return the change with its version.

    It is published though the latest version may hold the same bytes: AWS has to carry the new hash, or each
    later run would build again, to find the same again.

    Raises:
        AwsError: where AWS keeps giving no clear answer, or refuses.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return replace(change, version=_settled(aws, change, _publish(aws, change, archive)))
        except UnclearAnswerError:
            sleep(2.0**attempt)  # for AWS to get well, and for what was published to be listed
            found = read_layer(aws, change.layer.name, change.dependency_hash).current
            if found:
                return replace(change, version=found)
    message = f"AWS gave no clear answer when {change.layer.name} was published, {_ATTEMPTS} times"
    raise AwsError.of(message, "run again: what did get published will be found and used")


def _settled(aws: ChangesLambda, change: LayerChange, published: LayerVersion) -> LayerVersion:
    """Return the lowest version with this hash: two runs at once both publish, and have to agree on one."""
    found = read_layer(aws, change.layer.name, change.dependency_hash).current
    return found if found and found.version < published.version else published


def _publish(aws: ChangesLambda, change: LayerChange, archive: BuiltArchive) -> LayerVersion:
    layer = change.layer
    first = layer.targets[0].layer
    about = (
        first.description or f"{first.name} for {', '.join(str(target.platform) for target in layer.targets)}"
    )
    return aws.publish_layer_version(
        name=layer.name,
        description=describe(about, change.dependency_hash),
        archive=archive.path,
        runtimes=layer.runtimes,
        architectures=layer.architectures,
        license=first.license,
    )


def describe(about: str, dependency_hash: str) -> str:
    """Return a version's description, at most 256 characters, with the hash that finds it again."""
    return f"{about[:150]} deps:sha256:{dependency_hash}"
