"""Independent work at once, and one error for all that goes wrong with it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from entrypoint.errors import LayersError

_AT_ONCE = 4
_SECONDS_DEAF = 0.5
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def for_each(
    items: Sequence[_Item], work: Callable[[_Item], _Result], *, at_once: int = _AT_ONCE
) -> tuple[_Result, ...]:
    """Return the results in the order of the items; where several fail, one error tells all problems."""
    pool = ThreadPoolExecutor(at_once)
    try:
        futures = [pool.submit(work, item) for item in items]
        wait_for(futures)
        errors = [error for future in futures if isinstance(error := future.exception(), LayersError)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C nobody waits for a stalled network
    if errors:
        kind = _kind(errors[0])
        alike = [error for error in errors if isinstance(error, kind)]
        raise kind(*dict.fromkeys(problem for error in alike for problem in error.problems))
    return tuple(future.result() for future in futures)


def _kind(error: LayersError) -> type[LayersError]:
    """Return the branch of the tree of errors that it belongs to; what is below may need more to be made."""
    return next(kind for kind in type(error).__mro__ if LayersError in kind.__bases__)


def wait_for(futures: Iterable[Future[_Result]]) -> None:
    """Return when all have ended, however they did."""
    for _ in as_they_end(futures):
        pass


def as_they_end(futures: Iterable[Future[_Result]]) -> Iterator[Future[_Result]]:
    """Yield each future when it has ended, and hear Ctrl-C in between.

    A signal that arrives just before a wait without a limit begins is heard only after it:
    https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers
    """
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, timeout=_SECONDS_DEAF, return_when=FIRST_COMPLETED)
        yield from ended
