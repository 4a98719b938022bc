"""How the update of a function ended."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from entrypoint.errors import LayersError


class Status(StrEnum):
    """How a function's update ended."""

    UPDATED = "updated"
    FAILED = "failed"
    """It could not be updated; if nothing else is reported, it is as before the run."""
    ROLLED_BACK = "rolled back"
    """It is what it was before the run, as its wave failed."""
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a function's update ended: its layers before and now, or why it could not be updated."""

    function: str
    before: tuple[str, ...]
    layers: tuple[str, ...]
    status: Status
    error: LayersError | None = None
    #: The version that was published for its aliases.
    version: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(tz=UTC), compare=False)

    @property
    def changed(self) -> bool:
        """Return whether the function differs from before the run."""
        return self.status is Status.UPDATED
