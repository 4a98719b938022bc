"""What resolves: pip-compile and uv, and the question that both are asked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from packaging.utils import parse_sdist_filename

from entrypoint.errors import Diagnostic, Location, LockError
from entrypoint.index.options import IndexOptions
from entrypoint.manifest.runtimes import Platform

NOWHERE = "https://source.invalid/"
"""Where engines believe source archives to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to resolve, as lines of requirements files, and the index options."""

    requirements: tuple[str, ...]
    options: IndexOptions = field(default_factory=IndexOptions)
    constraints: tuple[str, ...] = ()
    #: Versions to keep if they satisfy the requirements.
    pins: tuple[str, ...] = ()
    upgrade_packages: tuple[str, ...] = ()
    #: The filenames of source archives that packages come from, by name, and not from an index.
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_constraints(self) -> tuple[str, ...]:
        """The constraints, and one for each source archive: its URL, which is never requested."""
        urls = (f"{name} @ {NOWHERE}{file}" for name, file in sorted(self.sources.items()))
        return (*self.constraints, *urls)

    def without_urls(self, answer: str) -> str:
        """Return an answer with the versions of source archives instead of their URLs."""
        for name, file in self.sources.items():
            pin = f"{name}=={parse_sdist_filename(file)[1]}"
            answer = re.sub(rf"^{name} @ {re.escape(NOWHERE + file)}$", pin, answer, flags=re.MULTILINE)
        return answer


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
