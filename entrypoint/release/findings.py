"""What `doctor` says of an account and region."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Self

from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import Destination

_NAMED = 3


class Severity(StrEnum):
    """How much a finding matters, the worst first."""

    ERROR = "error"
    """Something cannot work, or will not at the next update."""
    WARNING = "warning"
    """Something works, but not as well as it should, or not for long."""
    INFO = "info"
    """Good to know."""


class Finding(NamedTuple):
    """One thing that was found, and what to do about it."""

    severity: Severity
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return str(Diagnostic(self.message, self.hint))


class Diagnosis(NamedTuple):
    """All that was found in one account and region, the worst first."""

    destination: Destination
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, destination: Destination, findings: Iterable[Finding]) -> Self:
        """Put findings into order, and each only once."""
        worst_first = list(Severity)
        order = sorted(dict.fromkeys(findings), key=lambda finding: worst_first.index(finding.severity))
        return cls(destination, tuple(order))

    @property
    def is_sound(self) -> bool:
        """Tell whether nothing was found that cannot work."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def error(message: str, hint: str) -> Finding:
    """Make a finding about what cannot work."""
    return Finding(Severity.ERROR, message, hint)


def warning(message: str, hint: str) -> Finding:
    """Make a finding about what should be better."""
    return Finding(Severity.WARNING, message, hint)


def info(message: str, hint: str = "") -> Finding:
    """Make a finding that is good to know."""
    return Finding(Severity.INFO, message, hint)


def named(names: tuple[str, ...]) -> str:
    """Return the first few names and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
