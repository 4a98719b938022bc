"""The newest versions of layers of other accounts, for lambda-layers.lock.

Vendors usually share a layer with lambda:GetLayerVersion alone, so its versions cannot be listed: they are
found by asking for single numbers. Numbers only grow, and old versions may be deleted.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from entrypoint.aws.accounts import Accounts, Results
from entrypoint.errors import Diagnostic, PlanError
from entrypoint.manifest.layer_pins import OpenVersion, needed
from entrypoint.manifest.model import Destination

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_GAP = 5
"""How many deleted versions in a row do not hide newer ones."""
_LARGEST = 10_000
Pins = Mapping[str, int]


def pin_layers(
    accounts: Accounts, layers: tuple[OpenVersion, ...], current: Pins, *, upgrade: bool
) -> dict[str, int]:
    """Return the version of each layer in each region: that of `current` if it is allowed, else the newest.

    Raises:
        LayersError: AWS is unreachable, or a layer has no version that is shared with the account.
    """
    regions = tuple(dict.fromkeys(place.region for place in accounts.destinations))
    wanted = needed(layers, regions)
    kept = {arn: current[arn] for arn, layer in wanted.items() if current.get(arn, 0) >= layer.least}
    asked = {arn: layer for arn, layer in wanted.items() if upgrade or arn not in kept}
    places = _one_for_each_region(accounts, asked)

    def find(aws: "Aws") -> dict[str, int]:
        here = [arn for arn in asked if arn.split(":")[3] == aws.destination.region]
        found = {arn: _newest_of(aws, arn, max(asked[arn].least, kept.get(arn, 1))) for arn in here}
        if missing := [arn for arn, version in found.items() if version is None]:
            hint = "correct the ARN, or write the number of a version that is shared with this account"
            message = "{} has no version from {} on that this account may read"
            raise PlanError(
                *(
                    Diagnostic(message.format(arn, asked[arn].least), hint, asked[arn].location)
                    for arn in missing
                )
            )
        return {arn: version for arn, version in found.items() if version is not None}

    results: Results[dict[str, int]] = accounts.in_each(find, places)
    if results.failures:
        raise type(results.failures[0].error)(*results.diagnostics)
    return kept | {arn: version for found in results.values for arn, version in found.items()}


def _one_for_each_region(accounts: Accounts, asked: Mapping[str, OpenVersion]) -> tuple[Destination, ...]:
    regions = {arn.split(":")[3] for arn in asked}
    first = {place.region: place for place in reversed(accounts.destinations) if place.region in regions}
    return tuple(first.values())


def _newest_of(aws: "Aws", arn: str, start: int) -> int | None:
    def exists(version: int) -> bool:
        return aws.layers.described(f"{arn}:{version}") is not None

    return newest(exists, start)


def newest(exists: Callable[[int], bool], start: int) -> int | None:
    """Return the highest version from `start` on; None if there is none.

    Steps are doubled until a version does not exist, and then halved; `_GAP` numbers after it are tried too.
    """
    first = next((number for number in _attempts(start) if exists(number)), None)
    while first is not None:
        step = 1
        while exists(first + step):
            first, step = first + step, step * 2
        last = first + step
        while last - first > 1:
            middle = (first + last) // 2
            if exists(middle):
                first = middle
            else:
                last = middle
        after = next((first + more for more in range(2, _GAP + 2) if exists(first + more)), None)
        if after is None:
            return first
        first = after
    return None


def _attempts(start: int) -> Iterator[int]:
    """Yield where to look for a version that exists: the first numbers, then ever further apart."""
    yield from range(start, start + _GAP)
    number = start + _GAP
    while number < _LARGEST:
        yield number
        number += max(1, number // 10)
