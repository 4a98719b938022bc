"""Accounts and regions in order: each stage begins only when the one before it has succeeded."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from entrypoint.aws.accounts import Failure, Results
from entrypoint.errors import RolloutError
from entrypoint.manifest.model import Destination
from entrypoint.release.plan import RegionPlan
from entrypoint.release.result import RegionResult
from entrypoint.release.rollout import not_begun

Work = Callable[[Iterable[Destination]], Results[RegionResult]]
"""Deploys to some destinations, all at once."""


def stages(
    order: Sequence[Sequence[str]], destinations: Sequence[Destination]
) -> Iterator[tuple[Destination, ...]]:
    """Yield the destinations of each stage; those that no stage lists are in the last."""
    left = list(destinations)
    for listed in order:
        stage = tuple(each for each in left if any(each.matches(text) for text in listed))
        left = [each for each in left if each not in stage]
        if stage:
            yield stage
    if left:
        yield tuple(left)


def in_order(
    order: Sequence[Sequence[str]],
    destinations: Sequence[Destination],
    plans: Collection[RegionPlan],
    work: Work,
) -> Results[RegionResult]:
    """Deploy stage by stage, and report the plans of later stages as not begun if one fails.

    A destination without a plan could not be read, and so has failed.
    """
    by_destination = {plan.destination: plan for plan in plans}
    values: list[RegionResult] = []
    failures: list[Failure] = []
    failed: list[Destination] = []
    for stage in stages(order, destinations):
        planned = [by_destination[each] for each in stage if each in by_destination]
        if failed:
            values += [_not_begun(plan, failed) for plan in planned]
            continue
        done = work(plan.destination for plan in planned)
        values += done.values
        failures += done.failures
        failed += [each for each in stage if each not in by_destination]
        failed += [each.destination for each in done.failures]
        failed += [each.destination for each in done.values if each.problems]
    return Results(values=tuple(values), failures=tuple(failures))


def _not_begun(plan: RegionPlan, failed: Sequence[Destination]) -> RegionResult:
    message = f"not begun, because {', '.join(map(str, failed))} failed"
    return RegionResult(
        destination=plan.destination,
        functions=tuple(not_begun(change) for change in plan.to_update),
        error=RolloutError.of(message, "fix that, and run again"),
    )
