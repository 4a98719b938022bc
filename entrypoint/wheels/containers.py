"""Containers as builders, through the Docker SDK.

Each run gets a container of its own, which is removed when the run ends. Its processes are those of an
unprivileged user without capabilities, and have no network unless the build environment says otherwise.
System packages are installed beforehand, by root in a container with network, before any code of a package
is there; an image of the result is kept until `close`. If only root can reach the interpreter of an image, an
image in which all users can is made in the same way, without network.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ContainerError, DockerException, ImageNotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.types import Ulimit
from docker.utils import parse_repository_tag

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import Architecture
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult, Limits
from entrypoint.wheels.container import FOLDER, RunningContainer, engine_errors, reason_of, starting
from entrypoint.wheels.container_builders import ContainerBuilder, SharedContainer
from entrypoint.wheels.engine_streams import pulled_layers

LABEL = "lambda-layer-pipeline.compiles-for"
UNPRIVILEGED = 65534
"""The user and group of builds: nobody's, which own no files of an image."""
_ROOT = 0
_MAKE_REACHABLE = """\
path=$(command -v "$0") && path=$(readlink -f "$path") || exit 1
while [ "$path" != / ]; do path=$(dirname "$path") && chmod o+x "$path" || exit 1; done
"""
_NAMES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
_SECONDS_TO_CONNECT = 60
#: The share of the engine's processors and memory that a build can use; two builds run at a time.
_PROCESSORS, _MEMORY = 0.75, 0.375
_LEFTOVER = {"dangling": True, "label": LABEL, "until": "24h"}
_START_ENGINE = "start Docker, or set DOCKER_HOST to a Docker engine, or pin a version that has a wheel"


