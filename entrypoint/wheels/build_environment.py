"""Where code runs as it does in a runtime: the required environment, and what a builder can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from entrypoint.manifest.runtimes import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEnvironment:
    """Where packages are compiled."""

    platform: Platform
    image: str
    system_packages: tuple[str, ...] = ()
    #: The user chose the image, so this machine cannot replace it.
    chosen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The result of a command in a builder: exit code, output, and the files in `out/` by name."""

    code: int
    output: str
    files: Mapping[str, bytes]


class Builder(Protocol):
    """A system on which code runs as it does in the runtime."""

    @property
    def name(self) -> str:
        """Its name in messages: an image, or this machine."""
        ...

    @property
    def identity(self) -> str:
        """Identifies its system; builders with the same identity build the same wheels."""
        ...

    @property
    def session(self) -> str:
        """Identifies this instance."""
        ...

    @property
    def python(self) -> str:
        """The command that starts its interpreter."""
        ...

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, on_output: Callable[[str], None]
    ) -> BuildResult:
        """Run a command in a new folder with these files; `on_output` gets each line of its output.

        Raises:
            CompileError: if the command exceeds the time limit, or the builder fails.
        """
        ...
