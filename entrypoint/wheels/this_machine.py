"""This machine as a builder, if it is the same system as the runtime.

That is the case in a container of the runtime's image, and on Amazon Linux of the same generation with
the same interpreter. A build gets a temporary folder and a few variables, such as PATH.
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
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult

_GENERATIONS = {"2": AL2, "2023": AL2023}
#: The variables that a build gets; Lambda's interpreter finds its library by LD_LIBRARY_PATH.
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
    """Whether this machine can serve as a build environment.

    It cannot if the user chose an image or system packages, or if there is no compiler. Nor can it while
    our environment contains credentials: on Linux, processes of the same user can read it.
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
    """Runs commands on this machine, each in a temporary folder."""

    name = "this machine"
    session = "this machine"
    python = sys.executable

    def __init__(self, *, environment: Mapping[str, str], os_release: Path, seconds: float = 3600.0) -> None:
        self._environment = environment
        self._seconds = seconds
        words = _os_release(os_release)
        self.identity = f"{words.get('PRETTY_NAME')}, CPython {machine.python_version()}, {machine.machine()}"

    def run(
        self, files: Mapping[str, bytes], command: Sequence[str], *, on_output: Callable[[str], None]
    ) -> BuildResult:
        """Run a command; after the time limit, kill it and all processes that it started."""
        with tempfile.TemporaryDirectory(prefix="lambda-layers-build-") as name:
            folder = Path(name)
            for path, data in files.items():
                (folder / path).parent.mkdir(exist_ok=True)
                (folder / path).write_bytes(data)
            code, output = self._execute(command, folder, on_output)
            outputs = (path for path in sorted((folder / "out").glob("*")) if path.is_file())
            return BuildResult(
                code=code, output=output, files={path.name: path.read_bytes() for path in outputs}
            )

    def _execute(
        self, command: Sequence[str], folder: Path, on_output: Callable[[str], None]
    ) -> tuple[int, str]:
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
                    on_output(line.rstrip("\n"))
                    output += line
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                timer.cancel()
        if expired.is_set():
            message = f"the command timed out after {self._seconds / 60:g} minutes"
            raise CompileError.of(message, "pin a version that has a wheel")
        return process.returncode, output


def _os_release(path: Path) -> dict[str, str]:
    """Read /etc/os-release: https://www.freedesktop.org/software/systemd/man/latest/os-release.html."""
    try:
        text = path.read_text("utf-8")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}
