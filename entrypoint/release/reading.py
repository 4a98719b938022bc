"""Reads what may not be allowed: AWS's answer, or a finding that says which action is missing."""

from collections.abc import Callable
from typing import TypeVar

from entrypoint.errors import AwsError, Diagnostic
from entrypoint.release.findings import warning

_Answer = TypeVar("_Answer")


class Reading:
    """Collects what could not be read."""

    def __init__(self) -> None:
        self.refused: list[Diagnostic] = []

    def __call__(
        self, read: Callable[[], _Answer], *, kind: Callable[[str, str], Diagnostic] = warning
    ) -> _Answer | None:
        """Return AWS's answer; where AWS refuses, None and a finding of this kind."""
        try:
            return read()
        except AwsError as error:
            self.refused += [kind(f"not examined: {each.message}", each.hint) for each in error.problems]
            return None
