"""The pace of calls to one AWS account and region.

All of Lambda's control-plane calls except GetFunction share a quota of 15 calls per second with every
other pipeline, console and deployment of the account. The pace starts just below the quota, slows down
when AWS throttles, waits as long as AWS asks (Retry-After, which botocore ignores) and recovers slowly.
"""

import random
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

_SHARE = 0.99
"""The share of the quota to use, so that no one second ever has more calls than the quota."""
_SLOWEST = 0.5
_RECOVERY = 0.02
"""The share of the quota by which the pace rises with each call that was not throttled."""
_AMONG_MANY, _AMONG_FEW = 0.85, 0.5
"""The factor of the pace after a throttle. A throttle after more than one second of successful calls says
little; one soon after another says that others use the quota too."""
JITTER = random.Random()  # noqa: S311 - not a secret; separate, so as not to advance the global generator
_LONGEST_PAUSE = 300.0
"""Seconds; a longer Retry-After is taken for a mistake."""


@dataclass(slots=True)
class Pace:
    """Spaces calls evenly. Threads may share it. Times are seconds of `clock`."""

    quota: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    #: Held by the one caller that waits for the clock; a simulation passes its own.
    turn: AbstractContextManager[object] = field(default_factory=threading.Lock)
    _rate: float = field(init=False)
    #: When the next call may be made.
    _next: float = 0.0
    #: Successful calls since the latest throttle.
    _succeeded: int = 0
    #: A burst of throttled calls slows the pace once: only a call that was made after the pace had slowed
    #: down counts as a new throttle.
    _throttles: int = 0
    _slowed_by: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._rate = self.quota * _SHARE

    @property
    def rate(self) -> float:
        """The current pace in calls per second."""
        return self._rate

    def wait(self) -> int:
        """Block until the next call may be made; pass the returned number to `throttled`."""
        # One caller at a time waits for the clock, the others for their turn. A caller that slept until a
        # time computed long before would miss the earlier times that became free as the pace rose.
        with self.turn:
            start = max(self.clock(), self._next)
            while (left := start - self.clock()) > 0:
                self.sleep(left)
                start = max(start, self._next)  # throttled in the meantime
            with self._lock:
                self._next = max(start + 1 / self._rate, self._next)
                return self._throttles

    def throttled(self, ticket: int, retry_after: float = 0.0) -> None:
        """Slow down after a 429; no call is made for `retry_after` seconds plus jitter."""
        with self._lock:
            self._throttles += 1
            if ticket >= self._slowed_by:
                self._slowed_by = self._throttles
                left = _AMONG_MANY if self._succeeded > self.quota else _AMONG_FEW
                self._rate = max(_SLOWEST, self._rate * left)
                self._succeeded = 0
            jitter = JITTER.uniform(0, 1 / self._rate)
            pause = min(_LONGEST_PAUSE, retry_after) + jitter
            self._next = max(self._next, self.clock() + pause)

    def succeeded(self) -> None:
        """Speed up a little, never above the initial pace."""
        with self._lock:
            self._succeeded += 1
            self._rate = min(self.quota * _SHARE, self._rate + self.quota * _RECOVERY)
