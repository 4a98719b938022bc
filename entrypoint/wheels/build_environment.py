"""Where code runs as it does in a runtime: the required environment, and what a builder can do.

Code that runs in a builder is not trusted. Each run is isolated from this process, from other runs and,
unless its environment says otherwise, from the network; what it may use is limited.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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
    #: Whether builds may use the network.
    network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a command in a builder may use."""

    seconds: float = 3600.0
    processes: int = 1024
    #: Bytes that it may write to the disk.
    disk: int = 16 << 30
    #: Bytes of all its result files together; a layer has at most 250 MB.
    results: int = 1 << 30
    #: Bytes that it may print.
    log: int = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """The result of a command in a builder: exit code, output, and the files of `out/` by name."""

    code: int
    output: str
    files: Mapping[str, Path]


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
    def python(self) -> str:
        """The command that starts its interpreter."""
        ...

    def run(
        self,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        """Run a command in a new folder with these files.

        The regular files that it leaves in `out/` are copied to the folder `results`. `on_output` gets each
        line of its output. Nothing else of the run is left when it ends.

        Raises:
            CompileError: if the command exceeds a limit, or the builder fails.
        """
        ...
