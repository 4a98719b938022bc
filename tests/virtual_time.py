"""Time that passes only by being slept: hours of waiting in no time, for code that takes clock and sleep."""

import threading


class VirtualTime:
    START = 1_800_000_000.0

    def __init__(self) -> None:
        self.now = self.START
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
