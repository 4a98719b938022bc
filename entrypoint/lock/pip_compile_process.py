"""Starts processes for pip-compile: one for each question, in isolated mode.

On Linux, a process is forked from a server, which has imported pip and pip-tools. Elsewhere, each process
imports them: Windows cannot fork, and libraries of macOS do not allow it. Nothing in the user's checkout is
imported.
"""

import atexit
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import IO, BinaryIO

_SCRIPT = ("-I", "-m", "entrypoint.lock.pip_compile_for_platform")
_CAN_FORK = sys.platform == "linux"
# pip reads these for each question; all others, such as LD_LIBRARY_PATH, may matter when a process starts.
_OF_A_QUESTION = re.compile(r"^(?:PIP_|XDG_|HOME$)")
#: Exit code: a process ended without its own.
KILLED = -9


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, and its pipes."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    #: Returns the exit code of a process that wrote none to stdout.
    exit_code: Callable[[], int]


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a process is sent; `started` starts it with the others."""
    return {name: value for name, value in environment.items() if _OF_A_QUESTION.match(name)}


@contextmanager
def started(environment: Mapping[str, str], stderr: BinaryIO) -> Iterator[Process]:
    """Start a process; at the end its pipes are closed, and then it exits by itself.

    Several threads may do this at the same time.
    """
    others = {name: value for name, value in environment.items() if not _OF_A_QUESTION.match(name)}
    with _forked(others, stderr) if _CAN_FORK else _spawned(others, stderr) as process:
        yield process


@contextmanager
def _spawned(environment: Mapping[str, str], stderr: BinaryIO) -> Iterator[Process]:
    with subprocess.Popen(  # noqa: S603 - this interpreter and our script
        [sys.executable, *_SCRIPT],
        env=environment,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,  # unlike a pipe, a file never fills up while questions are answered
    ) as process:
        assert process.stdin and process.stdout  # noqa: PT018, S101 - both are pipes
        yield Process(process.stdin, process.stdout, process.wait)


@contextmanager
def _forked(environment: Mapping[str, str], stderr: BinaryIO) -> Iterator[Process]:
    with ExitStack() as ours, ExitStack() as theirs:
        their_stdin, our_stdin = os.pipe()
        our_stdout, their_stdout = os.pipe()
        for descriptor in (their_stdin, their_stdout):
            theirs.callback(os.close, descriptor)
        stdin = ours.enter_context(os.fdopen(our_stdin, "wb", buffering=0))
        stdout = ours.enter_context(os.fdopen(our_stdout, "rb", buffering=0))
        server = _server(environment)
        server.fork(their_stdin, their_stdout, stderr.fileno())
        theirs.close()
        yield Process(stdin, stdout, server.exit_code)


class _Server:
    """A process that has imported pip and pip-tools, and forks others. It exits with the command."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._requests, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its_end:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter and our script
                [sys.executable, *_SCRIPT, "--serve"],
                env=environment,
                cwd="/",  # so that it keeps no folder of the user in use
                stdin=its_end.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def fork(self, stdin: int, stdout: int, stderr: int) -> None:
        """Start a process; if the server has exited, the pipes are closed, as after the end of a process."""
        with suppress(OSError):
            socket.send_fds(self._requests, [b"?"], [stdin, stdout, stderr])

    def exit_code(self) -> int:
        """Return the exit code of the server; without one, the forked process alone was killed."""
        try:
            code: int = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return KILLED
        return code

    def has_exited(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        """Let it exit, and end the processes that it forked."""
        self._requests.close()
        self._process.wait()


_servers: dict[tuple[str, frozenset[tuple[str, str]]], _Server] = {}
_servers_lock = Lock()


def _server(environment: Mapping[str, str]) -> _Server:
    """Return the server for this environment; it is started at its first use."""
    key = sys.executable, frozenset(environment.items())
    with _servers_lock:
        if key in _servers and _servers[key].has_exited():
            _servers.pop(key).close()
        if key not in _servers:
            _servers[key] = _Server(environment)
        return _servers[key]


@atexit.register
def _close_servers() -> None:
    for server in _servers.values():
        server.close()
