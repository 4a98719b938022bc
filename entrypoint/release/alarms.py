"""Functions and limits -> the CloudWatch alarms that AWS recommends for Lambda. Pure.

Which metrics, statistics and periods:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from entrypoint.aws.model import Details, Function
from entrypoint.manifest.model import FunctionEntry
from entrypoint.release.throttling import Account

PREFIX = "lambda-layers-"
"""What the names of our alarms begin with."""
_OLDEST_RECORD = 60_000.0
"""Milliseconds."""
_SHARE = 0.9
"""The share of a limit above which an alarm goes off: of a quota, a reservation, or a timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm on a metric of Lambda, of one function or of the whole account and region."""

    metric: str
    function: str | None = None
    #: Such as Sum or p90.
    statistic: str
    comparison: str
    threshold: float
    #: How many minutes in a row.
    datapoints: int
    missing: str = "missing"
    #: The ARNs of what is told; sorted, as their order means nothing.
    actions: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name in CloudWatch."""
        return "-".join(filter(None, (PREFIX.removesuffix("-"), self.function, self.metric)))


class Watches(Protocol):
    """The calls about alarms."""

    def account(self) -> Account:
        """Return the limits of the account and region."""

    def standing_alarms(self) -> Mapping[str, Alarm | None]:
        """Return our alarms by name; None for one that is of another form than ours."""

    def streamed(self) -> frozenset[str]:
        """Return the names of the functions that a stream feeds."""

    def put_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Create alarms, or make them what they are to be."""


def alarms_to_put(
    aws: Watches,
    selected: Iterable[tuple[FunctionEntry, Function]],
    details: Mapping[str, Details],
    region: str,
) -> tuple[Alarm, ...]:
    """Return the alarms that the manifest asks for and that do not stand as they should."""
    watched = [(entry, function) for entry, function in selected if entry.alarm_actions]
    if not watched:
        return ()
    limit = aws.account().concurrency
    streamed = aws.streamed()
    everyone = {action for entry, _ in watched for action in _actions(entry, region)}
    wanted = [_of_account(limit, tuple(sorted(everyone)))]
    for entry, function in watched:
        reserved = entry.concurrency.reserved
        if reserved is None and function.name in details:
            reserved = details[function.name].reserved
        most = limit if reserved is None else reserved
        actions = _actions(entry, region)
        wanted += _of_function(function, most, actions)
        wanted += [_of_stream(function, actions)] if function.name in streamed else []
    standing = aws.standing_alarms()
    return tuple(alarm for alarm in wanted if standing.get(alarm.name) != alarm)


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
    """A function that falls behind its stream; AWS recommends no threshold, so this one is ours."""
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
