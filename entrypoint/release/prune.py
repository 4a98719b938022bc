"""Old layer versions -> deleted, where nothing needs them.

A version is kept while a function, or any published version of one (and so any alias), uses it; while it
is among the newest that the manifest keeps; while it is what the manifest and its locks describe; and for an
hour after it was published, as another run may be rolling it out. Use by other accounts is not visible: a
function keeps working when its layer version is deleted, but cannot be given that version again.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from entrypoint.aws.model import LayerVersion

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_YOUNG = timedelta(hours=1)


class Retention(NamedTuple):
    """How many of a layer's newest versions to keep, and the dependency hash to keep in any case."""

    layer: str
    keep: int
    dependency_hash: str


def prune(
    aws: "Aws",
    retention: Sequence[Retention],
    *,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC),
) -> tuple[str, ...]:
    """Delete what nothing needs, unless it is a `dry_run`; return it as NAME:VERSION."""
    if not retention:
        return ()
    versions = {each.layer: tuple(aws.layers.versions(each.layer)) for each in retention}
    in_use = aws.functions.layers_in_use()  # read last, so that what is used by then is kept
    deleted = []
    for layer, keep, dependency_hash in retention:
        others = [each for each in versions[layer][keep:] if each.dependency_hash != dependency_hash]
        for version in superfluous(others, in_use, now()):
            if not dry_run:
                aws.layers.delete(layer, version.version)
            deleted.append(f"{layer}:{version.version}")
    return tuple(deleted)


def superfluous(
    versions: Sequence[LayerVersion], in_use: frozenset[str], now: datetime
) -> tuple[LayerVersion, ...]:
    """Return the versions that are unused and older than an hour."""
    return tuple(
        version
        for version in versions
        if version.arn not in in_use and (version.created is None or now - version.created > _YOUNG)
    )
