"""Independent work in threads, with one error for all failures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from entrypoint.errors import LayersError

_THREADS = 4
_SIGNAL_INTERVAL = 0.5
"""Seconds after which a wait is interrupted to handle signals."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def for_each(
    items: Sequence[_Item], work: Callable[[_Item], _Result], *, at_once: int = _THREADS
) -> tuple[_Result, ...]:
    """Return the results of `work` in the order of the items.

    Raises:
        LayersError: of the type of the first failure, with all diagnostics of that type.
    """
    pool = ThreadPoolExecutor(at_once)
    try:
        futures = [pool.submit(work, item) for item in items]
        wait_for(futures)
        errors = [error for future in futures if isinstance(error := future.exception(), LayersError)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C, do not wait for the network
    if errors:
        kind = _kind(errors[0])
        same = [error for error in errors if isinstance(error, kind)]
        raise kind(*dict.fromkeys(problem for error in same for problem in error.problems))
    return tuple(future.result() for future in futures)


def _kind(error: LayersError) -> type[LayersError]:
    """Return the direct subclass of LayersError; classes below it may have other constructors."""
    return next(kind for kind in type(error).__mro__ if LayersError in kind.__bases__)


def wait_for(futures: Iterable[Future[_Result]]) -> None:
    """Wait until all futures are done, successful or not."""
    for _ in as_they_end(futures):
        pass


def as_they_end(futures: Iterable[Future[_Result]]) -> Iterator[Future[_Result]]:
    """Yield each future when it is done, and handle Ctrl-C in between.

    Python handles a signal that arrives just before a wait only after the wait, so waits have a limit:
    https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers
    """
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_SIGNAL_INTERVAL, return_when=FIRST_COMPLETED)
        yield from done
