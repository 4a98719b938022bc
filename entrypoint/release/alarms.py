"""Functions and limits -> the CloudWatch alarms that AWS recommends for Lambda. Pure.

Which metrics, statistics and periods:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from entrypoint.aws.model import Alarm, Details, Function
from entrypoint.manifest.model import FunctionEntry

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_OLDEST_RECORD = 60_000.0
"""Milliseconds."""
_SHARE = 0.9
"""The share of a quota, a reservation or a timeout above which an alarm goes off."""


def alarms_to_put(
    aws: "Aws",
    selected: Iterable[tuple[FunctionEntry, Function]],
    details: Mapping[str, Details],
    region: str,
) -> tuple[Alarm, ...]:
    """Return the alarms of the manifest that are missing or different in AWS."""
    watched = [(entry, function) for entry, function in selected if entry.alarm_actions]
    if not watched:
        return ()
    limit = aws.account.limits().concurrency
    streamed = aws.functions.with_streams()
    everyone = {action for entry, _ in watched for action in _actions(entry, region)}
    wanted = [_of_account(limit, tuple(sorted(everyone)))]
    for entry, function in watched:
        found = details.get(function.name)
        reserved = entry.concurrency.reserved_after(found.reserved if found else None)
        most = limit if reserved is None else reserved
        actions = _actions(entry, region)
        wanted += _of_function(function, most, actions)
        wanted += [_of_stream(function, actions)] if function.name in streamed else []
    existing = aws.alarms.ours()
    return tuple(alarm for alarm in wanted if existing.get(alarm.name) != alarm)


def _of_account(limit: int, actions: tuple[str, ...]) -> Alarm:
    return Alarm(
        metric="ClaimedAccountConcurrency",
        statistic="Maximum",
        comparison="GreaterThanThreshold",
        threshold=_SHARE * limit,
        datapoints=10,
        missing="notBreaching",
        actions=actions,
    )


def _of_function(function: Function, most: int, actions: tuple[str, ...]) -> Iterator[Alarm]:
    name = function.name
    above, at_least = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
    for metric, statistic, comparison, threshold, datapoints in (
        ("Throttles", "Sum", at_least, 1.0, 5),
        ("ConcurrentExecutions", "Maximum", above, _SHARE * most, 10),
        ("Errors", "Sum", above, 0.0, 3),
        ("Duration", "p90", above, _SHARE * function.timeout * 1_000, 15),
    ):
        yield Alarm(
            metric=metric,
            function=name,
            statistic=statistic,
            comparison=comparison,
            threshold=threshold,
            datapoints=datapoints,
            actions=actions,
        )


def _of_stream(function: Function, actions: tuple[str, ...]) -> Alarm:
    """Return the alarm on a function that falls behind its stream; AWS recommends no threshold for it."""
    return Alarm(
        metric="IteratorAge",
        function=function.name,
        statistic="Maximum",
        comparison="GreaterThanThreshold",
        threshold=_OLDEST_RECORD,
        datapoints=10,
        actions=actions,
    )


def _actions(entry: FunctionEntry, region: str) -> tuple[str, ...]:
    return tuple(sorted(action.replace("{region}", region) for action in entry.alarm_actions))
