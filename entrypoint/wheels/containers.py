"""Containers as builders: the only importer of the Docker SDK.

Files are copied in and out as tar streams. Nothing is mounted, because inside a GitHub action the paths
of the engine's host are different. No variables are set in containers, because `docker inspect` shows
them. A container runs until its standard input is closed, so it ends even if this process is killed.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import docker
from docker.errors import APIError, ContainerError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.utils import parse_repository_tag
from docker.utils.socket import frames_iter

from entrypoint.errors import CompileError
from entrypoint.index.network_settings import FOLDER
from entrypoint.manifest.runtimes import Architecture
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult
from entrypoint.wheels.engine_streams import lines, packed, pulled_layers, unpacked

LABEL = "lambda-layer-pipeline.compiles-for"
_NAMES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
_ROOT = "lambda-layers"
_SECONDS_TO_CONNECT = 60
#: The share of the engine's memory and processors that a build can use.
_SHARE = 0.75
_PROCESSES = 4096
_OUTPUT_KEPT = 1 << 20
_START_ENGINE = "start Docker, set DOCKER_HOST to a Docker engine, or pin a version that has a wheel"


class Containers:
    """Starts containers when they are needed, shares them, and removes them at the end.

    Args:
        environment: DOCKER_HOST and the other variables that `docker` reads.
        say: reports slow steps.
        seconds: the time limit of a command.
    """

    def __init__(
        self, *, environment: Mapping[str, str], say: Callable[[str], None], seconds: float = 3600.0
    ) -> None:
        self._environment = environment
        self._say = say
        self._seconds = seconds
        self._guard = threading.RLock()
        self._client: docker.DockerClient | None = None
        self._no_engine: CompileError | None = None
        self._open: dict[BuildEnvironment, BuilderContainer] = {}
        self._opening: dict[BuildEnvironment, threading.Lock] = {}
        self._closed = False

    def identity(self, environment: BuildEnvironment) -> str | None:
        """Return the image's ID if the engine has the image; None otherwise, or without an engine."""
        try:
            image = self._engine().images.get(environment.image)
        except (CompileError, DockerException, OSError):
            return None
        return str(image.id) if _is_for(image, environment) else None

    def open(self, environment: BuildEnvironment) -> "BuilderContainer":
        """Return the container of a build environment, started if necessary."""
        with self._guard:
            opening = self._opening.setdefault(environment, threading.Lock())
        with opening:
            existing = self._open.get(environment)
            if existing is not None and not existing.removed:
                return existing
            with _engine_errors(
                f"a container of {environment.image} cannot be started", "check the log of the Docker engine"
            ):
                return self._start(environment)

    def close(self) -> None:
        """Remove all containers, even if commands are running in them."""
        with self._guard:
            self._closed = True
            for container in self._open.values():
                container.remove()
            if self._client is not None:
                self._client.close()

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

    def _start(self, environment: BuildEnvironment) -> "BuilderContainer":
        engine, image = self._engine(), self._image(environment)
        machine = engine.info()
        if machine["Architecture"] != environment.platform.architecture.machine:
            _try_emulation(engine, image, environment, str(machine["Architecture"]))
        with self._guard:  # so that `close` knows of every container
            if self._closed:
                raise CompileError.of("the run is being stopped", "run the command again")
            container = engine.containers.create(
                image,
                entrypoint=["cat"],
                command=[],
                stdin_open=True,
                platform=f"linux/{_NAMES[environment.platform.architecture]}",
                user="0",  # the image's default user may not be able to install packages
                labels={LABEL: str(environment.platform)},
                auto_remove=True,
                mem_limit=round(machine["MemTotal"] * _SHARE),
                memswap_limit=round(machine["MemTotal"] * _SHARE),
                nano_cpus=round(max(1.0, machine["NCPU"] * _SHARE) * 1e9),
                pids_limit=_PROCESSES,
            )
            opened = BuilderContainer(container, image, environment, seconds=self._seconds)
            self._open[environment] = opened
            opened.start()
        return opened

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
        with _engine_errors(f"the image {environment.image} cannot be pulled", hint):
            events = self._engine().api.pull(
                repository, tag=tag or "latest", platform=platform, stream=True, decode=True
            )
            for text in pulled_layers(events):
                self._say(f"pulling {environment.image}: {text}")


