"""Why functions are throttled, and what helps: metrics of the last week in, findings out. Pure.

How Lambda scales: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from entrypoint.aws.model import AccountLimits, Series
from entrypoint.errors import Diagnostic
from entrypoint.release.findings import info, warning

_NEAR = 0.7
"""The share of a limit from which there is a warning, as in AWS's example for claimed concurrency:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html"""
_FULL = 0.9
"""The share of a limit from which it is taken for the cause: peaks are per minute, not per moment."""
_LONG = 3_000
"""Milliseconds; a longer average than Lambda's default timeout is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of a function: `throttles` in each hour, and the maximum that ran at once."""

    function: str
    throttles: Series
    concurrency: Series
    reserved: int | None = None
    #: Milliseconds, the average of the week; 0 where it is not known.
    duration: float = 0
    #: Whether it had asynchronous events, or events from a stream.
    is_asynchronous: bool = False
    is_stream: bool = False

    @property
    def throttled(self) -> int:
        """How many calls were throttled."""
        return round(sum(self.throttles.values()))

    @property
    def peak(self) -> int:
        """The most that ran at once."""
        return round(max(self.concurrency.values(), default=0))


def examine_account(account: AccountLimits) -> Iterator[Diagnostic]:
    """Yield the limits of an account, and which of them are near."""
    claimed = max(account.claimed.values(), default=0.0)
    used = f"{account.code_used / 1e9:.1f} of {account.code_limit / 1e9:.1f} GB of code storage"
    yield info(
        f"{account.concurrency:,} concurrent executions, {account.unreserved:,} of them unreserved; "
        f"at most {claimed:,.0f} claimed in the last week; {used}"
    )
    if claimed > _NEAR * account.concurrency:
        share = claimed / account.concurrency
        message = (
            f"{claimed:,.0f} of {account.concurrency:,} concurrent executions were claimed ({share:.0%})"
        )
        yield warning(message, "raise 'Concurrent executions' in Service Quotas, or reserve less")
    if account.code_used > _NEAR * account.code_limit:
        hint = "delete layer versions that nothing uses ('keep:', 'prune'), and old versions of functions"
        yield warning(f"{used} are used", hint)


def examine_loads(loads: Iterable[Load], account: AccountLimits | None) -> Iterator[Diagnostic]:
    """Yield what helps against the throttles of each function that had any, the worst first."""
    for load in sorted(loads, key=lambda load: (-load.throttled, load.function)):
        if load.throttled:
            message = (
                f"{load.function} was throttled {_times(load.throttled)} in the last week, "
                f"with at most {load.peak:,} executions at once"
            )
            yield warning(message, "; ".join([_mitigation(load, account), *_reliefs(load)]))


def _mitigation(load: Load, account: AccountLimits | None) -> str:
    """Say what to do first, by the limit that was reached in the hours with throttles."""
    hours = [hour for hour, throttles in load.throttles.items() if throttles]
    peak = max((load.concurrency.get(hour, 0.0) for hour in hours), default=0.0)
    if load.reserved == 0:
        return "it is switched off: its reserved concurrency is 0"
    if load.reserved is not None and peak >= _FULL * load.reserved:
        room = f"; {account.unreserved:,} are unreserved" if account else ""
        return f"raise its 'concurrency: {{reserved: {load.reserved}}}', which was used up{room}"
    if account is None:
        return "check whether the account's concurrent executions were used up; if so, raise the quota"
    claimed = max((account.claimed.get(hour, 0.0) for hour in hours), default=0.0)
    if claimed >= _FULL * account.concurrency:
        return (
            f"{claimed:,.0f} of the account's {account.concurrency:,} were claimed then: raise the quota, "
            "and set 'concurrency: {reserved: ...}' so that other functions leave room"
        )
    return (
        f"the account had room ({claimed:,.0f} of {account.concurrency:,} claimed), so load came in bursts, "
        "faster than Lambda adds environments (1,000 in 10 s): keep some ready with "
        "'concurrency: {provisioned: ...}'"
    )


def _reliefs(load: Load) -> Iterator[str]:
    if load.is_asynchronous:
        yield "its asynchronous events are retried for up to 6 hours; an SQS queue in front smooths them"
    if load.is_stream:
        yield "its stream waits: check IteratorAge, and raise the parallelization factor"
    if load.duration >= _LONG:
        seconds = load.duration / 1_000
        yield f"it takes {seconds:.1f} s on average: half of that would need half the concurrency"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
