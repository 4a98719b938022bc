"""Containers to compile in: the only importer of the Docker SDK.

Files go in and out as tar streams: inside a GitHub action the engine's paths are not ours, so nothing
is mounted. No variable of ours is set in a container, as `docker inspect` shows those to everybody. A
container lives as long as it has our end of its standard input, so it ends even when we are killed.
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
from entrypoint.wheels.engine_streams import lines, packed, pulled_layers, unpacked
from entrypoint.wheels.source_builds import BuildEnvironment, BuildResult

LABEL = "lambda-layer-pipeline.compiles-for"
_NAMES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
_ROOT = "lambda-layers"
_SECONDS_TO_CONNECT = 60
#: What a build may take of the engine's memory and processors, so that its machine stays usable.
_SHARE = 0.75
_PROCESSES = 4096
_OUTPUT_KEPT = 1 << 20
_NO_ENGINE = "start Docker or point DOCKER_HOST to an engine, or pin a version that has a wheel"


class Containers:
    """Starts containers where they are needed, shares them, and removes them at the end.

    Args:
        environment: for DOCKER_HOST and what else `docker` looks at.
        say: hears what takes a while.
        seconds: the time limit of one command.
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
        """Return the image's id where an engine has it already; nothing is fetched, nothing fails."""
        try:
            image = self._engine().images.get(environment.image)
        except (CompileError, DockerException, OSError):
            return None
        return str(image.id) if _is_for(image, environment) else None

    def open(self, environment: BuildEnvironment) -> "BuilderContainer":
        """Give the container of a workplace, started where it does not run yet."""
        with self._guard:
            opening = self._opening.setdefault(environment, threading.Lock())
        with opening:
            standing = self._open.get(environment)
            if standing is not None and not standing.ended:
                return standing
            with _told(f"a container of {environment.image} cannot be started", "see the engine's log"):
                return self._start(environment)

    def close(self) -> None:
        """Remove every container, whatever still runs in it."""
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
                    self._no_engine = CompileError.of(f"there is no Docker engine: {error}", _NO_ENGINE)
                    raise self._no_engine from None
                self._client = client
            return self._client

    def _start(self, environment: BuildEnvironment) -> "BuilderContainer":
        engine, image = self._engine(), self._image(environment)
        machine = engine.info()
        if machine["Architecture"] != environment.platform.architecture.machine:
            _try_emulation(engine, image, environment, str(machine["Architecture"]))
        with self._guard:  # so that what is created is known to `close`
            if self._closed:
                raise CompileError.of("the run is being stopped", "run it again")
            container = engine.containers.create(
                image,
                entrypoint=["cat"],
                command=[],
                stdin_open=True,
                platform=f"linux/{_NAMES[environment.platform.architecture]}",
                user="0",  # an image may prefer another, which could not install anything
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
            message = f"the image {environment.image} is not for {environment.platform.architecture}"
            raise CompileError.of(message, "name one with {architecture} in it under builder_image")
        return image

    def _pull(self, environment: BuildEnvironment) -> None:
        repository, tag = parse_repository_tag(environment.image)
        platform = f"linux/{_NAMES[environment.platform.architecture]}"
        self._say(f"pulling {environment.image}")
        hint = "check builder_image, and that this machine may read its registry"
        with _told(f"the image {environment.image} cannot be pulled", hint):
            events = self._engine().api.pull(
                repository, tag=tag or "latest", platform=platform, stream=True, decode=True
            )
            for text in pulled_layers(events):
                self._say(f"pulling {environment.image}: {text}")


class BuilderContainer:
    """A running container of a builder image; several commands may run in it at once."""

    def __init__(
        self, container: Container, image: Image, environment: BuildEnvironment, *, seconds: float
    ) -> None:
        self.name = environment.image
        self.identity = str(image.id)
        self.session = str(container.id)
        self.python = f"python{'.'.join(map(str, environment.platform.runtime.python_version or ()))}"
        self.ended = False
        self._lifeline: Any = None
        self._container = container
        self._seconds = seconds
        self._guard = threading.Lock()
        self._folders: dict[str, threading.Lock] = {}

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, said: Callable[[str], None]
    ) -> BuildResult:
        """Run a command in a folder of its own, whose path depends on nothing but the files."""
        digest = hashlib.sha256()
        for name, data in sorted(files.items()):
            if not name.startswith(f"{FOLDER}/"):
                digest.update(name.encode() + b"\0" + data)
        folder = f"{_ROOT}/{digest.hexdigest()[:16]}"
        told = _told(f"the container of {self.name} broke off", "see the engine's log")
        with self._alone_in(folder), told, self._limited():
            self._container.put_archive("/", packed(folder, files))
            try:
                code, output = self._execute(command, f"/{folder}", said)
                return BuildResult(code=code, output=output, files=self._left(f"/{folder}/out"))
            finally:
                with suppress(APIError, OSError):
                    self._execute(["rm", "-rf", f"/{folder}"], "/", lambda _: None)

    def _alone_in(self, folder: str) -> threading.Lock:
        """Let two commands with the very same files wait for each other: their folder is one."""
        with self._guard:
            return self._folders.setdefault(folder, threading.Lock())

    def start(self) -> None:
        """Start it, and hold the standard input that it waits for."""
        self._lifeline = self._container.attach_socket(params={"stdin": 1, "stream": 1})
        self._container.start()

    def remove(self) -> None:
        """Remove it, whatever still runs in it."""
        self.ended = True
        with suppress(DockerException, OSError):
            self._container.remove(force=True, v=True)
        if self._lifeline is not None:
            _hang_up(self._lifeline)

    def _execute(self, command: Sequence[str], folder: str, said: Callable[[str], None]) -> tuple[int, str]:
        api = self._container.client.api  # type: ignore[union-attr]
        job = api.exec_create(self.session, list(command), workdir=folder)["Id"]
        output = ""
        for line in lines(_chunks(api.exec_start(job, socket=True))):
            said(line)
            output = f"{output}{line}\n"[-_OUTPUT_KEPT:]
        return api.exec_inspect(job)["ExitCode"], output

    def _left(self, folder: str) -> dict[str, bytes]:
        try:
            stream, _ = self._container.get_archive(folder)
        except NotFound:
            return {}
        return unpacked(stream)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """End the container when a command takes too long; the engine cannot end the command alone."""
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
            message = f"it took longer than {self._seconds / 60:g} minutes"
            raise CompileError.of(message, "pin a version that has a wheel")


