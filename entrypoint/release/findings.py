"""The findings of `doctor` in one account and region."""

from collections.abc import Iterable
from typing import NamedTuple, Self

from entrypoint.errors import Diagnostic, Severity
from entrypoint.manifest.model import Destination

RULE = "doctor"
_NAMED = 3


class Diagnosis(NamedTuple):
    """All findings in one account and region, the worst first."""

    destination: Destination
    findings: tuple[Diagnostic, ...]

    @classmethod
    def of(cls, destination: Destination, findings: Iterable[Diagnostic]) -> Self:
        """Sort findings, and drop duplicates."""
        worst_first = list(Severity)
        order = sorted(dict.fromkeys(findings), key=lambda finding: worst_first.index(finding.severity))
        return cls(destination, tuple(order))

    @property
    def is_sound(self) -> bool:
        """Return whether there is no error among the findings."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)


def error(message: str, hint: str) -> Diagnostic:
    """Return a finding about something that cannot work, now or at the next update."""
    return Diagnostic(message, hint, rule=RULE, severity=Severity.ERROR)


def warning(message: str, hint: str) -> Diagnostic:
    """Return a finding about something that works, but not as well as it should, or not for long."""
    return Diagnostic(message, hint, rule=RULE, severity=Severity.WARNING)


def info(message: str, hint: str = "") -> Diagnostic:
    """Return a finding that is good to know."""
    return Diagnostic(message, hint, rule=RULE, severity=Severity.INFO)


def named(names: tuple[str, ...]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
