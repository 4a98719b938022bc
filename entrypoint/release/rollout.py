"""Layer versions -> functions, in waves; a failed wave is rolled back, with all waves before it.

Within a wave one function's failure stops no other. AWS is the only memory: a run that died is completed by
running it again.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from entrypoint.manifest.model import AT_ONCE, Rollout
from entrypoint.parallel import wait_for
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.health import HealthCheck
from entrypoint.release.update import Outcome, Status, Updating

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledOut:
    """How every function's update ended, and why the rollout stopped, if it did."""

    functions: tuple[Outcome, ...]
    trouble: str | None = None


def waves(changes: Sequence[FunctionChange], rollout: Rollout) -> Iterator[tuple[FunctionChange, ...]]:
    """Yield the functions of each wave, in order; the last wave has all that are left."""
    begun = 0
    reaches = [portion.of(len(changes)) for portion in rollout.waves]
    for reach in [*reaches, len(changes)]:
        if reach > begun:
            yield tuple(changes[begun:reach])
            begun = reach


def roll_out(
    aws: "Aws",
    changes: tuple[FunctionChange, ...],
    versions: Mapping[str, str],
    done: Callable[[Outcome], None],
    *,
    rollout: Rollout = AT_ONCE,
    say: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> RolledOut:
    """Update the functions, several at once.

    `done` is called as each one ends, in any order, and again when it is rolled back.

    Raises:
        RolloutError: the health check cannot work; nothing has been changed.
    """
    check = HealthCheck(aws=aws, rollout=rollout, sleep=sleep, clock=clock)
    if changes:
        check.begin()
    updating = Updating(aws=aws, versions=versions, sleep=sleep, canary=rollout.canary)
    pool = ThreadPoolExecutor(rollout.max_parallel)
    try:
        return _Rollout(rollout, updating, check, pool, done, say, clock).run(changes)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C; AWS completes the updates it accepted


@dataclass(slots=True)
class _Rollout:
    """One rollout and its progress."""

    settings: Rollout
    updating: Updating
    check: HealthCheck
    pool: ThreadPoolExecutor
    done: Callable[[Outcome], None]
    say: Callable[[str], None]
    clock: Callable[[], float]
    #: The outcomes by function name, in the order in which the updates began.
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    #: The time after which no update begins.
    until: float = math.inf

    def run(self, changes: tuple[FunctionChange, ...]) -> RolledOut:
        self.until = self.clock() + self.settings.timeout if self.settings.timeout else math.inf
        every = tuple(waves(changes, self.settings))
        trouble: str | None = None
        for number, wave in enumerate(every, start=1):
            if self.clock() > self.until:
                trouble = f"the timeout expired before wave {number} of {len(every)}"
                break
            if len(every) > 1:
                self.say(f"wave {number} of {len(every)}: {len(wave)} functions")
            if trouble := self._wave(wave):
                trouble = f"wave {number} of {len(every)} was rolled back: {trouble}"
                self._roll_back(trouble)
                break
            if self._having(wave, Status.NOT_BEGUN):
                trouble = f"the timeout expired in wave {number} of {len(every)}"
                break
        outcomes = (self.outcomes.get(change.function.name) or _not_begun(change) for change in changes)
        return RolledOut(functions=tuple(outcomes), trouble=trouble)

    def _wave(self, wave: tuple[FunctionChange, ...]) -> str | None:
        """Update the functions of a wave; return why it failed, if it did."""
        self._each(wave, self._update)
        trouble = self._failures(wave) or self.check.trouble()
        if trouble or self.settings.canary is None:
            return trouble
        stopped = [*self._having(wave, Status.FAILED), *self._having(wave, Status.NOT_BEGUN)]
        begun = [change for change in wave if change not in stopped]
        finish = self.updating.finish
        self._each(begun, lambda change: finish(change, self.outcomes[change.function.name]))
        return self._failures(wave) or self.check.trouble()

    def _failures(self, wave: tuple[FunctionChange, ...]) -> str | None:
        threshold = self.settings.failure_threshold
        failed = self._having(wave, Status.FAILED)
        if threshold is None or len(failed) <= threshold.of(len(wave)):
            return None
        return f"{len(failed)} of its {len(wave)} functions could not be updated"

    def _having(self, wave: tuple[FunctionChange, ...], status: Status) -> list[FunctionChange]:
        return [change for change in wave if self.outcomes[change.function.name].status is status]

    def _update(self, change: FunctionChange) -> Outcome:
        return _not_begun(change) if self.clock() > self.until else self.updating.update(change)

    def _roll_back(self, reason: str) -> None:
        """Roll back the functions of this run, the last ones first."""
        self.say(reason)
        updated = [outcome for outcome in self.outcomes.values() if outcome.before]
        self._each(updated[::-1], self.updating.roll_back)

    def _each(self, items: Sequence[_Item], work: Callable[[_Item], Outcome]) -> None:
        def reported(item: _Item) -> Outcome:
            outcome = work(item)
            self.done(outcome)
            return outcome

        futures = [self.pool.submit(reported, item) for item in items]
        wait_for(futures)
        self.outcomes |= {outcome.function: outcome for outcome in (future.result() for future in futures)}


def _not_begun(change: FunctionChange) -> Outcome:
    function = change.function
    return Outcome(function=function.name, layers=function.layers, status=Status.NOT_BEGUN)
