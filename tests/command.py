"""Runs `lambda-layers` in this process, in a folder, environment and with streams of its own.

Starting Python and importing everything takes longer than most commands. What only a process has (signals,
imports, a closed pipe) is tested with one.
"""

import contextlib
import io
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from entrypoint.cli import main

NO_ENGINE = "unix:///nowhere.sock"


def run(
    arguments: Sequence[object], *, folder: Path, environment: Mapping[str, str], merged: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command line; return its exit code and output, all in stdout if `merged`."""
    stdout = io.StringIO()
    stderr = stdout if merged else io.StringIO()
    with (
        contextlib.chdir(folder),
        _environment(environment),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as ended:  # of --help and --version
            code = ended.code
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


@contextlib.contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    before, chosen = dict(os.environ), dict(environment)  # which may be os.environ itself
    os.environ.clear()
    os.environ.update(chosen)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
