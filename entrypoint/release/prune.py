"""Old layer versions -> deleted, where nothing needs them; then the archives in S3 that they referred to.

A version is kept while a function, or any published version of one (and so any alias), uses it; while it
is among the newest that the manifest keeps; while it is what the manifest and its locks describe; and for an
hour after it was published, as another run may be rolling it out. Use by other accounts is not visible: a
function keeps working when its layer version is deleted, but cannot be given that version again. So a version
that is shared is kept and reported; it can be deleted once its grants are removed.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from entrypoint.aws.model import LayerVersion
from entrypoint.figures import count
from entrypoint.release.prune_archives import prune_archives

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_YOUNG = timedelta(hours=1)


class Retention(NamedTuple):
    """How many of a layer's newest versions to keep, and the dependency hash to keep in any case."""

    layer: str
    keep: int
    dependency_hash: str


class Pruned(NamedTuple):
    """What was deleted, as NAME:VERSION, and what was kept although nothing in this account uses it."""

    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    #: The URLs of the archives in S3 that were deleted.
    archives: tuple[str, ...] = ()


def prune(
    aws: "Aws",
    retention: Sequence[Retention],
    *,
    dry_run: bool = False,
    without: Collection[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC),
) -> Pruned:
    """Delete what nothing needs, unless it is a `dry_run`; function versions in `without` need nothing."""
    if not retention:
        return Pruned()
    versions = {each.layer: tuple(aws.layers.versions(each.layer)) for each in retention}
    in_use = aws.functions.layers_in_use(without=without)  # read last, so that what is used by then is kept
    deleted, kept, young = [], [], 0
    remaining = dict(versions)
    when = now()
    for layer, keep, dependency_hash in retention:
        others = [each for each in versions[layer][keep:] if each.dependency_hash != dependency_hash]
        old = superfluous(others, in_use, when)
        young += sum(each.arn not in in_use and each not in old for each in others)
        for version in old:
            name = f"{layer}:{version.version}"
            if grants := aws.layers.grants(layer, version.version):
                kept.append(f"{name} is shared with {', '.join(sorted(map(str, grants)))}")
                continue
            if not dry_run:
                aws.layers.delete(layer, version.version)
            deleted.append(name)
            remaining[layer] = tuple(each for each in remaining[layer] if each is not version)
    archives = prune_archives(aws, remaining, in_use, dry_run=dry_run, now=when)
    if young:
        kept.append(f"{count(young, 'version')} less than an hour old, as another run may be using them")
    return Pruned(tuple(deleted), (*kept, *archives.kept), archives.deleted)


def superfluous(
    versions: Sequence[LayerVersion], in_use: frozenset[str], now: datetime
) -> tuple[LayerVersion, ...]:
    """Return the versions that are unused and older than an hour."""
    return tuple(
        version
        for version in versions
        if version.arn not in in_use and (version.created is None or now - version.created > _YOUNG)
    )
