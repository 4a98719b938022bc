"""What rules say: claims about an archive, and findings once it is known where they belong."""

from dataclasses import dataclass
from enum import StrEnum

from entrypoint.errors import Place, Problem
from entrypoint.manifest.targets import Target


class Severity(StrEnum):
    """How much a finding matters: an error stops the run."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule says, before it is known for which target."""

    severity: Severity
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule has to say about one target."""

    rule: str
    severity: Severity
    target: Target
    message: str
    remedy: str
    place: Place

    @property
    def problem(self) -> Problem:
        """The finding as errors print it."""
        return Problem(f"{self.target}: {self.message} [{self.rule}]", self.remedy, self.place, self.rule)
