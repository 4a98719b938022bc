"""Builders: a container for each run, or this machine if the operator allows it."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.errors import CompileError
from entrypoint.index.network_settings import NO_NETWORK, NetworkSettings, network_settings
from entrypoint.index.pip_settings import read_pip_settings
from entrypoint.wheels.build_environment import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.this_machine import ON_THIS_MACHINE, ThisMachine, is_allowed, is_runtime, why_exposed

if TYPE_CHECKING:
    from entrypoint.wheels.containers import Containers

_SOCKET = "/var/run/docker.sock"


class Builders:
    """Creates builders when they are first needed. Threads may share it.

    Args:
        environment: this process's variables; builds get none of them.
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

    def identity(self, build_environment: BuildEnvironment) -> str | None:
        """Return the identity of a builder, if it is known without downloading anything."""
        if self._is_here(build_environment):
            return self._here(build_environment).identity
        return self._engine().identity(build_environment) if self._may_have_engine() else None

    def open(self, build_environment: BuildEnvironment) -> Builder:
        """Return a builder that isolates each run.

        Raises:
            CompileError: if there is none, or this machine cannot hide its credentials.
        """
        if self._is_here(build_environment):
            if reason := why_exposed(self._environment):
                message = f"packages cannot be built on this machine: {reason}"
                hint = (
                    f"unset {ON_THIS_MACHINE} to build in a container, or run as root without this exposure"
                )
                raise CompileError.of(message, hint)
            return self._here(build_environment)
        network = self._network() if build_environment.network else NO_NETWORK
        return _Masked(self._engine().open(build_environment), network)

    def open_shared(self, build_environment: BuildEnvironment) -> Builder:
        """Return a builder that uses one container for all runs; only for code of our own."""
        return self._engine().open_shared(build_environment)

    def install(
        self,
        build_environment: BuildEnvironment,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        """Change the system that the builders of an environment start from, as root with network."""
        engine, network = self._engine(), self._network()
        result = engine.install(
            build_environment,
            {**files, **network.files},
            command,
            results=results,
            on_output=lambda line: on_output(network.mask(line)),
        )
        return replace(result, output=network.mask(result.output))

    def close(self) -> None:
        """Remove all containers."""
        if self._containers is not None:
            self._containers.close()

    def _may_have_engine(self) -> bool:
        """Look for an engine without the Docker SDK, whose import takes longer than most builds."""
        scheme, _, address = self._environment.get("DOCKER_HOST", "").partition("://")
        if scheme == "unix" or not (scheme or os.name == "nt"):
            return Path(address or _SOCKET).exists()
        return True

    def _is_here(self, build_environment: BuildEnvironment) -> bool:
        return is_allowed(self._environment) and is_runtime(build_environment, self._os_release)

    def _here(self, build_environment: BuildEnvironment) -> ThisMachine:
        return ThisMachine(os_release=self._os_release, network=build_environment.network)

    def _engine(self) -> "Containers":
        from entrypoint.wheels.containers import Containers  # noqa: PLC0415 - few runs compile anything

        with self._guard:
            if self._containers is None:
                self._containers = Containers(environment=self._environment, say=self._say)
            return self._containers

    def _network(self) -> NetworkSettings:
        return network_settings(read_pip_settings(self._environment), self._environment)


@dataclass(frozen=True, slots=True)
class _Masked:
    """A builder with network settings, whose secrets are masked in its output."""

    _builder: Builder
    _network: NetworkSettings

    @property
    def name(self) -> str:
        return self._builder.name

    @property
    def identity(self) -> str:
        return self._builder.identity

    @property
    def python(self) -> str:
        return self._builder.python

    def run(
        self,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        def masked(line: str) -> None:
            on_output(self._network.mask(line))

        files = {**files, **self._network.files}
        result = self._builder.run(files, command, results=results, on_output=masked)
        return replace(result, output=self._network.mask(result.output))
