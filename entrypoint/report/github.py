"""GitHub Actions: outputs and summaries go to files, diagnostics to annotations.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from entrypoint.errors import Diagnostic
from entrypoint.printable import printable

_COMMANDS = re.compile(r"^\s*::|##(?=\\?\[)", re.MULTILINE)
"""The bracket may be escaped: in rich's markup."""
_MOST_ANNOTATIONS = 10
"""GitHub drops annotations of a step beyond ten of a kind."""
_SUMMARY_BYTES = 2**20
"""GitHub does not show a larger summary at all."""
_OUTPUT_BYTES = 2**20
"""GitHub measures outputs in UTF-16: two bytes for most characters."""
COMMENT_BYTES = 65_536
"""The maximum length of a pull request comment, in characters."""
_CUT = "*Truncated to GitHub's limit; see the log of this step.*\n"


def without_commands(text: str) -> str:
    """Return a text without workflow commands and control characters, such as the output of a build.

    The runner takes a line for a command if it begins with :: or has ##[ anywhere.
    """

    def broken(found: re.Match[str]) -> str:
        return "## " if found[0] == "##" else f"{found[0][:-1]} :"

    return _COMMANDS.sub(broken, printable(text))


def annotations(kind: str, problems: Iterable[Diagnostic]) -> Iterator[str]:
    """Yield the workflow commands that show diagnostics at their lines; `kind` is error or warning."""
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
        yield f"::{kind}::and {len(problems) - len(shown)} more; see the log of this step"


def set_outputs(environment: Mapping[str, str], outputs: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Append the step's outputs to GITHUB_OUTPUT; without that variable nothing is written.

    Returns:
        A diagnostic for each output that is too large for GitHub and was left out.
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
        Diagnostic(f"the output {name!r} is left out: it has {size:,} bytes", "GitHub allows 1 MiB per job")
        for name, size in sizes.items()
        if size > _OUTPUT_BYTES
    )


def add_summary(environment: Mapping[str, str], markdown: str) -> None:
    """Append to the step's summary, up to its limit; without GITHUB_STEP_SUMMARY nothing is written."""
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
    return printable(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
