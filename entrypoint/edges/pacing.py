"""The pace of calls to one AWS account and region.

Lambda gives all control-plane calls but GetFunction one bucket of 15 calls a second, shared with
every other pipeline, console and deployment of the account. The pace starts just under it, halves
when AWS throttles, waits as long as AWS asks (Retry-After, which botocore does not honour) and rises
slowly again.
"""

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

_SHARE = 0.99
"""Of the quota: even calls at this pace never put more than the quota into any one second."""
_SLOWEST = 0.5
_RECOVERY = 0.05
"""The part of the quota by which the pace rises with each call that was not throttled."""
_LONGEST_PAUSE = 300.0
"""Seconds; what a server asks for beyond this is taken for a mistake."""


@dataclass(slots=True)
class Pace:
    """Spaces calls evenly; safe to share between threads. Times are seconds of `clock`."""

    quota: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _rate: float = field(init=False)
    #: When the next call may be made, and until when none may, whatever was promised before.
    _next: float = 0.0
    _resume: float = 0.0
    #: Counts throttles. A caller that was promised a time before the latest one asks again, and one
    #: burst of calls that are all throttled slows the pace once.
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
        while True:
            with self._lock:
                seen, now = self._throttles, self.clock()
                start = max(now, self._next)
                self._next = start + 1 / self._rate
            if start > now:
                self.sleep(start - now)
            if seen == self._throttles:
                return seen

    def throttled(self, ticket: int, retry_after: float = 0.0) -> None:
        """Slow down after a 429; nothing is called for `retry_after` seconds and a random bit more."""
        with self._lock:
            self._throttles += 1
            if ticket >= self._slowed_by:
                self._slowed_by = self._throttles
                self._rate = max(_SLOWEST, self._rate / 2)
            jitter = random.uniform(0, 1 / self._rate)  # noqa: S311 - not a secret
            pause = min(_LONGEST_PAUSE, retry_after) + jitter
            self._next = self._resume = max(self._resume, self.clock() + pause)

    def succeeded(self) -> None:
        """Speed up a little, never above where the pace began."""
        with self._lock:
            self._rate = min(self.quota * _SHARE, self._rate + self.quota * _RECOVERY)
