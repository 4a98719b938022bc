"""`lambda-layers`: the only reader of the command line and of the environment; returns the exit code."""

import os
import sys
from collections.abc import Mapping, Sequence

from entrypoint.commands import options_by_command
from entrypoint.commands.parser import parse
from entrypoint.commands.runner import fail, run
from entrypoint.errors import LayersError, Terminated

_INTERRUPTED, _TERMINATED = 130, 143
_GRACE = 2.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; entrypoint/errors.py lists the codes."""
    environment = os.environ
    _open_output()
    try:
        command, arguments = parse(_words(sys.argv[1:] if argv is None else argv, environment))
        return run(command, arguments, environment, main)
    except LayersError as error:
        return fail(error, environment)
    except KeyboardInterrupt as interrupt:
        sys.stderr.write("interrupted: no file is incomplete; run the same command again to finish\n")
        code = _TERMINATED if isinstance(interrupt, Terminated) else _INTERRUPTED
        _end_threads(code)
        return code


def _words(argv: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
    """Return the command line; as a step of a workflow, that of the action's inputs."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return argv
    from entrypoint.commands import action_inputs  # noqa: PLC0415 - only in a workflow

    if argv:
        action_inputs.check_beside_args(environment)
        return argv
    given = action_inputs.are_given(environment)
    return action_inputs.arguments(environment, options_by_command()) if given else argv


def _open_output() -> None:
    """Make output safe: it may be closed, or not able to encode every character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end
        elif hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _end_threads(code: int) -> None:
    """Give running work a moment to end; then exit, even if a connection hangs."""
    import threading  # noqa: PLC0415 - only where threads were used
    import time  # noqa: PLC0415

    deadline = time.monotonic() + _GRACE
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() and not thread.daemon for thread in threading.enumerate()[1:]):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
