"""Old layer versions -> gone, where nobody needs them.

A version stays when a function, or any published version of one (and so any alias), has it; when it is
among the newest that the manifest keeps; when it is what the manifest asks for; and while it is young, as
another run may just be rolling it out. What other accounts use cannot be seen from here: a function keeps
working when its layer version is deleted, but can no longer be given that version anew.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from entrypoint.aws.model import ChangesLambda, LayerVersion

_YOUNG = timedelta(hours=1)


def prune(
    aws: ChangesLambda,
    keep: Mapping[str, int],
    hashes: Mapping[str, str],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC),
) -> tuple[str, ...]:
    """Delete what is not needed; return it as name:version.

    Args:
        aws: one account and region.
        keep: how many of its newest versions each layer keeps whoever uses them.
        hashes: what the manifest asks for, as dependency hashes by layer.
        now: the time.
    """
    if not keep:
        return ()
    versions = {name: tuple(aws.layer_versions(name)) for name in keep}
    in_use = aws.layers_in_use()  # read last: what is used by then stays
    deleted = []
    for name, number in keep.items():
        others = [each for each in versions[name][number:] if each.dependency_hash != hashes[name]]
        for version in superfluous(others, in_use, now()):
            aws.delete_layer_version(name, version.version)
            deleted.append(f"{name}:{version.version}")
    return tuple(deleted)


def superfluous(
    versions: Sequence[LayerVersion], in_use: frozenset[str], now: datetime
) -> tuple[LayerVersion, ...]:
    """Return those of these versions that nobody has and that are not young."""
    return tuple(
        version
        for version in versions
        if version.arn not in in_use and (version.created is None or now - version.created > _YOUNG)
    )
