"""`lambda-layers`: the only reader of the command line and of the environment; errors become exit codes."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

from entrypoint import command_line
from entrypoint.errors import LayersError, MachineError, Place, UsageError

_INTERRUPTED = 130
_GRACE = 2.0
_EXTRAS = dict.fromkeys(
    ("boto3", "botocore", "docker", "elftools", "httpx2", "pathspec", "pip", "piptools", "rich", "unearth"),
    "all",
)
_EXTRAS |= dict.fromkeys(("flask", "flask_cors", "moto", "werkzeug"), "local")
"""Which extra of this distribution brings a library: the base installation serves the hooks alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; entrypoint/errors.py lists the codes."""
    environment = os.environ
    try:
        arguments = _parse(sys.argv[1:] if argv is None else argv, environment)
        code: int = arguments.run(arguments, environment)
    except LayersError as error:
        return _tell(error, environment)
    except ModuleNotFoundError as error:
        return _tell(_missing_extra(error), environment)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has had enough
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - or exit complains
            return 0
        place = Place(str(error.filename)) if error.filename else None
        remedy = "mend the permissions or the disk, and run again"
        return _tell(MachineError.of(error.strerror or str(error), remedy, place), environment)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no file is half-written; run it again and it will finish\n")
        _end_threads()
        return _INTERRUPTED
    return code


def _end_threads() -> None:
    """Let work in hand come to its end for a moment; then leave, whatever the network holds up."""
    import threading  # noqa: PLC0415 - only those who used threads have to end them
    import time  # noqa: PLC0415

    deadline = time.monotonic() + _GRACE
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() and not thread.daemon for thread in threading.enumerate()[1:]):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_INTERRUPTED)


def _missing_extra(error: ModuleNotFoundError) -> LayersError:
    """Explain a library that the light installation does not have; any other missing module is a bug."""
    library = (error.name or "").partition(".")[0]
    if library not in _EXTRAS:
        raise error
    remedy = f"pip install 'lambda-layer-pipeline[{_EXTRAS[library]}]'"
    return UsageError.of(f"this installation lacks {library}", remedy)


def _tell(error: LayersError, environment: Mapping[str, str]) -> int:
    """Print an error's problems, in a workflow as annotations too; return its exit code."""
    for problem in error.problems:
        sys.stderr.write(f"error: {problem}\n")
    if environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.edges import github  # noqa: PLC0415 - a workflow's business only

        sys.stdout.write("\n".join([*github.annotations("error", error.problems), ""]))
    return error.exit_code


def _parse(argv: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    if not argv and environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.edges import github  # noqa: PLC0415

        argv = github.arguments(environment)
    return command_line.parse(argv, main)
