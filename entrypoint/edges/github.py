"""GitHub Actions: results go to files, problems to annotations.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from entrypoint.errors import Problem

_MOST_ANNOTATIONS = 10
"""GitHub drops what a step prints beyond ten of a kind."""


def annotations(kind: str, problems: Iterable[Problem]) -> Iterator[str]:
    """Yield the workflow commands that show problems at their lines; `kind` is error or warning."""
    problems = tuple(problems)
    shown = problems if len(problems) <= _MOST_ANNOTATIONS else problems[: _MOST_ANNOTATIONS - 1]
    for problem in shown:
        place = problem.place
        properties = {"file": place.file, "line": place.line, "col": place.column} if place else {}
        written = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value)
        text = f"{problem.message}; {problem.remedy}" if problem.remedy else problem.message
        yield f"::{kind} {written}::{_data(text)}"
    if len(shown) < len(problems):
        yield f"::{kind}::and {len(problems) - len(shown)} more; the log of this step has them all"


def set_outputs(environment: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Append the step's outputs to GITHUB_OUTPUT; without the variable nothing is written."""
    path = environment.get("GITHUB_OUTPUT")
    if path:
        delimiter = f"end-{secrets.token_hex(16)}"
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in outputs.items())


def add_summary(environment: Mapping[str, str], markdown: str) -> None:
    """Append to the step's summary; without GITHUB_STEP_SUMMARY nothing is written."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
