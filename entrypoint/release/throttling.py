"""Why functions are throttled, and what helps: metrics of the last week in, findings out. Pure.

How Lambda scales, and its limits: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html and
https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from entrypoint.aws.model import AccountLimits, EventSource, Series
from entrypoint.errors import Diagnostic
from entrypoint.limits import UNRESERVED_MINIMUM
from entrypoint.release.findings import info, warning
from entrypoint.release.memory import memory_advice

_NEAR = 0.7
"""The share of a limit from which there is a warning, as in AWS's example for claimed concurrency:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html"""
_FULL = 0.9
"""The share of a limit from which it is taken for the cause: peaks are per minute, not per moment."""
_RATE = 10
"""Requests per second for each concurrent execution."""
_SCALING = 1_000
"""New environments of a function in 10 seconds: below this peak, the scaling rate was not the limit."""
_SLOWER, _SLOW = 1.5, 1_000
"""How much slower, and milliseconds, from which something that the function calls is suspected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of a function in each hour of the week."""

    function: str
    throttles: Series
    #: The maximum that ran at once.
    concurrency: Series
    reserved: int | None = None
    #: Milliseconds, the average; calls in the busiest minute. Both are only read for throttled functions.
    duration: Series = field(default_factory=dict)
    calls: Series = field(default_factory=dict)
    #: Megabytes.
    memory: int = 0
    is_asynchronous: bool = False
    sources: tuple[EventSource, ...] = ()

    @property
    def throttled(self) -> int:
        """How many calls were throttled."""
        return round(sum(self.throttles.values()))

    @property
    def hours(self) -> tuple[datetime, ...]:
        """The hours with throttles."""
        return tuple(hour for hour, throttles in self.throttles.items() if throttles)

    @property
    def peak(self) -> int:
        """The most that ran at once, in the hours with throttles."""
        return round(max((self.concurrency.get(hour, 0.0) for hour in self.hours), default=0))

    @property
    def rate(self) -> float:
        """The most calls per second, of a minute in these hours."""
        return max((self.calls.get(hour, 0.0) for hour in self.hours), default=0) / 60

    @property
    def average_duration(self) -> float:
        """Milliseconds; 0 where it is not known."""
        return sum(self.duration.values()) / len(self.duration) if self.duration else 0


def room_of(account: AccountLimits) -> int:
    """Return how many concurrent executions can be reserved; new accounts have 10, and none for that."""
    return max(0, account.unreserved - min(UNRESERVED_MINIMUM, account.concurrency))


def hour_text(hour: datetime) -> str:
    """Return an hour for a message."""
    return f"{hour:%Y-%m-%d %H:00} UTC"


def worst(series: Series) -> tuple[datetime, float]:
    """Return the hour with the most, and its value."""
    return max(series.items(), key=lambda item: (item[1], item[0]))


def examine_account(account: AccountLimits) -> Iterator[Diagnostic]:
    """Yield the limits of an account, and which of them are near."""
    claimed = max(account.claimed.values(), default=0.0)
    used = f"{account.code_used / 1e9:.1f} of {account.code_limit / 1e9:.1f} GB of code storage"
    yield info(
        f"{account.concurrency:,} concurrent executions, {account.unreserved:,} of them unreserved; "
        f"at most {claimed:,.0f} claimed in the last week; {used}"
    )
    if claimed > _NEAR * account.concurrency:
        hour, _ = worst(account.claimed)
        share = claimed / account.concurrency
        message = (
            f"{claimed:,.0f} of {account.concurrency:,} concurrent executions were claimed ({share:.0%}), "
            f"at {hour_text(hour)}"
        )
        yield warning(message, "raise 'Concurrent executions' in Service Quotas, or reserve less")
    if account.code_used > _NEAR * account.code_limit:
        hint = "delete layer versions that nothing uses ('keep:', 'prune'), and old versions of functions"
        yield warning(f"{used} are used", hint)


def examine_loads(loads: Iterable[Load], account: AccountLimits | None) -> Iterator[Diagnostic]:
    """Yield what helps against the throttles of each function that had any, the worst first."""
    for load in sorted(loads, key=lambda load: (-load.throttled, load.function)):
        if load.throttled:
            hour, most = worst(load.throttles)
            when = (
                f"most at {hour_text(hour)} ({most:,.0f})" if load.throttled > 1 else f"at {hour_text(hour)}"
            )
            message = (
                f"{load.function} was throttled {_times(load.throttled)} in the last week, {when}, "
                f"with at most {load.peak:,} executions at once"
            )
            yield warning(message, "; ".join([_mitigation(load, account), *_reliefs(load)]))


