"""This machine as a builder, if the operator allows it and it is the same system as the runtime.

That is the case in a container of the runtime's image, and on Amazon Linux of the same generation with the
same interpreter. Where this process is root, each build runs as a user of its own. Otherwise builds are
refused if this user has credentials: processes of one user can read each other's variables and files.
"""

import os
import platform as machine
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import AL2, AL2023
from entrypoint.wheels.build_environment import BuildEnvironment, BuildResult, Limits
from entrypoint.wheels.chunks import CHUNK
from entrypoint.wheels.engine_streams import Log, lines, too_large

ON_THIS_MACHINE = "LAMBDA_LAYERS_BUILD_ON_THIS_MACHINE"
"""The variable with which an operator allows builds outside a container."""
_GENERATIONS = {"2": AL2, "2023": AL2023}
#: User IDs that systemd gives to services while they run, so no user of the machine has one.
_USERS = range(61184, 65520)
_RUNS = count()
_PATH = "/var/lang/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIN_ANOTHER = "pin a version that has a wheel"
#: Names of variables that are likely to hold credentials, or say where they are.
_SECRET = re.compile(
    r"^AWS_(?!(?:DEFAULT_)?REGION$|PAGER$)|^ACTIONS_|TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|PRIVATE_?KEY",
    re.IGNORECASE,
)
_URL_WITH_PASSWORD = re.compile(r"//[^/\s?#]*:[^/\s?#]+@")
_CREDENTIAL_FILES = (
    ".aws",
    ".netrc",
    ".git-credentials",
    ".docker/config.json",
    ".config/gh",
    ".config/pip/pip.conf",
    ".pip/pip.conf",
    ".pypirc",
)


def is_allowed(environment: Mapping[str, str]) -> bool:
    """Whether the operator allows builds on this machine."""
    return environment.get(ON_THIS_MACHINE, "").lower() in {"1", "true", "yes"}


def is_runtime(build_environment: BuildEnvironment, os_release: Path) -> bool:
    """Whether this machine is the system that packages must be built on, and has a compiler.

    It is not if the user chose an image or system packages.
    """
    if build_environment.chosen or build_environment.system_packages:
        return False
    words = _os_release(os_release)
    runtime = build_environment.platform.runtime
    return (
        words.get("ID") == "amzn"
        and _GENERATIONS.get(words.get("VERSION_ID", "")) == runtime.system
        and sys.version_info[:2] == runtime.python_version
        and machine.machine() == build_environment.platform.architecture.machine
        and any(shutil.which(name, path=_PATH) for name in ("cc", "gcc"))
    )


def why_exposed(environment: Mapping[str, str], *, user: int | None = None) -> str | None:
    """Return which credentials a build on this machine could read, if any.

    As root, builds run as another user, who can only read files that are open to everyone.
    """
    is_root = (os.getuid() if user is None else user) == 0
    home = Path(environment.get("HOME") or "/")
    files = [file for name in _CREDENTIAL_FILES for file in _files_of(home / name)]
    if is_root:
        files = [path for path in files if _is_open(path)]
        return f"every user can read {files[0]}" if files else None
    names = (
        name
        for name, value in environment.items()
        if _SECRET.search(name) or _URL_WITH_PASSWORD.search(value)
    )
    if name := next(iter(sorted(names)), None):
        return f"a build would run as the same user, who has credentials in {name}"
    return f"a build would run as the same user, who has {files[0]}" if files else None


def _files_of(path: Path) -> Iterator[Path]:
    yield from (file for file in (path, *sorted(path.rglob("*"))) if file.is_file())


def _is_open(path: Path) -> bool:
    """Whether everyone can reach and read a file."""
    return bool(path.stat().st_mode & stat.S_IROTH) and all(
        parent.stat().st_mode & stat.S_IXOTH for parent in path.parents
    )


