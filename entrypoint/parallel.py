"""Independent work at once, and one error for all that goes wrong with it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from entrypoint.errors import LayersError

_AT_ONCE = 4
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def for_each(items: Sequence[_Item], work: Callable[[_Item], _Result]) -> tuple[_Result, ...]:
    """Return the results in the order of the items; where several fail, one error tells all problems."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        futures = [pool.submit(work, item) for item in items]
        errors = [error for future in futures if isinstance(error := future.exception(), LayersError)]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C nobody waits for a stalled network
    if errors:
        alike = [error for error in errors if type(error) is type(errors[0])]
        raise type(errors[0])(*dict.fromkeys(problem for error in alike for problem in error.problems))
    return tuple(future.result() for future in futures)
