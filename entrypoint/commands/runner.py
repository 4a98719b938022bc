"""Runs a command and shows its result in every form: text or JSON, workflow, code scanning, exit code."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from entrypoint.commands.command import Command, Result
from entrypoint.commands.context import Context
from entrypoint.errors import Diagnostic, LayersError, Location, MachineError, Severity, UsageError
from entrypoint.printable import printable

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
"""The extra of this distribution that installs a library; without extras, only the hooks work."""


def run(
    command: Command,
    arguments: argparse.Namespace,
    environment: Mapping[str, str],
    main: Callable[[Sequence[str]], int],
) -> int:
    """Run a command, show its result, and return the exit code."""
    try:
        with ExitStack() as stack:
            context = Context(arguments, environment, main=main, stack=stack)
            result, error = _attempt(command, context)
            for show in (_print_result, _report_error, _report):
                try:
                    show(context, result, error)
                except (OSError, ModuleNotFoundError) as failure:
                    later = _explained(failure)
                    fail(later, environment)
                    error = error or later
    except OSError as failure:  # what was opened cannot be closed
        return fail(_explained(failure), environment)
    return error.exit_code if error else result.exit_code


def fail(error: LayersError, environment: Mapping[str, str]) -> int:
    """Report an error outside of a command; return its exit code."""
    report_error(error, environment)
    if environment.get("GITHUB_ACTIONS") == "true":
        _annotate(error.problems, sys.stdout)
    return error.exit_code


def report_error(error: LayersError, environment: Mapping[str, str]) -> None:
    """Print an error, a line for each problem."""
    text = "".join(f"error: {printable(str(problem))}\n" for problem in error.problems)
    if environment.get("GITHUB_ACTIONS") == "true":
        from entrypoint.report import github  # noqa: PLC0415 - only in a workflow

        text = github.without_commands(text)
    sys.stderr.write(text)


def _attempt(command: Command, context: Context) -> tuple[Result, LayersError | None]:
    """Return a command's result, and the error that ended it or that it ended with."""
    try:
        result = command.run(context)
    except LayersError as error:
        return Result(), error
    except BrokenPipeError:
        _close_output()
        return Result(), None
    except (OSError, ModuleNotFoundError) as failure:
        return Result(), _explained(failure)
    except KeyboardInterrupt:
        if "console" in vars(context):
            context.console.finished()
        raise
    return result, result.error


def _print_result(context: Context, result: Result, error: LayersError | None) -> None:
    try:
        if vars(context.arguments).get("json"):
            _print_json(context, result, error)
        elif result.show:
            result.show(context.console)
        elif result.text:
            sys.stdout.write(printable(result.text) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has closed its end
        _close_output()


def _close_output() -> None:
    sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - or Python complains at exit


def _report_error(context: Context, _: Result, error: LayersError | None) -> None:
    if error:
        report_error(error, context.environment)


def _report(context: Context, result: Result, error: LayersError | None) -> None:
    """Report the result and the error to a workflow and to code scanning."""
    try:
        if "GITHUB_OUTPUT" in context.environment or "GITHUB_STEP_SUMMARY" in context.environment:
            _tell_workflow(context, result)
    finally:
        found = [*result.findings, *(error.problems if error else ()), *context.warnings]
        if context.environment.get("GITHUB_ACTIONS") == "true":
            # The runner reads both streams; the other one has nothing but JSON.
            is_json = vars(context.arguments).get("json")
            _annotate(found, sys.stderr if is_json else sys.stdout)
        if path := vars(context.arguments).get("sarif"):
            _write_sarif(Path(path), context, result, error)


def _print_json(context: Context, result: Result, error: LayersError | None) -> None:
    """Print the result and all diagnostics; failures too are an answer."""
    import json  # noqa: PLC0415 - slow to import, like the next

    from entrypoint.report.diagnostics import diagnostic_as_json  # noqa: PLC0415

    found = [*result.findings, *(error.problems if error else ()), *context.warnings]
    data = {**result.data, "diagnostics": [diagnostic_as_json(each) for each in dict.fromkeys(found)]}
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def _tell_workflow(context: Context, result: Result) -> None:
    """Write the step's outputs and summary; the comment is that summary, as far as it fits."""
    from entrypoint.report import github  # noqa: PLC0415 - only in a workflow
    from entrypoint.report.diagnostics import named  # noqa: PLC0415

    environment, summary = context.environment, result.summary
    comment = {}
    if summary and result.is_comment:
        comment = {"comment": github.cut(named(summary), github.COMMENT_BYTES)}
    refused = github.set_outputs(environment, {**result.outputs, **comment})
    context.warnings += [each.as_warning() for each in refused]
    github.add_summary(environment, summary)


def _annotate(found: Sequence[Diagnostic], stream: TextIO) -> None:
    """Show diagnostics in a workflow, at their lines."""
    from entrypoint.report import github  # noqa: PLC0415 - only in a workflow

    for severity in (Severity.ERROR, Severity.WARNING):
        chosen = dict.fromkeys(each for each in found if each.severity is severity)
        stream.writelines(f"{line}\n" for line in github.annotations(severity, chosen))


def _write_sarif(path: Path, context: Context, result: Result, error: LayersError | None) -> None:
    """Write all diagnostics, but no file where the check itself failed: old findings would count as fixed."""
    looked = error is None or any(problem.location for problem in error.problems)
    if looked:
        from entrypoint.files import write_text  # noqa: PLC0415 - only on request
        from entrypoint.report.sarif import sarif  # noqa: PLC0415

        found = [*result.findings, *context.warnings]
        write_text(path, sarif(error, found, manifest=context.arguments.manifest))


def _explained(failure: OSError | ModuleNotFoundError) -> LayersError:
    """Return the error of a file or folder, or of a library that this installation does not have."""
    if isinstance(failure, OSError):
        location = Location(str(failure.filename)) if failure.filename else None
        return MachineError.of(
            failure.strerror or str(failure), "check permissions and disk space, then run again", location
        )
    library = (failure.name or "").partition(".")[0]
    if library not in _EXTRAS:
        raise failure  # a bug
    hint = f"run: pip install 'lambda-layer-pipeline[{_EXTRAS[library]}]'"
    return UsageError.of(f"{library} is not installed", hint)
