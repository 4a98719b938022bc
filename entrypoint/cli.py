"""`lambda-layers`: the only reader of the command line and of the environment; errors become exit codes."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from entrypoint.commands import options as command_line
from entrypoint.errors import LayersError, Location, MachineError, UsageError

_INTERRUPTED = 130
_GRACE = 2.0
_EXTRAS = dict.fromkeys(
    (
        "boto3",
        "botocore",
        "cyclonedx",
        "docker",
        "elftools",
        "httpx2",
        "jinja2",
        "pathspec",
        "pip",
        "piptools",
        "rich",
        "squarify",
        "unearth",
    ),
    "all",
)
_EXTRAS |= dict.fromkeys(("flask", "flask_cors", "moto", "werkzeug"), "local")
"""Which extra of this distribution brings a library: the base installation serves the hooks alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; entrypoint/errors.py lists the codes."""
    environment = os.environ
    _open_output()
    # What is warned of while the command runs is told once more at its end.
    arguments = argparse.Namespace(warnings=[], sarif=None)
    error: LayersError | None = None
    code = 0
    try:
        code = _run(sys.argv[1:] if argv is None else argv, arguments, environment)
    except LayersError as caught:
        error = caught
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: no file is half-written; run it again and it will finish\n")
        _end_threads()
        return _INTERRUPTED
    _print(error, environment)
    _annotate(error, arguments, environment)
    try:
        _write_sarif(error, arguments)
    except (OSError, ModuleNotFoundError) as failure:
        told = _machine_error(failure) if isinstance(failure, OSError) else _missing_extra(failure)
        _print(told, environment)
        error = error or told
    return error.exit_code if error else code


def _open_output() -> None:
    """Let nothing fail for what it prints: the output may be closed, or not take every character."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end
        elif hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _run(argv: Sequence[str], arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    try:
        _parse(argv, arguments, environment)
        code: int = arguments.run(arguments, environment)
    except ModuleNotFoundError as error:
        raise _missing_extra(error) from None
    except BrokenPipeError:  # the reader of our output has had enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - or exit complains
        return 0
    except OSError as error:
        raise _machine_error(error) from None
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
    hint = f"pip install 'lambda-layer-pipeline[{_EXTRAS[library]}]'"
    return UsageError.of(f"this installation lacks {library}", hint)


def _machine_error(error: OSError) -> MachineError:
    location = Location(str(error.filename)) if error.filename else None
    return MachineError.of(
        error.strerror or str(error), "mend the permissions or the disk, and run again", location
    )


def _print(error: LayersError | None, environment: Mapping[str, str]) -> None:
    text = "".join(f"error: {problem}\n" for problem in (error.problems if error else ()))
    if environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.report import github  # noqa: PLC0415 - a workflow's business only

        text = github.without_commands(text)
    sys.stderr.write(text)


def _annotate(
    error: LayersError | None, arguments: argparse.Namespace, environment: Mapping[str, str]
) -> None:
    """Show problems in a workflow at their lines."""
    if environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.report import github  # noqa: PLC0415

        for kind, problems in (
            ("error", error.problems if error else ()),
            ("warning", arguments.warnings),
        ):
            sys.stdout.writelines(f"{line}\n" for line in github.annotations(kind, problems))


def _write_sarif(error: LayersError | None, arguments: argparse.Namespace) -> None:
    judged = error is None or any(problem.location for problem in error.problems)
    if arguments.sarif and judged:  # else what was found before would count as mended
        from entrypoint.files import write_text  # noqa: PLC0415
        from entrypoint.report.sarif import sarif  # noqa: PLC0415

        text = sarif(error, arguments.warnings, manifest=arguments.manifest)
        write_text(Path(arguments.sarif), text)


def _parse(argv: Sequence[str], into: argparse.Namespace, environment: Mapping[str, str]) -> None:
    if environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.commands import action_inputs  # noqa: PLC0415

        if argv:
            action_inputs.check_beside_args(environment)
        elif action_inputs.are_given(environment):
            argv = action_inputs.arguments(environment, command_line.options_by_command())
    command_line.parse(argv, into, main)
