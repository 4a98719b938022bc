"""One pinned package: what an index is asked for, and what a lock consists of."""

from dataclasses import dataclass

from entrypoint.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A package at one version; `hashes` are "sha256:<hex>", empty where the lock has none."""

    name: str
    version: str
    hashes: frozenset[str] = frozenset()
    #: Build it from source: the manifest requires it, or no wheel was compatible when the lock was made.
    from_source: bool = False
    #: Its source is a folder of the repository, whose content is not part of the lock.
    is_folder: bool = False
    location: Location
    #: What requires it: package names and input files.
    via: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"