def _mitigation(load: Load, account: AccountLimits | None) -> str:
    """Say what to do first, by the limit that was reached in the hours with throttles."""
    if load.reserved is not None:
        reached = _of_reservation(load, load.reserved, account)
    else:
        reached = _of_account(load, account) if account else ""
    if reached:
        return reached
    if account is None:
        return "check whether the account's concurrent executions were used up; if so, raise the quota"
    claimed = f"{_claimed(load, account):,.0f} of {account.concurrency:,} claimed"
    if load.peak >= _SCALING:
        return (
            f"the account had room ({claimed}), and the function may have grown faster than Lambda adds "
            "environments (1,000 in 10 s): keep some ready with 'concurrency: {provisioned: ...}'"
        )
    return (
        f"no limit was reached for a whole minute ({claimed}): bursts of a few seconds are likely, so have "
        "callers retry with backoff and jitter"
    )


def _of_reservation(load: Load, reserved: int, account: AccountLimits | None) -> str:
    if reserved == 0:
        return "it is switched off: its reserved concurrency is 0"
    if load.peak >= _FULL * reserved:
        return f"its reservation of {reserved:,} was used up: {_reserve_more(account)}"
    if load.rate >= _FULL * _RATE * reserved:
        return (
            f"its calls came at {load.rate:,.0f} per second, and its reservation of {reserved:,} allows "
            f"{_RATE * reserved:,} ({_RATE} for each execution): {_reserve_more(account)}"
        )
    return ""


def _of_account(load: Load, account: AccountLimits) -> str:
    claimed, limit = _claimed(load, account), account.concurrency
    if claimed >= _FULL * limit:
        return f"{claimed:,.0f} of the account's {limit:,} were claimed then: raise the quota" + _and_reserve(
            account
        )
    if load.rate >= _FULL * _RATE * limit:
        return (
            f"its calls came at {load.rate:,.0f} per second, and the account's {limit:,} executions allow "
            f"{_RATE * limit:,} ({_RATE} for each): raise the quota, or send several items in a call"
        )
    return ""


def _claimed(load: Load, account: AccountLimits) -> float:
    return max((account.claimed.get(hour, 0.0) for hour in load.hours), default=0.0)


def _reserve_more(account: AccountLimits | None) -> str:
    if account is None:
        return "raise 'concurrency: {reserved: ...}'"
    room = room_of(account)
    if not room:
        return "the account has nothing left to reserve, so raise its quota of concurrent executions first"
    return f"raise 'concurrency: {{reserved: ...}}' by up to {room:,}, which the account has left"


def _and_reserve(account: AccountLimits) -> str:
    room = room_of(account)
    if not room:
        return ""
    return f", and set 'concurrency: {{reserved: ...}}' for what must run (up to {room:,} can be reserved)"


def _reliefs(load: Load) -> Iterator[str]:
    queues = [source for source in load.sources if source.service == "sqs"]
    if load.is_asynchronous and not queues:
        yield "its asynchronous events are retried for up to 6 hours; an SQS queue in front smooths them"
    if load.reserved and any(source.maximum_concurrency is None for source in queues):
        most = max(2, load.reserved)
        yield f"set the maximum concurrency of its queue to {most:,}, so that messages wait in the queue"
    yield from _downstream(load)
    yield from memory_advice(load.memory, load.average_duration, load.peak)


def _downstream(load: Load) -> Iterator[str]:
    """Yield that calls took longer in these hours: what the function waits for may be the cause."""
    then = [load.duration[hour] for hour in load.hours if hour in load.duration]
    otherwise = [value for hour, value in load.duration.items() if hour not in load.hours]
    if then and otherwise:
        slow, usual = sum(then) / len(then), sum(otherwise) / len(otherwise)
        if slow >= _SLOW and slow >= _SLOWER * usual:
            yield (
                f"it took {slow / 1e3:.1f} s on average in these hours, {usual / 1e3:.1f} s otherwise: check "
                "what it waits for, such as a database or another API, before you raise limits"
            )


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
