"""Which events functions lose or keep waiting: metrics and event sources in, findings out. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from entrypoint.aws.model import EventSource, Queue, Series
from entrypoint.errors import Diagnostic
from entrypoint.manifest.arn import Arn
from entrypoint.release.findings import error, info, warning
from entrypoint.release.throttling import hour_text, worst

_OLD = 60_000
"""Milliseconds; the threshold of the alarm on IteratorAge."""
_VISIBILITY = 6
"""AWS recommends a visibility timeout of at least six times the function's timeout."""
_MOST_FACTOR = 10
STREAMS = ("kinesis", "dynamodb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The events of a function in each hour of the week, where they come from, and where failed ones go."""

    function: str
    #: Seconds.
    timeout: int = 0
    reserved: int | None = None
    #: Milliseconds, the maximum.
    iterator_age: Series = field(default_factory=dict)
    received: Series = field(default_factory=dict)
    dropped: Series = field(default_factory=dict)
    dead_letter_errors: Series = field(default_factory=dict)
    spillover: Series = field(default_factory=dict)
    sources: tuple[EventSource, ...] = ()
    #: Where they could be read, by ARN.
    queues: Mapping[str, Queue] = field(default_factory=dict)
    #: Whether asynchronous events that keep failing are kept; None if that is not known.
    keeps_failed: bool | None = None


def examine_events(events: Events) -> Iterator[Diagnostic]:
    """Yield what is lost or waits, and settings that will lose something."""
    name = events.function
    for series, what, hint in (
        (events.dropped, "asynchronous events were dropped", _DROPPED),
        (events.dead_letter_errors, "events could not be sent to its dead-letter queue or topic", _DEAD),
        (events.spillover, "calls found no provisioned environment and started cold", _SPILLED),
    ):
        if total := round(sum(series.values())):
            hour, most = worst(series)
            message = f"{name}: {total:,} {what} in the last week, most at {hour_text(hour)} ({most:,.0f})"
            yield warning(message, hint)
    if any(events.received.values()) and events.keeps_failed is False:
        total = round(sum(events.received.values()))
        message = f"{name} had {total:,} asynchronous events in the last week, and does not keep failed ones"
        hint = "add a destination on failure or a dead-letter queue: after two retries they are lost"
        yield warning(message, hint)
    yield from _waiting(events)
    for source in events.sources:
        if source.service == "sqs":
            yield from _queue(source, events)
        elif source.service in STREAMS:
            yield from _stream(source, events)


_DROPPED = (
    "they were older than 6 hours, failed three times, or met reserved: 0: raise the concurrency, and add a "
    "destination on failure"
)
_DEAD = "check that it exists, and that the function's role may send to it"
_SPILLED = "raise 'concurrency: {provisioned: ...}', or scale it with Application Auto Scaling"


def _waiting(events: Events) -> Iterator[Diagnostic]:
    if not events.iterator_age:
        return
    hour, age = worst(events.iterator_age)
    if age > _OLD:
        message = (
            f"{events.function} is behind its stream: records waited {age / 1e3:,.0f} s at {hour_text(hour)}"
        )
        yield warning(message, "; ".join(_catching_up(events)) or "check its errors and its duration")


def _catching_up(events: Events) -> Iterator[str]:
    for source in events.sources:
        if source.service in STREAMS:
            where = _short(source)
            factor = source.parallelization_factor
            if factor < _MOST_FACTOR:
                yield f"raise the parallelization factor of {where} from {factor} to up to {_MOST_FACTOR}"
            yield f"try batches of more than {source.batch_size:,} records"


def _queue(source: EventSource, events: Events) -> Iterator[Diagnostic]:
    name, where = events.function, _short(source)
    most = source.maximum_concurrency
    if most is not None and events.reserved is not None and most > events.reserved:
        message = f"{name}: {where} may use {most:,} executions, and {events.reserved:,} are reserved"
        hint = "lower the queue's maximum concurrency: messages that are throttled count as received"
        yield warning(message, hint)
    queue = events.queues.get(source.arn)
    if queue is None:
        return
    needed = _VISIBILITY * events.timeout + source.batching_window
    if queue.visibility_timeout < events.timeout:
        message = (
            f"{name}: {where} hides messages for {queue.visibility_timeout} s, less than the timeout of "
            f"{events.timeout} s"
        )
        yield error(message, f"set its visibility timeout to {needed} s, or messages are processed twice")
    elif queue.visibility_timeout < needed:
        message = (
            f"{name}: {where} hides messages for {queue.visibility_timeout} s; {needed} s are recommended"
        )
        yield warning(message, f"six times the timeout of {events.timeout} s, for retries after throttles")
    if not queue.has_dead_letters:
        message = f"{name}: {where} has no dead-letter queue"
        yield info(message, "add one: messages that always fail are retried until they expire")


def _stream(source: EventSource, events: Events) -> Iterator[Diagnostic]:
    name, where = events.function, _short(source)
    if not source.is_enabled:
        yield warning(f"{name}: {where} is disabled", "enable it, or delete the mapping")
        return
    endless = source.maximum_retries < 0 and source.maximum_age < 0
    if endless and not source.bisects:
        message = f"{name}: a record of {where} that always fails blocks its shard until it expires"
        hint = "limit the retries or the age of records, split batches on errors, and add a destination"
        yield warning(message, hint)
    elif not source.has_failure_destination:
        message = f"{name}: failed records of {where} are lost, as there is no destination on failure"
        yield warning(message, "add an SQS queue, an SNS topic or an S3 bucket as destination")


def _short(source: EventSource) -> str:
    kind = {"sqs": "the queue", "kinesis": "the stream", "dynamodb": "the stream of"}[source.service]
    return f"{kind} {Arn.parse(source.arn).resource.partition('/stream/')[0].rpartition('/')[2]}"
