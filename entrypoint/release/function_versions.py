"""Old published versions of functions -> deleted: each one keeps its layer versions from being deleted.

Only versions that this tool published are deleted, never the newest ones that the manifest keeps, one that an
alias uses, or one that has provisioned concurrency. Callers that use a version's number cannot be seen.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from entrypoint.aws.model import ConflictError, Function
from entrypoint.manifest.model import FunctionEntry
from entrypoint.parallel import for_each

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_AT_ONCE = 8


class VersionRetention(NamedTuple):
    """How many of the versions to keep that this tool published of a function."""

    function: str
    keep: int


def version_retention(
    selected: Iterable[tuple[FunctionEntry, Function]],
) -> tuple[VersionRetention, ...]:
    """Return the functions whose entries do not keep all versions."""
    return tuple(
        VersionRetention(function.name, entry.keep_versions)
        for entry, function in selected
        if entry.keep_versions is not None
    )


def prune_versions(
    aws: "Aws", retention: tuple[VersionRetention, ...], *, dry_run: bool = False
) -> tuple[str, ...]:
    """Delete what nothing needs, unless it is a `dry_run`; return it as NAME:VERSION."""

    def prune(each: VersionRetention) -> tuple[str, ...]:
        return tuple(_pruned(aws, each, dry_run=dry_run))

    return tuple(name for names in for_each(retention, prune, at_once=_AT_ONCE) for name in names)


def _pruned(aws: "Aws", retention: VersionRetention, *, dry_run: bool) -> Iterator[str]:
    name = retention.function
    ours = [version for version in aws.functions.versions(name) if version.is_ours]
    old = sorted(ours, key=lambda version: int(version.version), reverse=True)[retention.keep :]
    if not old:
        return
    needed = aws.aliases.versions_in_use(name) | aws.concurrency.all_provisioned(name).keys()
    for version in old:
        if version.version in needed:
            continue
        try:
            if not dry_run:
                aws.functions.delete_version(name, version.version)
        except ConflictError:  # an alias was moved to it in the meantime
            continue
        yield f"{name}:{version.version}"
