"""Examines what the manifest's functions need in an account and region; changes nothing.

In: the client of AWS and the functions with their entries. Out: findings. What cannot be read is reported,
and the rest is examined.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from entrypoint.aws.model import Function, Metric, Series
from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import FunctionEntry
from entrypoint.parallel import for_each
from entrypoint.release.reading import Reading
from entrypoint.release.throttling import Load, examine_account, examine_loads
from entrypoint.release.vpcs import examine_vpcs

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_WEEK = timedelta(days=7)
_FUNCTIONS_AT_ONCE = 32


def examine(
    aws: "Aws", selected: Sequence[tuple[FunctionEntry, Function]], now: datetime
) -> tuple[Diagnostic, ...]:
    """Return the findings about functions and their entries."""
    doctor = _Doctor(aws, now)
    doctor.examine_vpcs(selected)
    doctor.examine_throttling([function for _, function in selected])
    return (*doctor.findings, *doctor.reading.refused)


class _Doctor:
    """Collects findings in one account and region."""

    def __init__(self, aws: "Aws", now: datetime) -> None:
        self._aws = aws
        self._now = now
        self.reading = Reading()
        self.findings: list[Diagnostic] = []

    def examine_vpcs(self, selected: Sequence[tuple[FunctionEntry, Function]]) -> None:
        attached = [
            (vpc, function)
            for entry, function in selected
            if (vpc := function.vpc if entry.vpc is None else entry.vpc) and vpc.subnets
        ]
        wanted = {function.name: entry.concurrency for entry, function in selected}
        unknown = [each for _, each in attached if not wanted[each.name].changes_reservation]
        reserved = self._reserved(unknown)
        reserved |= {name: each.reserved for name, each in wanted.items() if each.changes_reservation}
        self.findings += examine_vpcs(self._aws, self.reading, attached, reserved)

    def examine_throttling(self, functions: Sequence[Function]) -> None:
        (claimed,) = self._metrics([Metric("ClaimedAccountConcurrency", "Maximum")]) or ({},)
        limits = self.reading(self._aws.account.limits)
        account = replace(limits, claimed=claimed) if limits else None
        if account:
            self.findings += examine_account(account)
        names = [function.name for function in functions]
        series = self._metrics(
            [Metric("Throttles", "Sum", name) for name in names]
            + [Metric("ConcurrentExecutions", "Maximum", name) for name in names]
        )
        if not series:
            return
        both = zip(functions, series[: len(names)], series[len(names) :], strict=True)
        loads = [
            (function, Load(function=function.name, throttles=throttles, concurrency=concurrency))
            for function, throttles, concurrency in both
        ]
        self.findings += examine_loads(self._closer([each for each in loads if each[1].throttled]), account)

    def _closer(self, throttled: Sequence[tuple[Function, Load]]) -> list[Load]:
        """Read more metrics of the functions that were throttled, which should be few."""
        kinds = [("Duration", "Average"), ("AsyncEventsReceived", "Sum"), ("IteratorAge", "Maximum")]
        series = self._metrics([Metric(*kind, load.function) for _, load in throttled for kind in kinds])
        reserved = self._reserved([function for function, _ in throttled])
        loads = []
        for position, (_, load) in enumerate(throttled):
            start = position * len(kinds)
            duration, events, age = (series or [{}] * len(kinds) * len(throttled))[start : start + len(kinds)]
            loads.append(
                replace(
                    load,
                    reserved=reserved.get(load.function),
                    duration=sum(duration.values()) / len(duration) if duration else 0,
                    is_asynchronous=any(events.values()),
                    is_stream=bool(age),
                )
            )
        return loads

    def _reserved(self, functions: Sequence[Function]) -> dict[str, int | None]:
        def read(function: Function) -> int | None:
            found = self.reading(lambda: self._aws.functions.described(function.name))
            return found[1] if found else None

        found = for_each(functions, read, at_once=_FUNCTIONS_AT_ONCE)
        return {function.name: reserved for function, reserved in zip(functions, found, strict=True)}

    def _metrics(self, wanted: Sequence[Metric]) -> tuple[Series, ...] | None:
        until = self._now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return self.reading(lambda: self._aws.metrics.hourly(wanted, until - _WEEK, until)) if wanted else ()
