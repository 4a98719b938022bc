"""GitHub Actions: results go to files, problems to annotations.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from entrypoint.errors import Diagnostic

_COMMANDS = re.compile(r"^\s*::|##\[", re.MULTILINE)
_MOST_ANNOTATIONS = 10
"""GitHub drops what a step prints beyond ten of a kind."""
_SUMMARY_BYTES = 2**20
"""A larger summary of a step is not shown at all."""
_OUTPUT_BYTES = 2**20
"""A job's outputs are measured in UTF-16: two bytes for most characters."""
COMMENT_BYTES = 65_536
"""The API takes so many characters as a comment on a pull request."""
_CUT = "*Cut here, for GitHub takes no more; the log of this step has it all.*\n"


def without_commands(text: str) -> str:
    """Return a text that a runner obeys in nothing, such as what the build of a stranger's package printed.

    It takes a line for a command that begins with ::, or has ##[ anywhere.
    """
    return _COMMANDS.sub(lambda found: f"{found[0][:-1]} {found[0][-1]}", text)


def annotations(kind: str, problems: Iterable[Diagnostic]) -> Iterator[str]:
    """Yield the workflow commands that show problems at their lines; `kind` is error or warning."""
    problems = tuple(problems)
    shown = problems if len(problems) <= _MOST_ANNOTATIONS else problems[: _MOST_ANNOTATIONS - 1]
    for problem in shown:
        location = problem.location
        properties = (
            {"file": location.file, "line": location.line, "col": location.column} if location else {}
        )
        written = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items() if value)
        text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
        yield f"::{kind} {written}::{_data(text)}"
    if len(shown) < len(problems):
        yield f"::{kind}::and {len(problems) - len(shown)} more; the log of this step has them all"


def set_outputs(environment: Mapping[str, str], outputs: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Append the step's outputs to GITHUB_OUTPUT; without the variable nothing is written.

    Returns:
        A problem for each that GitHub would not take, and that is left out.
    """
    path = environment.get("GITHUB_OUTPUT")
    if not path:
        return ()
    delimiter = f"end-{secrets.token_hex(16)}"
    sizes = {name: len(value.encode("utf-16-le")) for name, value in outputs.items()}
    with Path(path).open("a", encoding="utf-8") as file:
        for name, value in outputs.items():
            if sizes[name] <= _OUTPUT_BYTES:
                file.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    return tuple(
        Diagnostic(f"the output {name!r} is left out: it has {size:,} bytes", "GitHub takes 1 MiB of a job")
        for name, size in sizes.items()
        if size > _OUTPUT_BYTES
    )


def add_summary(environment: Mapping[str, str], markdown: str) -> None:
    """Append to the step's summary, as far as it fits; without GITHUB_STEP_SUMMARY nothing is written."""
    path = environment.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(cut(markdown, _SUMMARY_BYTES - file.tell()))


def cut(markdown: str, most: int) -> str:
    """Return Markdown of at most so many bytes: whole lines, nothing left open, and a line that says so."""
    size = len(markdown.encode())
    if size <= most:
        return markdown
    lines, room = markdown.splitlines(keepends=True), most - len(_CUT) - 1
    if room < 0:
        return ""
    while size > room:
        size -= len(lines.pop().encode())
    kept = "".join(lines)
    if kept.rfind("<details>") > kept.rfind("</details>"):
        kept = kept[: kept.rfind("<details>")]
    return f"{kept}\n{_CUT}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
