"""This machine as a place to compile in, where it is what the runtime is made of.

That holds inside a container of the runtime's image, and on an Amazon Linux of the same generation
with the same interpreter. A build gets a folder, a PATH and nothing else of ours.
"""

import os
import platform as machine
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import AL2, AL2023
from entrypoint.wheels.source_builds import BuildEnvironment, BuildResult

_GENERATIONS = {"2": AL2, "2023": AL2023}
#: The variables a build keeps; LD_LIBRARY_PATH leads Lambda's interpreter to its own library.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_SECRETS = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "GITHUB_TOKEN",
)


def is_runtime(build_environment: BuildEnvironment, environment: Mapping[str, str], os_release: Path) -> bool:
    """Tell whether a workplace may as well be this machine.

    Not when the user chose another place or wants packages installed, nor without a compiler. And not
    while credentials are in our environment: on Linux, a build that runs as the same user can read it.
    """
    if build_environment.chosen or build_environment.system_packages or any(map(environment.get, _SECRETS)):
        return False
    words = _os_release(os_release)
    runtime = build_environment.platform.runtime
    return (
        words.get("ID") == "amzn"
        and _GENERATIONS.get(words.get("VERSION_ID", "")) == runtime.system
        and sys.version_info[:2] == runtime.python_version
        and machine.machine() == build_environment.platform.architecture.machine
        and any(shutil.which(name, path=environment.get("PATH")) for name in ("cc", "gcc"))
    )


class ThisMachine:
    """Runs commands here, each in a temporary folder."""

    name = "this machine"
    session = "this machine"
    python = sys.executable

    def __init__(self, *, environment: Mapping[str, str], os_release: Path, seconds: float = 3600.0) -> None:
        self._environment = environment
        self._seconds = seconds
        words = _os_release(os_release)
        self.identity = f"{words.get('PRETTY_NAME')}, CPython {machine.python_version()}, {machine.machine()}"

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, said: Callable[[str], None]
    ) -> BuildResult:
        """Run a command; it ends with all that it started when it takes too long."""
        with tempfile.TemporaryDirectory(prefix="lambda-layers-build-") as name:
            folder = Path(name)
            for path, data in files.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(data)
            code, output = self._execute(command, folder, said)
            left = (path for path in sorted((folder / "out").glob("*")) if path.is_file())
            return BuildResult(
                code=code, output=output, files={path.name: path.read_bytes() for path in left}
            )

    def _execute(self, command: Sequence[str], folder: Path, said: Callable[[str], None]) -> tuple[int, str]:
        kept = {name: self._environment[name] for name in _KEPT if name in self._environment}
        expired = threading.Event()
        with subprocess.Popen(  # noqa: S603 - no shell in between
            command,
            cwd=folder,
            env={**kept, "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:

            def expire() -> None:
                expired.set()
                os.killpg(process.pid, signal.SIGKILL)

            timer = threading.Timer(self._seconds, expire)
            timer.start()
            output = ""
            try:
                for line in process.stdout or ():
                    said(line.rstrip("\n"))
                    output += line
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                timer.cancel()
        if expired.is_set():
            message = f"it took longer than {self._seconds / 60:g} minutes"
            raise CompileError.of(message, "pin a version that has a wheel")
        return process.returncode, output


def _os_release(path: Path) -> dict[str, str]:
    """Read https://www.freedesktop.org/software/systemd/man/latest/os-release.html."""
    try:
        text = path.read_text("utf-8")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}
