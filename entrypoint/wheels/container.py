"""One container of a builder: files go in, a command runs, its output and results come out.

Files are copied in and out as tar streams. Nothing is mounted, because inside a GitHub action the paths
of the engine's host are different. No secrets are set as variables, because `docker inspect` shows them. A
container runs until its standard input is closed, so it ends even if this process is killed.
"""

import tarfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from docker.errors import APIError, ContainerError, DockerException, NotFound
from docker.models.containers import Container

from entrypoint.errors import CompileError
from entrypoint.wheels.build_environment import BuildResult, Limits
from entrypoint.wheels.engine_streams import Log, lines, packed, unpack

FOLDER = "lambda-layers/build"
"""The working folder of a command; always the same, so that builds are reproducible."""
_SECONDS_BETWEEN_CHECKS = 2.0
_CHUNK = 1 << 20
_FRAME_HEADER = 8
"""Bytes: the stream, three zeros, and the length of the frame."""
_PIN_ANOTHER = "pin a version that has a wheel"


class RunningContainer:
    """A container in which commands run.

    Args:
        container: the container, which is not started yet.
        name: its image in messages.
        user: the user ID of its processes, and the owner of the files.
        limits: what a command may use.
    """

    def __init__(self, container: Container, *, name: str, user: int, limits: Limits) -> None:
        self.removed = False
        self._container = container
        self._name = name
        self._user = user
        self._limits = limits
        self._stdin: Any = None

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

    def run(
        self,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
        folder: str = FOLDER,
    ) -> BuildResult:
        """Run a command in a folder; see `Builder.run`.

        Raises:
            CompileError: if the command exceeds a limit, or the container stops.
        """
        errors = engine_errors(
            f"the container of {self._name} stopped unexpectedly", "check the log of the Docker engine"
        )
        with errors, self._limited(), packed(folder, files, owner=self._user) as archive:
            self._container.put_archive("/", archive)
            code, output = self._execute(command, f"/{folder}", on_output)
            return BuildResult(code=code, output=output, files=self._results(f"/{folder}/out", results))

    def delete(self, folder: str) -> None:
        """Delete a folder, with whatever a command left in it."""
        with suppress(APIError, OSError):
            self._execute(["rm", "-rf", f"/{folder}"], "/", lambda _: None)

    def _execute(
        self, command: Sequence[str], folder: str, on_output: Callable[[str], None]
    ) -> tuple[int, str]:
        api = self._container.client.api  # type: ignore[union-attr]
        home = {"HOME": folder}
        job = api.exec_create(self._container.id, list(command), workdir=folder, environment=home)["Id"]
        log = Log(self._limits.log, on_output)
        for line in lines(_chunks(api.exec_start(job, socket=True))):
            log.add(line)
        return api.exec_inspect(job)["ExitCode"], str(log)

    def _results(self, folder: str, results: Path) -> dict[str, Path]:
        try:
            stream, _ = self._container.get_archive(folder, chunk_size=_CHUNK)
        except NotFound:
            return {}
        try:
            return unpack(stream, results, limit=self._limits.results)
        finally:
            cast("Generator[bytes]", stream).close()

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Remove the container when a limit is exceeded; the engine cannot stop a single command."""
        done, exceeded = threading.Event(), list[str]()

        def watch() -> None:
            waited = 0.0
            while not done.wait(min(_SECONDS_BETWEEN_CHECKS, self._limits.seconds - waited)):
                waited += _SECONDS_BETWEEN_CHECKS
                if reason := self._exceeded(waited):
                    exceeded.append(reason)
                    self.remove()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        except (DockerException, OSError, tarfile.TarError):
            if not exceeded:
                raise
        finally:
            done.set()
            watcher.join()
        if exceeded:
            raise CompileError.of(exceeded[0], _PIN_ANOTHER)

    def _exceeded(self, waited: float) -> str | None:
        if waited >= self._limits.seconds:
            return f"the command timed out after {self._limits.seconds / 60:g} minutes"
        with suppress(DockerException, OSError):
            api = self._container.client.api  # type: ignore[union-attr]
            for shown in api.containers(size=True, filters={"id": self._container.id}):
                if shown.get("SizeRw", 0) > self._limits.disk:
                    return f"the command wrote more than {self._limits.disk / 1e9:,.1f} GB to the disk"
        return None


def _chunks(stream: Any) -> Iterator[bytes]:  # noqa: ANN401 - one of several socket types
    """Yield the output of a command, as frames of the engine's API.

    The SDK's own iterator leaves the connection open. It also reads from the socket below the buffer of the
    HTTP client, and loses what arrived together with the header of the response.
    """
    try:
        getattr(stream, "_sock", stream).settimeout(None)  # a command may print nothing for a long time
        buffered = stream._response.raw._fp.fp  # noqa: SLF001
        while len(header := buffered.read(_FRAME_HEADER)) == _FRAME_HEADER:
            yield buffered.read(int.from_bytes(header[4:], "big"))
    finally:
        _close(stream)


def _close(stream: Any) -> None:  # noqa: ANN401
    getattr(stream, "_response", stream).close()  # closing only the socket leaves the connection open


@contextmanager
def engine_errors(message: str, hint: str) -> Iterator[None]:
    """Turn errors of the engine into a CompileError."""
    try:
        yield
    except (DockerException, OSError, tarfile.TarError) as error:
        raise CompileError.of(f"{message}: {reason_of(error)}", hint) from error


def reason_of(error: Exception) -> str:
    """Return the engine's explanation of an error."""
    if isinstance(error, ContainerError):
        output: object = error.stderr  # bytes; the stubs are wrong
        text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output or "")
        return " ".join(text.split()) or f"exit code {error.exit_status}"
    explanation = error.explanation if isinstance(error, APIError) else None
    return str(explanation or error)


def starting(image: str) -> AbstractContextManager[None]:
    """Turn errors of the engine into one that says that no container of an image can be started."""
    return engine_errors(f"a container of {image} cannot be started", "check the log of the Docker engine")
