"""How long-running stages report what they are doing; `report.console.Console` shows it."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from entrypoint.errors import Diagnostic


class Download(NamedTuple):
    """Some bytes of a download, or its end; sizes in bytes."""

    filename: str
    received: int
    size: int | None
    done: bool = False


class Progress(Protocol):
    """Receives what a stage is doing. Threads may share it."""

    def say(self, text: str) -> None:
        """Report one thing that is being done or was done."""
        ...

    def warn(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Report warnings; they stop nothing."""
        ...

    def group(self, title: str) -> AbstractContextManager[None]:
        """Fold what is reported meanwhile, where the log can fold."""
        ...

    def counting(
        self, doing: str, total: int | None, thing: str, *, done: str = ""
    ) -> AbstractContextManager[Callable[[], None]]:
        """Count finished things; `done` is the line for the end, with {} for the count, if there are any."""
        ...

    def downloads(self, subject: object) -> AbstractContextManager[Callable[[Download], None]]:
        """Show the downloads for a subject, such as a target."""
        ...
