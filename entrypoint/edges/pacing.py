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

from entrypoint.limits import CONTROL_PLANE_CALLS_PER_SECOND

_SHARE = 0.96
_SLOWEST = 0.5
_RECOVERY = 0.1
"""Calls a second by which the pace rises with each call that was not throttled."""


@dataclass(slots=True)
class Pace:
    """Spaces calls evenly; safe to share between threads. Times are seconds of `clock`."""

    clock: Callable[[], float]
    sleep: Callable[[float], None]
    rate: float = CONTROL_PLANE_CALLS_PER_SECOND * _SHARE
    _next: float = 0.0
    _fastest: float = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._fastest = self.rate

    def wait(self) -> None:
        """Return when the next call may be made."""
        with self._lock:
            now = self.clock()
            start = max(now, self._next)
            self._next = start + 1 / self.rate
        if start > now:
            self.sleep(start - now)

    def throttled(self, retry_after: float) -> None:
        """Slow down after a 429; nothing is called for `retry_after` seconds and a random bit more."""
        with self._lock:
            self.rate = max(_SLOWEST, self.rate / 2)
            pause = retry_after + random.uniform(0, 1 / self.rate)  # noqa: S311 - jitter, not a secret
            self._next = max(self._next, self.clock() + pause)

    def succeeded(self) -> None:
        """Speed up a little, never above where the pace began."""
        with self._lock:
            self.rate = min(self._fastest, self.rate + _RECOVERY)
