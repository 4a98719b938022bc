"""Builders that run each command in a new container, or all in one."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult
from entrypoint.wheels.container import RunningContainer, starting

if TYPE_CHECKING:
    from docker.models.images import Image

    from entrypoint.wheels.containers import Containers

#: What a shell and the engine report of a command that is missing or not executable.
_CANNOT_BE_RUN = (126, 127)


class ContainerBuilder:
    """Runs each command in a new container."""

    def __init__(self, containers: "Containers", environment: BuildEnvironment, image: "Image") -> None:
        self.name = environment.image
        self.identity = str(image.id)
        self.python = f"python{'.'.join(map(str, environment.platform.runtime.python_version or ()))}"
        self.image = image
        self._containers = containers
        self._environment = environment

    def run(
        self,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        """Run a command; see `Builder.run`."""

        def run() -> BuildResult:
            with starting(self._environment.image), self._containers.started(self._environment) as container:
                return container.run(files, command, results=results, on_output=on_output)

        result = run()
        if result.code in _CANNOT_BE_RUN and self._containers.make_reachable(self._environment, self.python):
            result = run()
        return result


class SharedContainer:
    """Runs commands in one container, which lasts until the containers are closed."""

    def __init__(
        self,
        started: AbstractContextManager[RunningContainer],
        environment: BuildEnvironment,
        like: ContainerBuilder,
    ) -> None:
        self.name, self.identity, self.python = like.name, like.identity, like.python
        self._starting = started
        self._environment = environment
        self._guard = threading.Lock()
        self._container: RunningContainer | None = None
        self._numbers = count()

    def run(
        self,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        """Run a command; see `Builder.run`."""
        with self._guard:
            if self._container is None:
                with starting(self._environment.image):
                    self._container = self._starting.__enter__()
            folder = f"lambda-layers/{next(self._numbers)}"
        try:
            return self._container.run(files, command, results=results, on_output=on_output, folder=folder)
        finally:
            self._container.delete(folder)
