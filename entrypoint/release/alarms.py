"""Functions and limits -> the CloudWatch alarms that AWS recommends for Lambda. Pure.

Which metrics, statistics and periods:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from entrypoint.aws.alarm_model import Alarm, AlarmChange, ExistingAlarm, differences
from entrypoint.aws.model import Details, Function
from entrypoint.manifest.arn import Arn
from entrypoint.manifest.model import FunctionEntry
from entrypoint.manifest.targets import AwsLayer

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_OLDEST_RECORD = 60_000.0
"""Milliseconds."""
_SHARE = 0.9
"""The share of a quota, a reservation or a timeout above which an alarm goes off."""


def alarms_to_put(
    aws: "Aws",
    selected: Sequence[tuple[FunctionEntry, Function]],
    details: Mapping[str, Details],
    layers: Sequence[AwsLayer],
) -> tuple[AlarmChange, ...]:
    """Return the alarms of the manifest that are missing or different in AWS."""
    wanted = _wanted(aws, selected, details, layers)
    existing = aws.alarms.ours() if wanted else {}
    changes = []
    for alarm in wanted:
        found = existing.get(alarm.name)
        shared = _shared(alarm, found) if found and alarm.function is None else alarm
        differ = tuple(differences(shared, found)) if found else ()
        if differ or not found:
            changes.append(AlarmChange(shared, differ))
    return tuple(changes)


def unwanted_alarms(
    aws: "Aws",
    selected: Sequence[tuple[FunctionEntry, Function]],
    details: Mapping[str, Details],
    layers: Sequence[AwsLayer],
) -> tuple[str, ...]:
    """Return the alarms of functions that the manifest created and no longer leads to.

    Those of other manifests have other layers in their description. The alarm of the account is for all.
    """
    own = {layer.name for layer in layers}
    wanted = {alarm.name for alarm in _wanted(aws, selected, details, layers)}
    return tuple(
        name
        for name, found in sorted(aws.alarms.ours().items())
        if name not in wanted and own & found.layers and found.settings.get("Dimensions")
    )


def _shared(alarm: Alarm, found: ExistingAlarm) -> Alarm:
    """Keep what other manifests in the account and region notify: each of them adds its own actions."""
    actions, ok_actions = found.actions
    return replace(
        alarm,
        actions=tuple(sorted(actions.union(alarm.actions))),
        ok_actions=tuple(sorted(ok_actions.union(alarm.ok_actions))),
    )


def _wanted(
    aws: "Aws",
    selected: Sequence[tuple[FunctionEntry, Function]],
    details: Mapping[str, Details],
    layers: Sequence[AwsLayer],
) -> list[Alarm]:
    watched = [(entry, function) for entry, function in selected if entry.alarm_actions]
    if not watched:
        return []
    limit = aws.account.limits().concurrency
    streamed = aws.functions.with_streams()
    actions = {action for entry, function in watched for action in _filled(entry.alarm_actions, function)}
    recovered = {action for entry, function in watched for action in _filled(entry.ok_actions, function)}
    wanted = [replace(_of_account(limit), actions=_sorted(actions), ok_actions=_sorted(recovered))]
    for entry, function in watched:
        found = details.get(function.name)
        reserved = entry.concurrency.reserved_after(found.reserved if found else None)
        of_function = [
            *_of_function(function, limit if reserved is None else reserved),
            *([_of_stream(function)] if function.name in streamed else []),
            *([_of_spillover(function)] if entry.concurrency.provisioned else []),
            *(_of_lost_events(function) if "DeadLetterConfig" in function.settings else []),
        ]
        notified = _sorted(_filled(entry.alarm_actions, function))
        told = _sorted(_filled(entry.ok_actions, function))
        wanted += [replace(each, actions=notified, ok_actions=told) for each in of_function]
    names = tuple(layer.name for layer in layers)
    return [replace(each, layers=names) for each in wanted]


def _of_account(limit: int) -> Alarm:
    return Alarm(
        metric="ClaimedAccountConcurrency",
        statistic="Maximum",
        comparison="GreaterThanThreshold",
        threshold=_SHARE * limit,
        datapoints=10,
        missing="notBreaching",
        actions=(),
    )


def _of_function(function: Function, most: int) -> Iterator[Alarm]:
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
            actions=(),
        )


def _of_stream(function: Function) -> Alarm:
    """Return the alarm on a function that falls behind its stream; AWS recommends no threshold for it."""
    return Alarm(
        metric="IteratorAge",
        function=function.name,
        statistic="Maximum",
        comparison="GreaterThanThreshold",
        threshold=_OLDEST_RECORD,
        datapoints=10,
        actions=(),
    )


def _of_spillover(function: Function) -> Alarm:
    """Return the alarm on calls that found no provisioned environment."""
    return Alarm(
        metric="ProvisionedConcurrencySpilloverInvocations",
        function=function.name,
        statistic="Sum",
        comparison="GreaterThanThreshold",
        threshold=0.0,
        datapoints=5,
        missing="notBreaching",
        actions=(),
    )


def _of_lost_events(function: Function) -> Iterator[Alarm]:
    """Yield the alarms on asynchronous events that are lost, for functions with a dead-letter queue."""
    for metric in ("AsyncEventsDropped", "DeadLetterErrors"):
        yield Alarm(
            metric=metric,
            function=function.name,
            statistic="Sum",
            comparison="GreaterThanThreshold",
            threshold=0.0,
            datapoints=1,
            missing="notBreaching",
            actions=(),
        )


def _filled(actions: Iterable[str], function: Function) -> set[str]:
    arn = Arn.parse(function.arn)
    return {action.replace("{region}", arn.region).replace("{account}", arn.account) for action in actions}


def _sorted(actions: set[str]) -> tuple[str, ...]:
    return tuple(sorted(actions))