class Containers:
    """Starts containers when they are needed, and removes them. Threads may share it.

    Args:
        environment: DOCKER_HOST and the other variables that `docker` reads.
        say: reports slow steps.
        limits: what a command may use.
    """

    def __init__(
        self, *, environment: Mapping[str, str], say: Callable[[str], None], limits: Limits | None = None
    ) -> None:
        self._environment = environment
        self._say = say
        self._limits = limits or Limits()
        self._guard = threading.RLock()
        self._client: docker.DockerClient | None = None
        self._no_engine: CompileError | None = None
        self._running: set[RunningContainer] = set()
        self._images: dict[BuildEnvironment, Image] = {}
        self._prepared: dict[BuildEnvironment, Image] = {}
        self._made: list[Image] = []
        self._reachable: dict[BuildEnvironment, bool] = {}
        self._checked: set[str] = set()
        self._locks: dict[BuildEnvironment, threading.Lock] = {}
        self._closed = False

    def identity(self, environment: BuildEnvironment) -> str | None:
        """Return the image's ID if the engine has the image; None otherwise, or without an engine."""
        try:
            image = self._engine().images.get(environment.image)
        except (CompileError, DockerException, OSError):
            return None
        return str(image.id) if _is_for(image, environment) else None

    def open(self, environment: BuildEnvironment) -> ContainerBuilder:
        """Return a builder that starts a container for each run.

        Raises:
            CompileError: if the image cannot be pulled, or the engine cannot run it.
        """
        with self._lock_of(environment), starting(environment.image):
            if environment not in self._images:
                image = self._image(environment)
                self._check_architecture(image, environment)
                self._images[environment] = image
        return ContainerBuilder(self, environment, self._images[environment])

    def open_shared(self, environment: BuildEnvironment) -> SharedContainer:
        """Return a builder that uses one container for all runs; only for code of our own.

        Its processes are those of root, but have no capabilities and no network either.
        """
        started = self.started(environment, _ROOT)
        return SharedContainer(started, environment, self.open(environment))

    def install(
        self,
        environment: BuildEnvironment,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        """Run a command as root with network; containers of the environment then start from what it left.

        Raises:
            CompileError: if the command exceeds a limit, or the engine fails.
        """
        base = self.open(environment).image
        started = self._started(
            environment, self._prepared.get(environment) or base, user=_ROOT, trusted=True
        )
        with starting(environment.image), started as (running, container):
            result = running.run(files, command, results=results, on_output=on_output)
            if result.code == 0:
                self._keep(environment, running, container)
        return result

    def make_reachable(self, environment: BuildEnvironment, python: str) -> bool:
        """Let all users reach an interpreter in a folder of root, as some images have it; once.

        Returns whether containers of the environment now start from an image in which they can.
        """
        with self._lock_of(environment), starting(environment.image):
            if environment not in self._reachable:
                image = self._prepared.get(environment) or self._images[environment]
                with self._started(environment, image, user=_ROOT) as (running, container):
                    command = ["sh", "-c", _MAKE_REACHABLE, python]
                    result = running.run({}, command, results=Path(), on_output=lambda _: None)
                    self._reachable[environment] = result.code == 0
                    if result.code == 0:
                        self._keep(environment, running, container)
            return self._reachable[environment]

    @contextmanager
    def started(self, environment: BuildEnvironment, user: int = UNPRIVILEGED) -> Iterator[RunningContainer]:
        """Start a container without privileges, and remove it at the end."""
        image = self._prepared.get(environment) or self._images[environment]
        with self._started(environment, image, user=user) as (running, _):
            yield running

    def close(self) -> None:
        """Remove all containers, even if commands are running in them, and the images made here."""
        with self._guard:
            self._closed = True
            for running in tuple(self._running):
                running.remove()
            for image in reversed(self._made):
                with suppress(DockerException, OSError):
                    image.remove(force=True, noprune=True)  # its parent may be an untagged image of the user
            if self._client is not None:
                self._client.close()

    def _keep(self, environment: BuildEnvironment, running: RunningContainer, container: Container) -> None:
        """Let containers of an environment start from what this one is now."""
        running.delete(FOLDER.partition("/")[0])
        self._prepared[environment] = container.commit()
        self._made.append(self._prepared[environment])

    def _lock_of(self, environment: BuildEnvironment) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(environment, threading.Lock())

    def _engine(self) -> docker.DockerClient:
        with self._guard:
            if self._no_engine is not None:
                raise self._no_engine
            if self._client is None:
                try:
                    client = docker.from_env(
                        environment=dict(self._environment), timeout=_SECONDS_TO_CONNECT, version="auto"
                    )
                    client.ping()
                except (DockerException, OSError) as error:
                    self._no_engine = CompileError.of(
                        f"no Docker engine is available: {error}", _START_ENGINE
                    )
                    raise self._no_engine from None
                self._client = client
            return self._client

    @cached_property
    def _machine(self) -> Mapping[str, Any]:
        with suppress(DockerException, OSError):  # images of runs that were killed
            self._engine().images.prune(filters=_LEFTOVER)
        return self._engine().info()

    @contextmanager
    def _started(
        self, environment: BuildEnvironment, image: Image, *, user: int, trusted: bool = False
    ) -> Iterator[tuple[RunningContainer, Container]]:
        with self._guard:  # so that `close` knows of every container
            if self._closed:
                raise CompileError.of("the run is being stopped", "run the command again")
            container = self._engine().containers.create(
                image,
                entrypoint=["cat"],
                command=[],
                stdin_open=True,
                platform=f"linux/{_NAMES[environment.platform.architecture]}",
                user=f"{user}:{user}",
                labels={LABEL: str(environment.platform)},
                auto_remove=True,
                security_opt=["no-new-privileges"],
                cap_drop=[] if trusted else ["ALL"],
                network_mode=None if trusted or environment.network else "none",
                **self._limited(),
            )
            running = RunningContainer(container, name=environment.image, user=user, limits=self._limits)
            self._running.add(running)
        try:
            running.start()
            yield running, container
        finally:
            running.remove()
            self._running.discard(running)

    def _limited(self) -> dict[str, Any]:
        memory = round(self._machine["MemTotal"] * _MEMORY)
        return {
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": round(max(1.0, self._machine["NCPU"] * _PROCESSORS) * 1e9),
            "pids_limit": self._limits.processes,
            "ulimits": [
                Ulimit(name="fsize", soft=self._limits.disk, hard=self._limits.disk),
                Ulimit(name="core", soft=0, hard=0),
            ],
        }

    def _image(self, environment: BuildEnvironment) -> Image:
        images = self._engine().images
        with suppress(ImageNotFound):
            image = images.get(environment.image)
            if _is_for(image, environment):
                return image
        self._pull(environment)
        image = images.get(environment.image)
        if not _is_for(image, environment):
            message = f"the image {environment.image} is not built for {environment.platform.architecture}"
            raise CompileError.of(message, "set builder_image to a name with {architecture} in it")
        return image

    def _pull(self, environment: BuildEnvironment) -> None:
        repository, tag = parse_repository_tag(environment.image)
        platform = f"linux/{_NAMES[environment.platform.architecture]}"
        self._say(f"pulling {environment.image}")
        hint = "check builder_image, and this machine's access to its registry"
        with engine_errors(f"the image {environment.image} cannot be pulled", hint):
            events = self._engine().api.pull(
                repository, tag=tag or "latest", platform=platform, stream=True, decode=True
            )
            for text in pulled_layers(events):
                self._say(f"pulling {environment.image}: {text}")

    def _check_architecture(self, image: Image, environment: BuildEnvironment) -> None:
        """Check whether the engine can run another architecture, which requires QEMU."""
        architecture, machine = environment.platform.architecture, str(self._machine["Architecture"])
        if machine == architecture.machine or str(image.id) in self._checked:
            return
        try:
            self._engine().containers.run(
                image,
                entrypoint=["true"],
                command=[],
                platform=f"linux/{_NAMES[architecture]}",
                remove=True,
                network_mode="none",
            )
        except (ContainerError, APIError) as error:
            message = (
                f"the Docker engine is {machine} and cannot run {architecture} images ({reason_of(error)})"
            )
            hint = (
                "add docker/setup-qemu-action before this step, run this target on a native runner"
                f" ({'ubuntu-24.04-arm' if architecture is Architecture.ARM64 else 'ubuntu-24.04'}),"
                " or pin a version that has a wheel"
            )
            raise CompileError.of(message, hint) from error
        self._checked.add(str(image.id))


def _is_for(image: Image, environment: BuildEnvironment) -> bool:
    return bool(image.attrs.get("Architecture") == _NAMES[environment.platform.architecture])
