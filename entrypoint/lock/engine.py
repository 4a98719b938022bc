"""What resolves: pip-compile and uv, and the question that both are asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.index.options import IndexOptions
from entrypoint.manifest.runtimes import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to resolve, as lines of requirements files, and the index options."""

    requirements: tuple[str, ...]
    options: IndexOptions = field(default_factory=IndexOptions)
    constraints: tuple[str, ...] = ()
    #: Versions to keep if they satisfy the requirements.
    pins: tuple[str, ...] = ()
    upgrade_packages: tuple[str, ...] = ()


Ask = Callable[[str, str], bytes]
"""Returns the METADATA of a package (name, version) that must be built from source."""

Describe = Callable[[str, str, Location], bytes]
"""Returns the METADATA of a name and version that must be built from source, without running its code here.

The location, of the requirement, is for problems.
"""


class Engine(Protocol):
    """Finds versions: pip-compile or uv, in a process of its own."""

    @property
    def wheels_only(self) -> bool:
        """Whether an sdist is used only if the source is required."""
        ...

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Return `name==version` lines with `# via` comments.

        Raises:
            UnresolvableError: there is no resolution.
            Exception: any error of `ask`.
        """
        ...


class UnresolvableError(LockError):
    """There is no resolution; `missing` are the requirements that no file was found for."""

    def __init__(self, *problems: Diagnostic, missing: tuple[str, ...] = ()) -> None:
        super().__init__(*problems)
        self.missing = missing
