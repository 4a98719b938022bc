"""Everything that can go wrong and be told to the user, as one tree.

    LayersError
    ├── UsageError        4  the command line
    ├── ManifestError     5  the manifest, or a file it names
    ├── LockError         6  a lock that is missing, out of step, or cannot be made
    ├── FetchError        7  a wheel that does not exist, or is not what the lock allows
    ├── ArchiveError      8  a wheel that cannot be laid into a layer as it is
    ├── VerifyError       9  a finished layer that would fail in its runtime
    ├── AwsError         10  credentials, permissions, or an answer of AWS that a retry does not mend
    ├── PlanError        11  what the manifest asks for does not fit what stands in AWS
    ├── RolloutError     12  some functions could not be updated
    ├── MachineError     13  a file or folder of this machine cannot be read or written
    ├── CompileError     14  a package that cannot be compiled from its source, or to bytecode
    └── AuditError       15  a locked package with a known vulnerability that counts

An error carries *all* the problems of its stage, each with a location and a hint. Beside these exit
codes stand 0 (done), 1 (a bug: a traceback goes with it), 2 (`status` found drift, or `plan
--detailed-exitcode` something to do) and 130 (Ctrl-C).
"""

from enum import StrEnum
from typing import ClassVar, NamedTuple, Self


class Severity(StrEnum):
    """How serious a diagnostic is; an error stops the run."""

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
    """One thing that is wrong: what, what to do about it, and where; the rule that found it, if one did."""

    message: str
    hint: str
    location: Location | None = None
    rule: str | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        return f"{self.location}: {text}" if self.location else text


class LayersError(Exception):
    """The user can mend this; `exit_code` is what the process returns."""

    exit_code: ClassVar[int]

    def __init__(self, *problems: Diagnostic) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    @classmethod
    def of(cls, message: str, hint: str, location: Location | None = None) -> Self:
        """Make the error of a single problem."""
        return cls(Diagnostic(message, hint, location))


class UsageError(LayersError):
    """The command line asks for something that cannot be."""

    exit_code = 4


class ManifestError(LayersError):
    """The manifest, or a file it names, is wrong."""

    exit_code = 5


class LockError(LayersError):
    """A lock is missing, out of step with its inputs, or cannot be made."""

    exit_code = 6


class FetchError(LayersError):
    """No index has a wheel that fits or is what the lock allows, or what is to be asked cannot be."""

    exit_code = 7


class ArchiveError(LayersError):
    """A wheel cannot be laid into a layer as it is."""

    exit_code = 8


class VerifyError(LayersError):
    """A finished layer would fail in its runtime."""

    exit_code = 9


class AwsError(LayersError):
    """AWS cannot be reached, or refuses in a way that trying again does not mend."""

    exit_code = 10


class PlanError(LayersError):
    """What the manifest asks for does not fit what stands in AWS."""

    exit_code = 11


class RolloutError(LayersError):
    """Some functions could not be updated; the report says which."""

    exit_code = 12


class MachineError(LayersError):
    """A file or folder of this machine cannot be read or written."""

    exit_code = 13


class CompileError(LayersError):
    """A package cannot be compiled from its source, or its modules to bytecode."""

    exit_code = 14


class AuditError(LayersError):
    """A locked package has a known vulnerability of a severity that counts."""

    exit_code = 15
