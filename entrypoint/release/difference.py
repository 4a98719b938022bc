"""The differences between two states of a layer, package by package. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from packaging.version import InvalidVersion, Version

Sizes = Callable[[str], int | None]
"""Returns a package's zipped bytes without bytecode; None where they are unknown."""


class ChangeKind(StrEnum):
    """What happened to a package."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of a package; `size` is in bytes, zipped, None where it is unknown."""

    version: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package before and after; None where it is not in that state."""

    name: str
    before: Package | None
    after: Package | None

    @property
    def kind(self) -> ChangeKind:
        """What happened to it."""
        if self.before is None:
            return ChangeKind.ADDED
        if self.after is None:
            return ChangeKind.REMOVED
        return (
            ChangeKind.UPGRADED
            if _is_newer(self.after.version, self.before.version)
            else ChangeKind.DOWNGRADED
        )

    @property
    def growth(self) -> int | None:
        """By how many zipped bytes the layer grows; None where a size is unknown."""
        sizes = [side.size if side else 0 for side in (self.before, self.after)]
        return None if sizes[0] is None or sizes[1] is None else sizes[1] - sizes[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A target's packages in one state: versions by canonical name."""

    #: Where they were read from, for people.
    origin: str
    versions: Mapping[str, str]
    sizes: Sizes
    #: A remark, such as that there is no lock.
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a target changes between two states."""

    target: str
    before: str
    after: str
    changes: tuple[PackageChange, ...]
    notes: tuple[str, ...] = ()

    @property
    def growth(self) -> int | None:
        """By how many zipped bytes the layer grows; None where a size is unknown."""
        grown = [change.growth for change in self.changes]
        known = [number for number in grown if number is not None]
        return sum(known) if len(known) == len(grown) else None


def compare(target: str, before: Side, after: Side) -> Difference:
    """Compare two states of a target; only the sizes of changed packages are read."""
    changed = [
        name
        for name in sorted(before.versions.keys() | after.versions.keys())
        if not _same(before.versions.get(name), after.versions.get(name))
    ]
    return Difference(
        target=target,
        before=before.origin,
        after=after.origin,
        changes=tuple(
            PackageChange(name=name, before=_package(name, before), after=_package(name, after))
            for name in changed
        ),
        notes=tuple(side.note for side in (before, after) if side.note),
    )


def _package(name: str, side: Side) -> Package | None:
    version = side.versions.get(name)
    return None if version is None else Package(version=version, size=side.sizes(name))


def _same(before: str | None, after: str | None) -> bool:
    if before is None or after is None or before == after:
        return before == after
    try:
        return Version(before) == Version(after)
    except InvalidVersion:
        return False


def _is_newer(version: str, other: str) -> bool:
    """Compare versions; in layers of other tools some may not be PEP 440 versions, and rank lowest."""
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return True
