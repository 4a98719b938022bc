"""Places to compile in: this machine where it is what the runtime is made of, else a container."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.index.network_settings import NetworkSettings, network_settings
from entrypoint.index.options import IndexOptions
from entrypoint.index.pip_settings import PipSettings, combined, read_pip_settings
from entrypoint.wheels.source_builds import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.this_machine import ThisMachine, is_runtime

if TYPE_CHECKING:
    from entrypoint.wheels.containers import Containers


class SystemBuilders:
    """Offers them; nothing is started before it is asked for. Threads may share it.

    Args:
        environment: this process' variables; none of them reaches a build, but for what leads to indexes.
        say: hears what takes a while.
        os_release: says which system this machine runs.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        os_release: Path = Path("/etc/os-release"),
    ) -> None:
        self._environment = environment
        self._say = say
        self._os_release = os_release
        self._guard = threading.Lock()
        self._containers: Containers | None = None
        self._settings: PipSettings | None = None

    def identity(self, build_environment: BuildEnvironment) -> str | None:
        """Say what a builder would be made of, if that can be told without fetching anything."""
        if is_runtime(build_environment, self._environment, self._os_release):
            return self._here().identity
        return self._engine().identity(build_environment)

    def open(self, build_environment: BuildEnvironment, options: IndexOptions) -> Builder:
        """Give a builder that sees these indexes."""
        is_here = is_runtime(build_environment, self._environment, self._os_release)
        builder: Builder = self._here() if is_here else self._engine().open(build_environment)
        return _Furnished(builder, self._network(options))

    def close(self) -> None:
        """Remove what was started."""
        if self._containers is not None:
            self._containers.close()

    def _here(self) -> ThisMachine:
        return ThisMachine(environment=self._environment, os_release=self._os_release)

    def _engine(self) -> "Containers":
        from entrypoint.wheels.containers import Containers  # noqa: PLC0415 - few runs compile anything

        with self._guard:
            if self._containers is None:
                self._containers = Containers(environment=self._environment, say=self._say)
            return self._containers

    def _network(self, options: IndexOptions) -> NetworkSettings:
        with self._guard:
            if self._settings is None:
                self._settings = read_pip_settings(self._environment)
        seen = combined(self._settings.options, options, self._environment)
        return network_settings(self._settings, seen, self._environment)


@dataclass(frozen=True, slots=True)
class _Furnished:
    """A builder with the settings that lead to the indexes, whose secrets it keeps to itself."""

    _builder: Builder
    _network: NetworkSettings

    @property
    def name(self) -> str:
        return self._builder.name

    @property
    def identity(self) -> str:
        return self._builder.identity

    @property
    def session(self) -> str:
        return self._builder.session

    @property
    def python(self) -> str:
        return self._builder.python

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, said: Callable[[str], None]
    ) -> BuildResult:
        def masked(line: str) -> None:
            said(self._network.mask(line))

        outcome = self._builder.run({**files, **self._network.files}, command, said=masked)
        return replace(outcome, output=self._network.mask(outcome.output))
