"""What AWS would refuse of a plan, by the rules of `doctor`: its bucket, VPCs and concurrency."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from entrypoint.aws.model import AccountLimits
from entrypoint.errors import Diagnostic, PlanError, Severity
from entrypoint.limits import UNRESERVED_MINIMUM
from entrypoint.release.findings import named
from entrypoint.release.function_change import Aspect, FunctionChange
from entrypoint.release.plan import RegionPlan
from entrypoint.release.reading import Reading
from entrypoint.release.storage import read_bucket
from entrypoint.release.vpcs import foresee_vpcs

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws


def foresee(aws: "Aws", plan: RegionPlan) -> RegionPlan:
    """Return the plan with warnings about its bucket, and the VPCs and the concurrency that it changes.

    Raises:
        PlanError: AWS would refuse them.
    """
    changed = [(change, change.aspects(plan.versions)) for change in plan.to_update]
    attached = [change for change, aspects in changed if Aspect.VPC in aspects and change.vpc]
    reading = Reading()
    inside = [(change.vpc, change.function) for change in attached if change.vpc and change.vpc.subnets]
    inside = [] if aws.is_local else inside
    found = [each._replace(rule=None) for each in foresee_vpcs(aws, reading, inside)]
    locations = {change.location for change in attached}
    if len(locations) == 1:
        found = [each._replace(location=next(iter(locations))) for each in found]
    if published := [change.layer.name for change in plan.to_publish]:
        found += [each._replace(rule=None) for each in read_bucket(aws, reading, published)]
    found += _concurrency(aws, reading, [each for each, aspects in changed if _CONCURRENCY & set(aspects)])
    errors = [each for each in found if each.severity is Severity.ERROR]
    if errors:
        raise PlanError(*errors)
    warnings = [each for each in (*found, *reading.refused) if each.severity is Severity.WARNING]
    return replace(plan, warnings=(*plan.warnings, *warnings))


_CONCURRENCY = {Aspect.RESERVED, Aspect.PROVISIONED}


def _concurrency(aws: "Aws", reading: Reading, changes: Sequence[FunctionChange]) -> Iterator[Diagnostic]:
    if not changes:
        return
    lowered = [change for change in changes if change.reserved_after is not None]
    for change in lowered:
        found = reading(partial(aws.concurrency.all_provisioned, change.function.name))
        yield from over_reservation(change, found or {})
    if limits := reading(aws.account.limits):
        yield from over_account(changes, limits)


def over_reservation(change: FunctionChange, current: Mapping[str, int]) -> Iterator[Diagnostic]:
    """Yield a function whose provisioned concurrency exceeds its reservation, where AWS has `current`."""
    wanted = change.concurrency.provisioned
    after = {**current, **({} if wanted is None else dict.fromkeys(change.aliases, wanted))}
    total, reserved = sum(after.values()), change.reserved_after
    if reserved is not None and total > reserved:
        parts = named(tuple(f"{name}: {number}" for name, number in sorted(after.items()) if number))
        message = (
            f"{change.function.name} would have {total} provisioned concurrent executions ({parts}), "
            f"and {reserved} reserved ones"
        )
        hint = f"reserve at least {total}, or provision less; 'provisioned: none' removes all of an entry's"
        yield Diagnostic(message, hint, change.location)


def over_account(changes: Sequence[FunctionChange], limits: AccountLimits) -> Iterator[Diagnostic]:
    """Yield that changes take more than the account has left; others take from it at the same time."""
    taken = {change.function.name: _taken(change) for change in changes}
    demand = sum(taken.values())
    least = min(UNRESERVED_MINIMUM, limits.concurrency)
    room = max(0, limits.unreserved - least)
    if demand > room:
        most = sorted((name for name in taken if taken[name] > 0), key=lambda name: (-taken[name], name))
        who = named(tuple(f"{name}: {taken[name]:,}" for name in most))
        message = (
            f"{demand:,} more concurrent executions would be reserved or provisioned ({who}), and only "
            f"{room:,} can be: {limits.unreserved:,} of the account's {limits.concurrency:,} are unreserved, "
            f"and {least:,} must stay so"
        )
        locations = {change.location for change in changes}
        location = next(iter(locations)) if len(locations) == 1 else None
        hint = "reserve less, or raise 'Concurrent executions' in Service Quotas"
        yield Diagnostic(message, hint, location)


def _taken(change: FunctionChange) -> int:
    """Return how much of the account's unreserved concurrency a change takes; less than 0 if it gives."""
    before, after = change.details.reserved if change.details else None, change.reserved_after
    taken = (after or 0) - (before or 0)
    if after is None and change.concurrency.provisioned and change.details:
        has = change.details.provisioned
        wanted = change.concurrency.provisioned
        taken += sum(max(0, wanted - has.get(alias, 0)) for alias in change.aliases)
    return taken