class BuilderContainer:
    """A running container of a builder image; commands can run in it concurrently."""

    def __init__(
        self, container: Container, image: Image, environment: BuildEnvironment, *, seconds: float
    ) -> None:
        self.name = environment.image
        self.identity = str(image.id)
        self.session = str(container.id)
        self.python = f"python{'.'.join(map(str, environment.platform.runtime.python_version or ()))}"
        self.removed = False
        self._stdin: Any = None
        self._container = container
        self._seconds = seconds
        self._guard = threading.Lock()
        self._folders: dict[str, threading.Lock] = {}

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, on_output: Callable[[str], None]
    ) -> BuildResult:
        """Run a command in its own folder, whose path depends only on the files."""
        digest = hashlib.sha256()
        for name, data in sorted(files.items()):
            if not name.startswith(f"{FOLDER}/"):
                digest.update(name.encode() + b"\0" + data)
        folder = f"{_ROOT}/{digest.hexdigest()[:16]}"
        errors = _engine_errors(
            f"the container of {self.name} stopped unexpectedly", "check the log of the Docker engine"
        )
        with self._folder_lock(folder), errors, self._limited():
            self._container.put_archive("/", packed(folder, files))
            try:
                code, output = self._execute(command, f"/{folder}", on_output)
                return BuildResult(code=code, output=output, files=self._outputs(f"/{folder}/out"))
            finally:
                with suppress(APIError, OSError):
                    self._execute(["rm", "-rf", f"/{folder}"], "/", lambda _: None)

    def _folder_lock(self, folder: str) -> threading.Lock:
        """Return the lock of a folder: commands with the same files share it and run one at a time."""
        with self._guard:
            return self._folders.setdefault(folder, threading.Lock())

    def start(self) -> None:
        """Start the container, with its standard input open."""
        self._stdin = self._container.attach_socket(params={"stdin": 1, "stream": 1})
        self._container.start()

    def remove(self) -> None:
        """Remove the container, even if commands are running in it."""
        self.removed = True
        with suppress(DockerException, OSError):
            self._container.remove(force=True, v=True)
        if self._stdin is not None:
            _close(self._stdin)

    def _execute(
        self, command: Sequence[str], folder: str, on_output: Callable[[str], None]
    ) -> tuple[int, str]:
        api = self._container.client.api  # type: ignore[union-attr]
        job = api.exec_create(self.session, list(command), workdir=folder)["Id"]
        output = ""
        for line in lines(_chunks(api.exec_start(job, socket=True))):
            on_output(line)
            output = f"{output}{line}\n"[-_OUTPUT_KEPT:]
        return api.exec_inspect(job)["ExitCode"], output

    def _outputs(self, folder: str) -> dict[str, bytes]:
        try:
            stream, _ = self._container.get_archive(folder)
        except NotFound:
            return {}
        return unpacked(stream)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Remove the container after the time limit; the engine cannot stop a single command."""
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self.remove()

        timer = threading.Timer(self._seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (DockerException, OSError):
            if not expired.is_set():
                raise
        finally:
            timer.cancel()
        if expired.is_set():
            message = f"the command timed out after {self._seconds / 60:g} minutes"
            raise CompileError.of(message, "pin a version that has a wheel")


def _is_for(image: Image, environment: BuildEnvironment) -> bool:
    return bool(image.attrs.get("Architecture") == _NAMES[environment.platform.architecture])


def _try_emulation(
    engine: docker.DockerClient, image: Image, environment: BuildEnvironment, machine: str
) -> None:
    """Check whether the engine can run another architecture, which requires QEMU."""
    architecture = environment.platform.architecture
    try:
        engine.containers.run(
            image, entrypoint=["true"], command=[], platform=f"linux/{_NAMES[architecture]}", remove=True
        )
    except (ContainerError, APIError) as error:
        message = f"the Docker engine is {machine} and cannot run {architecture} images ({_reason(error)})"
        hint = (
            "add docker/setup-qemu-action before this step, run this target on a native runner"
            f" ({'ubuntu-24.04-arm' if architecture is Architecture.ARM64 else 'ubuntu-24.04'}),"
            " or pin a version that has a wheel"
        )
        raise CompileError.of(message, hint) from error


def _chunks(stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - one of several socket types
    """Yield the output of a command; the SDK's own iterator leaves the connection open."""
    try:
        frames: Iterator[tuple[int, bytes]] = frames_iter(stream, tty=False)  # type: ignore[no-untyped-call]
        yield from (chunk for _, chunk in frames)
    finally:
        _close(stream)


def _close(stream: Any) -> None:  # noqa: ANN401
    getattr(stream, "_response", stream).close()  # closing only the socket leaves the connection open


@contextmanager
def _engine_errors(message: str, hint: str) -> Iterator[None]:
    """Turn errors of the engine into a CompileError."""
    try:
        yield
    except (DockerException, OSError) as error:
        raise CompileError.of(f"{message}: {_reason(error)}", hint) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ContainerError):
        output: object = error.stderr  # bytes; the stubs are wrong
        text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output or "")
        return " ".join(text.split()) or f"exit code {error.exit_status}"
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or error)
