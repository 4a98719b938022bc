"""Progress bars on a terminal; nothing in a log."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from entrypoint.figures import MEGA, count
from entrypoint.progress import Download


class Bars:
    """The bars of one terminal, one below the other; each disappears when its work ends."""

    def __init__(self, console: RichConsole, *, visible: bool) -> None:
        columns = (
            "{task.description}",
            BarColumn(),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, transient=True, disable=not visible)
        self._lock = threading.Lock()
        self._shown = 0

    @contextmanager
    def bar(self, title: str, total: float | None) -> "Iterator[Bar]":
        """Show a bar while the work goes on; without a total, it pulses."""
        with self._lock:
            if self._shown == 0:
                self._progress.start()
            self._shown += 1
        task = self._progress.add_task(escape(title), total=total, amount="")
        try:
            yield Bar(self._progress, task)
        finally:
            self._progress.remove_task(task)
            with self._lock:
                self._shown -= 1
                if self._shown == 0:
                    self._progress.stop()


class Bar:
    """One bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, completed: float, total: float | None, amount: str) -> None:
        """Show the progress, as a bar and in figures."""
        self._progress.update(self._task, completed=completed, total=total, amount=amount)


class Count:
    """Counts finished things; call it for each one. Threads may share it."""

    def __init__(self, bar: Bar, total: int | None, thing: str) -> None:
        self.done = 0
        self._show: Callable[[float, float | None, str], None] = bar.show
        self._total = total
        self._thing = thing
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Count one more."""
        with self._lock:
            self.done += 1
            of = "" if self._total is None else f"{self.done}/"
            number = self.done if self._total is None else self._total
            self._show(self.done, self._total, f"{of}{count(number, self._thing)}")


class Downloads:
    """Adds up the downloads of one target."""

    def __init__(self, bar: Bar) -> None:
        self.wheels = 0
        self.received = 0
        self._bar = bar
        self._files: dict[str, Download] = {}
        self._lock = threading.Lock()

    def __call__(self, download: Download) -> None:
        """Update the progress of one download."""
        with self._lock:
            self._files[download.filename] = download
            self.wheels += download.done
            self.received = sum(file.received for file in self._files.values())
            total = sum(file.size or file.received for file in self._files.values())
            amount = f"{self.received / MEGA:.1f}/{total / MEGA:.1f} MB, {count(len(self._files), 'wheel')}"
            self._bar.show(self.received, total, amount)
