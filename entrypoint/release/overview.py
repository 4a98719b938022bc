"""A project's layers, here and in AWS, side by side. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from entrypoint.errors import Diagnostic
from entrypoint.release.archive_contents import Inventory
from entrypoint.release.findings import Diagnosis
from entrypoint.release.status import Drift, RegionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """What two layers of one function both contain."""

    layers: tuple[str, str]
    #: By name, the version in each of the two.
    packages: Mapping[str, tuple[str, str]]
    #: Files with the same path; those of the later layer hide those of the earlier one.
    paths: tuple[str, ...]
    #: The functions, or entries of the manifest, that have both layers.
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything known about a project's layers at one time."""

    #: The name of the manifest's folder.
    project: str
    made: datetime
    #: What could not be read, and is missing here.
    missing: tuple[Diagnostic, ...]
    inventories: tuple[Inventory, ...]
    duplicates: tuple[Duplicate, ...]
    regions: tuple[RegionStatus, ...]
    diagnoses: tuple[Diagnosis, ...]

    @property
    def drift(self) -> tuple[tuple[str, Drift], ...]:
        """Where AWS differs from the manifest: the account and region, and the difference."""
        return tuple((str(region.destination), drift) for region in self.regions for drift in region.drift)


def duplicates(
    users: Iterable[tuple[str, Sequence[str]]], inventories: Mapping[str, Inventory]
) -> tuple[Duplicate, ...]:
    """Return what the layers of one function both contain; `users` are functions with their layers' names."""
    pairs: dict[tuple[str, str], list[str]] = {}
    for user, names in users:
        for pair in combinations([name for name in dict.fromkeys(names) if name in inventories], 2):
            pairs.setdefault(pair, []).append(user)
    return tuple(
        found
        for (first, second), functions in pairs.items()
        for found in _in_both(inventories[first], inventories[second], functions)
    )


def _in_both(first: Inventory, second: Inventory, functions: Sequence[str]) -> Iterator[Duplicate]:
    versions = [{each.name: each.version for each in side.contents} for side in (first, second)]
    packages = {
        name: (version, other)
        for name, version in sorted(versions[0].items())
        if version and (other := versions[1].get(name))
    }
    paths = tuple(sorted(first.paths & second.paths))
    if packages or paths:
        names = (first.layer, second.layer)
        yield Duplicate(layers=names, packages=packages, paths=paths, functions=tuple(functions))
