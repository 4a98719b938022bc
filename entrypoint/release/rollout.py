"""Layer versions -> functions: each function of the plan gets its list of layers.

A function that somebody else updates at the same moment is waited for, read again, and its list is
computed anew from what then stands. One function's failure stops no other; the outcomes tell.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from entrypoint.errors import LayersError, RolloutError
from entrypoint.parallel import wait_for
from entrypoint.release.aws_lambda import ChangesLambda, StaleRevisionError, UpdateInProgressError
from entrypoint.release.plan import FunctionChange

_AT_ONCE = 48
"""An update takes AWS a second or three; fewer at once could not use up 15 calls a second."""
_ATTEMPTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a function's update ended: the layers it has now, or why it could not be updated."""

    function: str
    layers: tuple[str, ...]
    changed: bool
    error: LayersError | None = None


def roll_out(
    aws: ChangesLambda,
    changes: tuple[FunctionChange, ...],
    versions: Mapping[str, str],
    done: Callable[[Outcome], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Outcome, ...]:
    """Update the functions, several at once; `done` is called as each one ends, in any order."""

    def update(change: FunctionChange) -> Outcome:
        outcome = _update(aws, change, versions, sleep)
        done(outcome)
        return outcome

    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        futures = [pool.submit(update, change) for change in changes]
        wait_for(futures)
        return tuple(future.result() for future in futures)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C: AWS ends what was begun without us


def _update(
    aws: ChangesLambda,
    change: FunctionChange,
    versions: Mapping[str, str],
    sleep: Callable[[float], None],
) -> Outcome:
    function = change.function
    try:
        for attempt in range(_ATTEMPTS):
            layers = change.layers_after(function.layers, versions)
            if layers == function.layers:
                return Outcome(function=function.name, layers=layers, changed=function is not change.function)
            try:
                aws.update_layers(function, layers)
            except (UpdateInProgressError, StaleRevisionError):
                sleep(attempt)  # what GetFunction says may lag behind what the update met
                function = aws.function(function.name)
            else:
                return Outcome(function=function.name, layers=layers, changed=True)
    except LayersError as refusal:
        return Outcome(function=function.name, layers=function.layers, changed=False, error=refusal)
    message = f"{function.name} was being updated by somebody else at each of {_ATTEMPTS} attempts"
    error = RolloutError.of(message, "run again when the other deployment is over")
    return Outcome(function=function.name, layers=function.layers, changed=False, error=error)
