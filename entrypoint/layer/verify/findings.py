"""What rules say: claims about an archive, and findings once it is known where they belong."""

from dataclasses import dataclass
from enum import StrEnum

from entrypoint.errors import Diagnostic, Location
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
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule has to say about one target."""

    rule: str
    severity: Severity
    target: Target
    message: str
    hint: str
    location: Location

    @property
    def problem(self) -> Diagnostic:
        """The finding as errors print it."""
        return Diagnostic(f"{self.target}: {self.message} [{self.rule}]", self.hint, self.location, self.rule)
