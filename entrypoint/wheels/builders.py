"""Builders: this machine if it is the same system as the runtime, else a container."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.index.network_settings import NetworkSettings, network_settings
from entrypoint.index.options import IndexOptions
from entrypoint.index.pip_settings import PipSettings, combined, read_pip_settings
from entrypoint.wheels.build_environment import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.this_machine import ThisMachine, is_runtime

if TYPE_CHECKING:
    from entrypoint.wheels.containers import Containers


class Builders:
    """Creates builders when they are first needed. Threads may share it.

    Args:
        environment: this process's variables; builds get none of them except the settings of indexes.
        say: reports slow steps.
        os_release: identifies the system of this machine.
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
        """Return the identity of a builder, if it is known without downloading anything."""
        if is_runtime(build_environment, self._environment, self._os_release):
            return self._here().identity
        return self._engine().identity(build_environment)

    def open(self, build_environment: BuildEnvironment, options: IndexOptions) -> Builder:
        """Return a builder with access to these indexes."""
        is_here = is_runtime(build_environment, self._environment, self._os_release)
        builder: Builder = self._here() if is_here else self._engine().open(build_environment)
        return _BuilderWithIndexes(builder, self._network(options))

    def close(self) -> None:
        """Remove all containers."""
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
class _BuilderWithIndexes:
    """A builder with the network settings of the indexes; their secrets are masked in its output."""

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
        self, files: Mapping[str, bytes], command: Sequence[str], *, on_output: Callable[[str], None]
    ) -> BuildResult:
        def masked(line: str) -> None:
            on_output(self._network.mask(line))

        outcome = self._builder.run({**files, **self._network.files}, command, on_output=masked)
        return replace(outcome, output=self._network.mask(outcome.output))
