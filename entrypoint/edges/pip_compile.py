"""pip-tools: requirements go in, the pins that pip-compile finds for a platform come out as text.

pip-compile runs in a process of its own, in isolated mode: nothing in the user's checkout is
imported, and no credential of AWS or GitHub is in its environment, as build backends may run there.
"""

import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from entrypoint.build.requirement_options import without_credentials
from entrypoint.build.resolve import Ask, Question, UnresolvableError
from entrypoint.build.tags import marker_environment, supported_tags
from entrypoint.edges.pip_compile_for_platform import CHANGED, Target
from entrypoint.errors import LockError, Problem
from entrypoint.runtimes import Platform

_SECRET_VARIABLES = re.compile(r"^(?:AWS_|ACTIONS_|GITHUB_TOKEN$|GH_TOKEN$)")
_NO_MATCH = re.compile(r"^\s*ERROR: No matching distribution found for (.+?)(?: \(from .*)?$", re.MULTILINE)
_CONFLICT = re.compile(r"^ *The conflict is caused by:\n((?: +\S.*\n)+)", re.MULTILINE)
_ERROR = re.compile(r"^\s*ERROR: (?!ResolutionImpossible)(.+)$", re.MULTILINE)
# The files that pip-compile is handed are not the user's.
_OUR_FILE = re.compile(r" \(from -r \S+ \(line \d+\)\)")
_ARGUMENTS = (
    # A user's [tool.pip-tools] is for locks of another kind, and could ask for what is refused below.
    "--no-config",
    # Header, indexes and hashes are written by `lock_text`; of pip-compile only pins and `via` are wanted.
    # Its own --generate-hashes would be four fifths of the time, and list the files of all platforms.
    *("--no-header", "--no-emit-index-url", "--no-emit-trusted-host"),
    *("--no-emit-options", "--no-emit-find-links", "--annotate", "--annotation-style=split"),
    # pip and setuptools are packages like any other in a layer.
    "--allow-unsafe",
    # All that an extra asks for is pinned as well, and `name[extra]==1` is no valid constraint.
    "--strip-extras",
    "--resolver=backtracking",
    # Only then does pip say which requirements contradict each other.
    "--verbose",
    # A version with a wheel that fits, before a newer one that has to be compiled.
    "--pip-args=--prefer-binary --disable-pip-version-check --no-input",
)


class PipCompile:
    """Runs pip-compile for any platform. Threads may share it.

    Args:
        environment: the variables that pip sees; those with credentials of AWS and GitHub are taken out.
        mask: hides credentials in pip's output.
    """

    def __init__(
        self, *, environment: Mapping[str, str], mask: Callable[[str], str] = without_credentials
    ) -> None:
        self._environment = {
            name: value for name, value in environment.items() if not _SECRET_VARIABLES.match(name)
        }
        self._mask = mask

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Resolve; raises UnresolvableError where there is no answer."""
        with tempfile.TemporaryDirectory(prefix="lambda-layers-lock-") as folder:
            arguments = _write_files(Path(folder), question)
            with _Desk(ask) as desk:
                answer = self._run(_target(platform, arguments, desk.socket.fileno()))
            if desk.error:
                raise desk.error
            if answer.returncode:
                raise self._failure(answer)
            return (Path(folder) / "pins.txt").read_text("utf-8")

    def _run(self, target: Target) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-m", "entrypoint.edges.pip_compile_for_platform"]
        return subprocess.run(  # noqa: S603 - our own interpreter, with constant arguments
            command,
            input=json.dumps(target),
            env=self._environment,
            pass_fds=[target["desk"]],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def _failure(self, answer: subprocess.CompletedProcess[str]) -> LockError:
        output = self._mask(f"{answer.stdout}\n{answer.stderr}")
        message = _essence(output) or f"pip-compile ended with {answer.returncode} and said nothing"
        if answer.returncode == CHANGED:
            remedy = "install the versions of pip and pip-tools that this release names"
            return LockError(Problem(message, remedy))
        remedy = "loosen or correct the requirements that are named"
        return UnresolvableError(Problem(message, remedy), missing=tuple(_NO_MATCH.findall(output)))


def _write_files(folder: Path, question: Question) -> Sequence[str]:
    """Lay out what pip-compile reads. Files, as arguments could be seen by every user of the machine."""
    texts = {
        "requirements.in": question.requirements,
        "constraints.txt": question.constraints,
        "pins.txt": question.pins,
    }
    for name, lines in texts.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    arguments = [*_ARGUMENTS, f"--output-file={folder / 'pins.txt'}"]
    if question.constraints:
        arguments.append(f"--constraint={folder / 'constraints.txt'}")
    arguments += [f"--upgrade-package={name}" for name in question.upgrade_packages]
    return [*arguments, str(folder / "requirements.in")]


def _target(platform: Platform, arguments: Sequence[str], desk: int) -> Target:
    environment = marker_environment(platform)
    return Target(
        environment=environment,
        tags=[[tag.interpreter, tag.abi, tag.platform] for tag in supported_tags(platform)],
        python=[int(part) for part in environment["python_full_version"].split(".")],
        arguments=list(arguments),
        desk=desk,
    )


class _Desk:
    """Answers what the process asks, over a socket: the METADATA of packages that are to be compiled."""

    def __init__(self, ask: Ask) -> None:
        self.error: Exception | None = None
        self._ask = ask
        self._ours, self.socket = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="desk", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()  # the process has ended, so nobody holds the other end any more
        if error is None:
            self._thread.join()
        self._ours.close()

    def _serve(self) -> None:
        with self._ours.makefile("rw", encoding="utf-8", newline="\n") as stream:
            for question in stream:
                try:
                    name, version = json.loads(question)
                    answer = {"metadata": self._ask(name, version).decode("utf-8", "replace")}
                except Exception as error:  # noqa: BLE001 - raised where the process was started
                    self.error = error
                    answer = {"error": str(error)}
                stream.write(json.dumps(answer) + "\n")
                stream.flush()


def _essence(output: str) -> str:
    """Pick what pip says about the cause; progress, warnings and tracebacks are left out."""
    output = _OUR_FILE.sub("", output)
    if conflict := _CONFLICT.search(output):
        causes = ", ".join(line.strip() for line in conflict[1].splitlines())
        return f"the requirements contradict each other: {causes}"
    errors = dict.fromkeys(error.strip() for error in _ERROR.findall(output))
    return ". ".join(errors) or next(reversed(output.strip().splitlines()), "").strip()
