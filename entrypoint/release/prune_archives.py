"""Archives in S3 that no layer version refers to -> deleted, after the layer versions.

Only what this tool uploaded is deleted: objects named by a digest, in the folder of a layer, account and
region. They are kept for an hour after their upload, as another run may be publishing them. A function may
also use a layer version that was deleted elsewhere: the archive of that is not known, so all of the layer's
archives are kept.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from entrypoint.aws.model import LayerVersion, S3Object
from entrypoint.errors import AwsError
from entrypoint.manifest.arn import Arn, short_name
from entrypoint.parallel import for_each

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_YOUNG = timedelta(hours=1)
_AT_ONCE = 8


class PrunedArchives(NamedTuple):
    """The archives that were deleted, and what was kept, with the reason."""

    deleted: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def prune_archives(
    aws: "Aws",
    remaining: Mapping[str, Sequence[LayerVersion]],
    in_use: Collection[str],
    *,
    dry_run: bool,
    now: datetime,
) -> PrunedArchives:
    """Delete the archives of layers to which none of the layer's remaining versions refers."""
    if not aws.storage.is_referenced:
        return PrunedArchives()
    deleted: list[str] = []
    kept: list[str] = []
    for layer, versions in remaining.items():
        if lost := _deleted_elsewhere(aws.storage.account, layer, versions, in_use):
            kept.append(
                f"the archives of {layer} in S3, as functions use {', '.join(lost)}, which is deleted"
            )
            continue
        try:
            for archive in _superfluous(aws, layer, versions, now):
                if not dry_run:
                    aws.storage.delete(archive)
                deleted.append(str(archive))
        except AwsError as error:
            kept.append(f"archives of {layer} in S3: {error}")
    return PrunedArchives(tuple(deleted), tuple(kept))


def _superfluous(
    aws: "Aws", layer: str, versions: Sequence[LayerVersion], now: datetime
) -> Sequence[S3Object]:
    old = [archive for archive, uploaded in aws.storage.archives_of(layer) if now - uploaded > _YOUNG]
    if not old:
        return ()
    needed = for_each(versions, lambda version: aws.layers.stored(layer, version.version), at_once=_AT_ONCE)
    return [archive for archive in old if archive not in needed]


def _deleted_elsewhere(
    account: str, layer: str, versions: Sequence[LayerVersion], in_use: Collection[str]
) -> list[str]:
    """Return the versions of a layer that functions use and that do not exist, as NAME:VERSION."""
    existing = {version.arn for version in versions}
    used = (arn for arn in in_use if arn not in existing)
    return sorted(
        short_name(arn) for arn in used if (Arn.parse(arn).account, Arn.parse(arn).name) == (account, layer)
    )
