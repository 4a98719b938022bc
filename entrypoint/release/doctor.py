"""Examines what the manifest's functions need in an account and region; changes nothing.

In: the client of AWS and the functions with their entries. Out: findings. What cannot be read is reported,
and the rest is examined.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from entrypoint.aws.model import EventSource, Function, Metric, Queue, Series
from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import FunctionEntry
from entrypoint.parallel import for_each
from entrypoint.release.events import Events, examine_events
from entrypoint.release.findings import info
from entrypoint.release.reading import Reading
from entrypoint.release.storage import read_bucket
from entrypoint.release.throttling import Load, examine_account, examine_loads
from entrypoint.release.vpcs import examine_vpcs

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_WEEK = timedelta(days=7)
_FUNCTIONS_AT_ONCE = 32
_QUEUES_AT_ONCE = 8
_OF_EACH = (
    *(("Throttles", "Sum"), ("ConcurrentExecutions", "Maximum"), ("IteratorAge", "Maximum")),
    *(("AsyncEventsReceived", "Sum"), ("AsyncEventsDropped", "Sum"), ("DeadLetterErrors", "Sum")),
    ("ProvisionedConcurrencySpilloverInvocations", "Sum"),
)
"""The metrics that are read of every function."""


def examine(
    aws: "Aws", layers: Sequence[str], selected: Sequence[tuple[FunctionEntry, Function]], now: datetime
) -> tuple[Diagnostic, ...]:
    """Return the findings about the bucket of layers, and about functions and their entries."""
    doctor = _Doctor(aws, now)
    findings = [
        *read_bucket(aws, doctor.reading, layers),
        *doctor.examine_vpcs(selected),
        *doctor.examine_load([function for _, function in selected]),
    ]
    return (*findings, *doctor.reading.refused)


class _Doctor:
    """Reads one account and region."""

    def __init__(self, aws: "Aws", now: datetime) -> None:
        self._aws = aws
        self._until = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        self._since = self._until - _WEEK
        self.reading = Reading()

    def examine_vpcs(self, selected: Sequence[tuple[FunctionEntry, Function]]) -> list[Diagnostic]:
        attached = [
            (vpc, function)
            for entry, function in selected
            if (vpc := function.vpc if entry.vpc is None else entry.vpc) and vpc.subnets
        ]
        wanted = {function.name: entry.concurrency for entry, function in selected}
        unknown = [each for _, each in attached if not wanted[each.name].changes_reservation]
        reserved = self._reserved(unknown)
        reserved |= {name: each.reserved for name, each in wanted.items() if each.changes_reservation}
        return examine_vpcs(self._aws, self.reading, attached, reserved)

    def examine_load(self, functions: Sequence[Function]) -> list[Diagnostic]:
        """Return what is found about concurrency and events."""
        (claimed,) = self._hourly([Metric("ClaimedAccountConcurrency", "Maximum")]) or ({},)
        limits = self.reading(self._aws.account.limits)
        account = replace(limits, claimed=claimed) if limits else None
        found = list(examine_account(account)) if account else []
        names = [function.name for function in functions]
        series = self._hourly([Metric(*kind, name) for name in names for kind in _OF_EACH])
        if not series:
            return found
        every = {
            name: dict(zip((metric for metric, _ in _OF_EACH), some, strict=True))
            for name, some in zip(names, _in_parts(series, len(_OF_EACH)), strict=True)
        }
        sources = self.reading(self._aws.event_sources.all) or {}
        throttled = {name for name in names if any(every[name]["Throttles"].values())}
        fed = [function for function in functions if function.name in throttled or sources.get(function.name)]
        reserved = self._reserved(fed)
        loads = [
            Load(
                function=function.name,
                throttles=every[function.name]["Throttles"],
                concurrency=every[function.name]["ConcurrentExecutions"],
                reserved=reserved.get(function.name),
                memory=function.memory,
                is_asynchronous=any(every[function.name]["AsyncEventsReceived"].values()),
                sources=sources.get(function.name, ()),
            )
            for function in functions
            if function.name in throttled
        ]
        found += examine_loads(self._closer(loads), account)
        queues = self._queues([source for name in names for source in sources.get(name, ())])
        for function in functions:
            mine = replace(
                self._events(function, every[function.name]),
                reserved=reserved.get(function.name),
                sources=sources.get(function.name, ()),
                queues=queues,
            )
            found += examine_events(mine)
        return found

    def _events(self, function: Function, metrics: Mapping[str, Series]) -> Events:
        received = metrics["AsyncEventsReceived"]
        return Events(
            function=function.name,
            timeout=function.timeout,
            iterator_age=metrics["IteratorAge"],
            received=received,
            dropped=metrics["AsyncEventsDropped"],
            dead_letter_errors=metrics["DeadLetterErrors"],
            spillover=metrics["ProvisionedConcurrencySpilloverInvocations"],
            keeps_failed=self._keeps_failed(function, received),
        )

    def _closer(self, loads: Sequence[Load]) -> list[Load]:
        """Read more metrics of the functions that were throttled, which should be few."""
        durations = self._hourly([Metric("Duration", "Average", load.function) for load in loads])
        calls = [Metric("Invocations", "Sum", load.function) for load in loads]
        minutes = (
            self.reading(lambda: self._aws.metrics.busiest_minutes(calls, self._since, self._until))
            if calls
            else ()
        )
        return [
            replace(
                load,
                duration=durations[position] if durations else {},
                calls=minutes[position] if minutes else {},
            )
            for position, load in enumerate(loads)
        ]

    def _queues(self, sources: Sequence[EventSource]) -> Mapping[str, Queue]:
        arns = sorted({source.arn for source in sources if source.service == "sqs"})
        found = for_each(
            arns,
            lambda arn: self.reading(partial(self._aws.event_sources.queue, arn), kind=info),
            at_once=_QUEUES_AT_ONCE,
        )
        return {arn: queue for arn, queue in zip(arns, found, strict=True) if queue}

    def _keeps_failed(self, function: Function, received: Series) -> bool | None:
        """Return whether failed asynchronous events are kept; only asked where there are events."""
        if not any(received.values()) or "DeadLetterConfig" in function.settings:
            return None
        return self.reading(partial(self._aws.event_sources.has_failure_destination, function.name))

    def _reserved(self, functions: Sequence[Function]) -> dict[str, int | None]:
        def read(function: Function) -> int | None:
            found = self.reading(lambda: self._aws.functions.described(function.name))
            return found[1] if found else None

        found = for_each(functions, read, at_once=_FUNCTIONS_AT_ONCE)
        return {function.name: reserved for function, reserved in zip(functions, found, strict=True)}

    def _hourly(self, wanted: Sequence[Metric]) -> tuple[Series, ...] | None:
        if not wanted:
            return ()
        return self.reading(lambda: self._aws.metrics.hourly(wanted, self._since, self._until))


def _in_parts(series: Sequence[Series], size: int) -> list[Sequence[Series]]:
    return [series[start : start + size] for start in range(0, len(series), size)]
