"""A Lambda to try layers in: AWS's Runtime Interface Emulator, in a container of the runtime's image.

In: a runtime, a layer's archive and a handler's source. Out: the handler's answer, or the error as
Lambda's API gives it. A custom runtime is the layer's bootstrap, and its handler a program. The emulator is AWS's own (https://github.com/aws/aws-lambda-runtime-interface-emulator),
out of the wheel of the SAM CLI; what it starts is their runtime interface client, as it is in Lambda.

As there, all but /tmp is read-only, and the layer stands at /opt. Not as there: the C library is the
image's, and memory has no limit.
"""

import io
import json
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

import docker
from docker.errors import ImageNotFound
from docker.models.containers import Container

from entrypoint.manifest.runtimes import Architecture

_EMULATOR = "aws-sam-cli==1.170.0"
_CLIENT = "awslambdaric==4.2.2"
_SECONDS = 60
_IMAGE_OF_CUSTOM = "python3.13"
"""The image that is used for provided.al2023: of the same system, and with a Python to call the emulator."""
_FOLDERS = ("/opt", "/var/task", "/emulator")
_INVOKE = """
import sys, time, urllib.error, urllib.request
url = "http://127.0.0.1:8080/2015-03-31/functions/function/invocations"
seconds = float(sys.argv[2])
deadline = time.monotonic() + seconds
while True:
    try:
        answer = urllib.request.urlopen(url, sys.argv[1].encode(), seconds)
        break
    except urllib.error.HTTPError as error:
        answer = error
        break
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
            raise
        time.sleep(0.02)
sys.stdout.buffer.write(answer.read())
"""
_File = tuple[str, bytes, int]
"""A path, its content, and its mode with the kind of the file."""


class NotStartedError(Exception):
    """No runtime answered; the text is the emulator's log."""


class LambdaEmulator:
    """Invokes handlers on an engine's own architecture.

    Args:
        engine: the Docker engine.
        cache: a folder to keep the emulator and the client in; processes may share it.
    """

    def __init__(self, engine: docker.DockerClient, cache: Path) -> None:
        self._engine = engine
        self._cache = cache
        #: What the emulator and the function wrote at the last invocation.
        self.log = ""
        machine = engine.info()["Architecture"]
        self.architecture = next(each for each in Architecture if each.machine == machine)

    def invoke(self, runtime: str, layer: Path, handler: str, event: object = None) -> Any:
        """Return what `handler` of the module's source answers to the event, in a Lambda of its own."""
        is_custom = runtime.startswith("provided.")
        image = _IMAGE_OF_CUSTOM if is_custom else runtime
        python = f"/var/lang/bin/{image}"
        name, mode = ("handler", 0o755) if is_custom else ("handler.py", 0o644)
        files = [
            *_members(layer, "opt"),
            (f"var/task/{name}", handler.encode(), mode),
            *self._emulator_files(image),
        ]
        client = ["/opt/bootstrap"] if is_custom else [python, "-m", "awslambdaric", "handler.handler"]
        with self._started(image, _packed(files), client) as container:
            command = [python, "-I", "-c", _INVOKE, json.dumps(event), str(_SECONDS)]
            code, (out, err) = container.exec_run(command, demux=True)
            assert code == 0, (err or b"").decode() + container.logs().decode()
            self.log = container.logs().decode()
            if not out:
                raise NotStartedError(self.log)
        return json.loads(out)

    @contextmanager
    def _started(self, runtime: str, files: bytes, client: list[str]) -> Iterator[Container]:
        """Start the function; what it may only read is filled in by a container that never runs."""
        image = self._image(runtime)
        filler = self._engine.containers.create(image, volumes=list(_FOLDERS))
        created = [filler]
        try:
            filler.put_archive("/", files)
            container = self._engine.containers.create(
                image,
                entrypoint=["/emulator/aws-lambda-rie"],
                command=client,
                working_dir="/var/task",
                environment=_environment(runtime),
                volumes_from=[f"{filler.id}:ro"],
                read_only=True,
                tmpfs={"/tmp": "size=512m"},
                network_mode="none",
            )
            created.append(container)
            container.start()
            yield container
        finally:
            for each in reversed(created):
                each.remove(force=True, v=True)

    def _image(self, runtime: str) -> str:
        name = f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}"
        try:
            self._engine.images.get(name)
        except ImageNotFound:
            self._engine.images.pull(name)
        return name

    def _emulator_files(self, runtime: str) -> Iterator[_File]:
        [wheel] = downloaded(self._cache, _EMULATOR, "--no-deps")
        with zipfile.ZipFile(wheel) as archive:
            binary = archive.read(f"samcli/local/rapid/aws-lambda-rie-{self.architecture}")
        yield "emulator/aws-lambda-rie", binary, 0o755
        for wheel in downloaded(self._cache, _CLIENT, *wheels_for(runtime, self.architecture)):
            yield from _members(wheel, "emulator/client")


def wheels_for(runtime: str, architecture: Architecture) -> tuple[str, ...]:
    """Tell pip to take wheels for a runtime."""
    return (
        "--only-binary=:all:",
        f"--platform=manylinux2014_{architecture.machine}",
        f"--python-version={runtime.removeprefix('python')}",
    )


def downloaded(cache: Path, requirement: str, *options: str) -> list[Path]:
    """Return what `pip download` fetches for a requirement, from the cache where it did so before."""
    kept = cache / "".join(each if each.isalnum() else "-" for each in " ".join((requirement, *options)))
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / "wheels"
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--dest",
                fresh,
                *options,
                requirement,
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
            with suppress(OSError):  # another process was first
                fresh.rename(kept)
    return sorted(kept.iterdir())


def _environment(runtime: str) -> Mapping[str, str]:
    """Return https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, as far as it matters."""
    libraries = (
        "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    )
    modules = ("/var/task", f"/opt/python/lib/{runtime}/site-packages", "/opt/python", "/emulator/client")
    return {
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(_SECONDS),
        "LAMBDA_TASK_ROOT": "/var/task",
        "LD_LIBRARY_PATH": libraries,
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": ":".join((*modules, "/var/runtime")),
        "TZ": ":UTC",
        "_HANDLER": "handler",
    }


def _members(archive: Path, folder: str) -> Iterator[_File]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if not info.is_dir():
                yield f"{folder}/{info.filename}", opened.read(info), info.external_attr >> 16


def _packed(files: Iterable[_File]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content, mode in files:
            info = tarfile.TarInfo(str(PurePosixPath(path)))
            info.mode = stat.S_IMODE(mode)
            if stat.S_ISLNK(mode):
                info.type, info.linkname = tarfile.SYMTYPE, content.decode()
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
