"""Diagnostics, and every error that the user can fix, as one tree.

    LayersError
    ├── UsageError        4  the command line
    ├── ManifestError     5  the manifest, or a file that it names
    ├── LockError         6  a lock that is missing, out of sync, or cannot be made
    ├── FetchError        7  no compatible wheel, hash mismatch, or index unreachable
    ├── ArchiveError      8  a wheel that cannot be unpacked into a layer
    ├── VerifyError       9  a finished layer that would fail in its runtime
    ├── AwsError         10  AWS unreachable, or a request refused
    ├── PlanError        11  the manifest cannot be applied to what is in AWS
    ├── RolloutError     12  functions that could not be updated
    ├── MachineError     13  a file or folder that cannot be read or written
    ├── CompileError     14  a package that cannot be built from source, or compiled to bytecode
    └── AuditError       15  a locked package with a known vulnerability

An error carries all problems of its stage, each with a location and a hint. The other exit codes are 0
(success), 1 (a bug, with a traceback), 2 (`status` found drift, or `plan --detailed-exitcode` found
something to do), 130 (Ctrl-C) and 143 (SIGTERM).
"""

from enum import StrEnum
from typing import ClassVar, NamedTuple, Self


class Terminated(KeyboardInterrupt):
    """SIGTERM: `docker stop`, or a workflow job that was cancelled."""


class Severity(StrEnum):
    """How much a diagnostic matters, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Location(NamedTuple):
    """A place in a user's file; `line` and `column` count from 1, as editors do."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


class Diagnostic(NamedTuple):
    """One thing that the user can fix: what is wrong, what to do, where, and the rule that found it."""

    message: str
    hint: str
    location: Location | None = None
    rule: str | None = None
    severity: Severity = Severity.ERROR

    @property
    def text(self) -> str:
        """The message and the hint."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def as_warning(self) -> Self:
        """Return the same as a warning."""
        return self._replace(severity=Severity.WARNING)

    def __str__(self) -> str:
        return f"{self.location}: {self.text}" if self.location else self.text


class LayersError(Exception):
    """An error that the user can fix; `exit_code` is what the process returns."""

    exit_code: ClassVar[int]
    #: For the table of exit codes and for code scanning.
    summary: ClassVar[str]

    def __init__(self, *problems: Diagnostic) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @classmethod
    def of(cls, message: str, hint: str, location: Location | None = None) -> Self:
        """Return the error of a single problem."""
        return cls(Diagnostic(message, hint, location))


class UsageError(LayersError):
    """The command line is wrong."""

    exit_code = 4
    summary = "The command line is wrong"


class ManifestError(LayersError):
    """The manifest, or a file that it names, is wrong."""

    exit_code = 5
    summary = "The manifest, or a file that it names, is wrong"


class LockError(LayersError):
    """A lock is missing, out of sync with its inputs, or cannot be made."""

    exit_code = 6
    summary = "A lock is missing, out of sync with its inputs, or cannot be made"


class FetchError(LayersError):
    """No index has a compatible wheel, a hash does not match, or an index is unreachable."""

    exit_code = 7
    summary = "No compatible wheel, hash mismatch, or index unreachable"


class ArchiveError(LayersError):
    """A wheel cannot be unpacked into a layer."""

    exit_code = 8
    summary = "A wheel cannot be unpacked into a layer"


class VerifyError(LayersError):
    """A finished layer would fail in its runtime."""

    exit_code = 9
    summary = "A finished layer would fail in its runtime"


class AwsError(LayersError):
    """AWS is unreachable, or refuses a request."""

    exit_code = 10
    summary = "AWS is unreachable, or refuses a request"
    #: Whether the run has no permission for the request.
    is_denial: ClassVar[bool] = False


class PlanError(LayersError):
    """The manifest cannot be applied to what is in AWS."""

    exit_code = 11
    summary = "The manifest cannot be applied to what is in AWS"


class RolloutError(LayersError):
    """Some functions could not be updated."""

    exit_code = 12
    summary = "Some functions could not be updated; the report says which"


class MachineError(LayersError):
    """A file or folder cannot be read or written."""

    exit_code = 13
    summary = "A file or folder on this machine cannot be read or written"


class CompileError(LayersError):
    """A package cannot be built from source, or compiled to bytecode."""

    exit_code = 14
    summary = "A package cannot be built from source, or compiled to bytecode"


class AuditError(LayersError):
    """A locked package has a known vulnerability at or above the threshold."""

    exit_code = 15
    summary = "A locked package has a known vulnerability at or above the threshold"