def _is_for(image: Image, environment: BuildEnvironment) -> bool:
    return bool(image.attrs.get("Architecture") == _NAMES[environment.platform.architecture])


def _try_emulation(
    engine: docker.DockerClient, image: Image, environment: BuildEnvironment, machine: str
) -> None:
    """Find out whether the engine runs a foreign architecture, which takes QEMU in its kernel."""
    architecture = environment.platform.architecture
    try:
        engine.containers.run(
            image, entrypoint=["true"], command=[], platform=f"linux/{_NAMES[architecture]}", remove=True
        )
    except (ContainerError, APIError) as error:
        message = f"the Docker engine is {machine} and cannot run {architecture} ({_reason(error)})"
        hint = (
            "add docker/setup-qemu-action before this step, or run this target on a native runner"
            f" ({'ubuntu-24.04-arm' if architecture is Architecture.ARM64 else 'ubuntu-24.04'}),"
            " or pin a version that has a wheel"
        )
        raise CompileError.of(message, hint) from error


def _chunks(stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - a socket of one kind or another
    """Read what a command prints; the SDK's own iterator would leave the connection open."""
    try:
        frames: Iterator[tuple[int, bytes]] = frames_iter(stream, tty=False)  # type: ignore[no-untyped-call]
        yield from (chunk for _, chunk in frames)
    finally:
        _hang_up(stream)


def _hang_up(stream: Any) -> None:  # noqa: ANN401
    getattr(stream, "_response", stream).close()  # closing the socket alone would leave the connection open


@contextmanager
def _told(message: str, hint: str) -> Iterator[None]:
    """Tell what an engine says when it fails."""
    try:
        yield
    except (DockerException, OSError) as error:
        raise CompileError.of(f"{message}: {_reason(error)}", hint) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ContainerError):
        output: object = error.stderr  # bytes, whatever the stubs say
        text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output or "")
        return " ".join(text.split()) or f"exit code {error.exit_status}"
    said = error.explanation if isinstance(error, APIError) else None
    return str(said or error)
