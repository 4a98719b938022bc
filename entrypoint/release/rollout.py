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
from entrypoint.release.alias_shifts import AliasShifts
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.health import HealthCheck
from entrypoint.release.outcome import Outcome, Status
from entrypoint.release.update import FunctionUpdate

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledOut:
    """How every function's update ended, and why the rollout stopped, if it did."""

    functions: tuple[Outcome, ...]
    trouble: str | None = None


def waves(updates: Sequence[_Item], rollout: Rollout) -> Iterator[Sequence[_Item]]:
    """Yield the functions of each wave, in order; the last wave has all that are left."""
    begun = 0
    reaches = [portion.of(len(updates)) for portion in rollout.waves]
    for reach in [*reaches, len(updates)]:
        if reach > begun:
            yield updates[begun:reach]
            begun = reach


def roll_out(
    aws: "Aws",
    changes: tuple[FunctionChange, ...],
    versions: Mapping[str, str],
    done: Callable[[Outcome], None],
    *,
    rollout: Rollout = AT_ONCE,
    going_back: bool = False,
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
        check = check.begun(going_back=going_back)
    pool = ThreadPoolExecutor(rollout.max_parallel)

    def update(change: FunctionChange) -> FunctionUpdate:
        aliases = AliasShifts(change, aws=aws, rollout=rollout, going_back=going_back, sleep=sleep)
        return FunctionUpdate(change, aws=aws, versions=versions, aliases=aliases, sleep=sleep)

    updates = [update(change) for change in changes]
    try:
        return _Rollout(rollout, check, pool, done, say, clock).run(updates)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C; AWS completes the updates it accepted


@dataclass(slots=True)
class _Rollout:
    """One rollout and its progress."""

    settings: Rollout
    check: HealthCheck
    pool: ThreadPoolExecutor
    done: Callable[[Outcome], None]
    say: Callable[[str], None]
    clock: Callable[[], float]
    #: The outcomes by function name, in the order in which the updates began.
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    #: The time after which no update begins.
    until: float = math.inf

    def run(self, updates: Sequence[FunctionUpdate]) -> RolledOut:
        self.until = self.clock() + self.settings.timeout if self.settings.timeout else math.inf
        every = tuple(waves(updates, self.settings))
        trouble: str | None = None
        for number, wave in enumerate(every, start=1):
            if self.clock() > self.until:
                trouble = f"the timeout expired before wave {number} of {len(every)}"
                break
            if len(every) > 1:
                self.say(f"wave {number} of {len(every)}: {len(wave)} functions")
            if trouble := self._wave(wave):
                trouble = f"wave {number} of {len(every)} was rolled back: {trouble}"
                self._roll_back(trouble, updates)
                break
            if self._having(wave, Status.NOT_BEGUN):
                trouble = f"the timeout expired in wave {number} of {len(every)}"
                break
        outcomes = (self.outcomes.get(update.name) or not_begun(update.change) for update in updates)
        return RolledOut(functions=tuple(outcomes), trouble=trouble)

    def _wave(self, wave: Sequence[FunctionUpdate]) -> str | None:
        """Update the functions of a wave; return why it failed, if it did."""
        self._each(wave, self._update)
        trouble = self._failures(wave) or self.check.trouble(self._published())
        if trouble or self.settings.canary is None:
            return trouble
        self._each(self._having(wave, Status.UPDATED), FunctionUpdate.finish)
        return self._failures(wave) or self.check.trouble(self._published())

    def _failures(self, wave: Sequence[FunctionUpdate]) -> str | None:
        threshold = self.settings.failure_threshold
        failed = self._having(wave, Status.FAILED)
        if threshold is None or len(failed) <= threshold.of(len(wave)):
            return None
        return f"{len(failed)} of its {len(wave)} functions could not be updated"

    def _having(self, wave: Sequence[FunctionUpdate], status: Status) -> list[FunctionUpdate]:
        return [update for update in wave if self.outcomes[update.name].status is status]

    def _published(self) -> dict[str, str]:
        """Return the version that this run published of each function, by the function's name."""
        return {name: outcome.version for name, outcome in self.outcomes.items() if outcome.version}

    def _update(self, update: FunctionUpdate) -> Outcome:
        if self.clock() > self.until:
            return not_begun(update.change)
        return update.begin(is_canary=self.settings.canary is not None)

    def _roll_back(self, reason: str, updates: Sequence[FunctionUpdate]) -> None:
        """Roll back the functions of this run, the last ones first."""
        self.say(reason)
        self._each([update for update in updates[::-1] if update.is_touched], FunctionUpdate.roll_back)

    def _each(self, updates: Sequence[FunctionUpdate], work: Callable[[FunctionUpdate], Outcome]) -> None:
        def reported(update: FunctionUpdate) -> None:
            known, outcome = self.outcomes.get(update.name), work(update)
            self.outcomes[update.name] = outcome
            if outcome != known:  # as after a canary
                self.done(outcome)

        futures = [self.pool.submit(reported, update) for update in updates]
        wait_for(futures)
        for future in futures:
            future.result()


def not_begun(change: FunctionChange) -> Outcome:
    """Return the outcome of a function whose update has not begun."""
    function = change.function
    return Outcome(
        function=function.name, before=function.layers, layers=function.layers, status=Status.NOT_BEGUN
    )