class ThisMachine:
    """Runs commands on this machine, each in a temporary folder with an almost empty environment."""

    name = "this machine"
    python = sys.executable

    def __init__(self, *, os_release: Path, network: bool = False, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._network = network
        words = _os_release(os_release)
        self.identity = f"{words.get('PRETTY_NAME')}, CPython {machine.python_version()}, {machine.machine()}"

    def run(
        self,
        files: Mapping[str, bytes | Path],
        command: Sequence[str],
        *,
        results: Path,
        on_output: Callable[[str], None],
    ) -> BuildResult:
        """Run a command; when it ends or exceeds a limit, kill all processes that it started."""
        with tempfile.TemporaryDirectory(prefix="lambda-layers-build-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            for path, content in files.items():
                (folder / path).parent.mkdir(exist_ok=True)
                if isinstance(content, Path):
                    shutil.copyfile(content, folder / path)
                else:
                    (folder / path).write_bytes(content)
            user = _new_user() if os.getuid() == 0 else None
            if user is not None:
                for path_ in (folder, *folder.rglob("*")):
                    os.chown(path_, user, user)
            isolated = [*_limited(self._limits), *_isolated(user, network=self._network), *command]
            code, output = self._execute(isolated, folder, on_output)
            return BuildResult(code=code, output=output, files=self._results(folder / "out", results))

    def _results(self, out: Path, results: Path) -> dict[str, Path]:
        found: dict[str, Path] = {}
        left = self._limits.results
        for path in sorted(out.iterdir()) if out.is_dir() and not out.is_symlink() else ():
            try:
                source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError:  # a link
                continue
            with os.fdopen(source, "rb") as file, (results / path.name).open("wb") as copy:
                if not stat.S_ISREG(os.fstat(source).st_mode):
                    continue
                while chunk := file.read(CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        raise too_large(self._limits.results)
                    copy.write(chunk)
            found[path.name] = results / path.name
        return found

    def _execute(
        self, command: Sequence[str], folder: Path, on_output: Callable[[str], None]
    ) -> tuple[int, str]:
        exceeded: list[str] = []
        log = Log(self._limits.log, on_output)
        with subprocess.Popen(  # noqa: S603 - no shell in between
            command,
            cwd=folder,
            env={"PATH": _PATH, "HOME": str(folder), "LD_LIBRARY_PATH": "/var/lang/lib"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:

            def expire() -> None:
                exceeded.append(f"the command timed out after {self._limits.seconds / 60:g} minutes")
                _kill(process.pid)

            timer = threading.Timer(self._limits.seconds, expire)
            timer.start()
            try:
                for line in lines(_chunks(process)):
                    log.add(line)
                process.wait()
            finally:
                timer.cancel()
                _kill(process.pid)
        if exceeded:
            raise CompileError.of(exceeded[0], _PIN_ANOTHER)
        return process.returncode, str(log)


def _limited(limits: Limits) -> list[str]:
    """Return what limits the processes and files of a command, if util-linux is installed."""
    prlimit = shutil.which("prlimit", path=_PATH)
    options = [f"--nproc={limits.processes}", f"--fsize={limits.disk}", "--core=0"]
    return [prlimit, *options] if prlimit and os.getuid() == 0 else []


def _new_user() -> int:
    return _USERS[(os.getpid() * 16 + next(_RUNS)) % len(_USERS)]


def _isolated(user: int | None, *, network: bool) -> list[str]:
    """Return what runs a command as that user, if any, and in namespaces of its own if that is allowed."""
    if not shutil.which("setpriv", path=_PATH):
        raise CompileError.of("this machine has no setpriv, which builds need", "install util-linux")
    unprivileged = ["setpriv", "--no-new-privs"]
    namespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    namespaces += [] if network else ["--net"]
    if user is not None:
        unprivileged += [f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        unprivileged += ["--bounding-set=-all", "--inh-caps=-all"]
    else:
        namespaces += ["--user", "--map-current-user"]
    everything = [*namespaces, *unprivileged]
    return everything if _runs([*everything, "true"]) else unprivileged


def _runs(command: Sequence[str]) -> bool:
    try:
        result = subprocess.run(command, env={"PATH": _PATH}, capture_output=True, check=False, timeout=30)  # noqa: S603 - constant arguments
    except (OSError, subprocess.SubprocessError):
        return False
    return result.returncode == 0


def _chunks(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    while process.stdout and (chunk := process.stdout.read1(CHUNK)):  # type: ignore[attr-defined]
        yield chunk


def _kill(process: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _os_release(path: Path) -> dict[str, str]:
    """Read /etc/os-release: https://www.freedesktop.org/software/systemd/man/latest/os-release.html."""
    try:
        text = path.read_text("utf-8")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, _, value in pairs}
