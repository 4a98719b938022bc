"""The pace of calls to one AWS account and region.

Lambda gives all control-plane calls but GetFunction one bucket of 15 calls a second, shared with
every other pipeline, console and deployment of the account. The pace starts just under it, slows down
when AWS throttles, waits as long as AWS asks (Retry-After, which botocore does not honour) and rises
slowly again.
"""

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

_SHARE = 0.99
"""Of the quota: even calls at this pace never put more than the quota into any one second."""
_SLOWEST = 0.5
_RECOVERY = 0.02
"""The part of the quota by which the pace rises with each call that was not throttled."""
_AMONG_MANY, _AMONG_FEW = 0.85, 0.5
"""What is left of the pace after a throttle: among more than a second's worth of calls that went well it
tells little, but one soon after another tells that others use the bucket too."""
JITTER = random.Random()  # noqa: S311 - not a secret; its own, as the common one is not ours to move on
_LONGEST_PAUSE = 300.0
"""Seconds; what a server asks for beyond this is taken for a mistake."""


@dataclass(slots=True)
class Pace:
    """Spaces calls evenly; safe to share between threads. Times are seconds of `clock`."""

    quota: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    #: Held by the one caller that waits for the clock; a simulation hands in its own.
    turn: AbstractContextManager[object] = field(default_factory=threading.Lock)
    _rate: float = field(init=False)
    #: When the next call may be made.
    _next: float = 0.0
    #: Calls that went well since the latest throttle.
    _went_well: int = 0
    #: One burst of calls that are all throttled slows the pace once: only a call that was made after the
    #: pace had slowed for the throttle before tells something new.
    _throttles: int = 0
    _slowed_by: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._rate = self.quota * _SHARE

    @property
    def rate(self) -> float:
        """Calls a second, as of now."""
        return self._rate

    def wait(self) -> int:
        """Return when the next call may be made; the number goes back with `throttled`."""
        # One caller at a time waits for the clock, the others for their turn: who slept until a moment
        # promised long before would let those moments pass that came free because the pace rose since.
        with self.turn:
            start = max(self.clock(), self._next)
            while (left := start - self.clock()) > 0:
                self.sleep(left)
                start = max(start, self._next)  # a throttle meanwhile
            with self._lock:
                self._next = max(start + 1 / self._rate, self._next)
                return self._throttles

    def throttled(self, ticket: int, retry_after: float = 0.0) -> None:
        """Slow down after a 429; nothing is called for `retry_after` seconds and a random bit more."""
        with self._lock:
            self._throttles += 1
            if ticket >= self._slowed_by:
                self._slowed_by = self._throttles
                left = _AMONG_MANY if self._went_well > self.quota else _AMONG_FEW
                self._rate = max(_SLOWEST, self._rate * left)
                self._went_well = 0
            jitter = JITTER.uniform(0, 1 / self._rate)
            pause = min(_LONGEST_PAUSE, retry_after) + jitter
            self._next = max(self._next, self.clock() + pause)

    def succeeded(self) -> None:
        """Speed up a little, never above where the pace began."""
        with self._lock:
            self._went_well += 1
            self._rate = min(self.quota * _SHARE, self._rate + self.quota * _RECOVERY)
