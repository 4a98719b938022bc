"""`lambda-layers explain`: what a rule finds, and what to do."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Option, Result
from entrypoint.errors import UsageError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context

_HERE = Path(__file__).parent.parent
_PAGES = (_HERE / "rules.md", _HERE.parent / "docs" / "rules.md")
"""docs/rules.md: in an installed package, and in a checkout."""
_SECTION = re.compile(r"^## `([a-z-]+)`\n\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def run(context: "Context") -> Result:
    """Print the section of a rule, or all rules with their first sentences."""
    rules = explanations()
    rule = context.arguments.rule
    if rule is None:
        lines = (f"{name:20} {_first_sentence(text)}" for name, text in rules.items())
        return Result(text="\n".join(lines), data={"rules": rules})
    if rule not in rules:
        from difflib import get_close_matches  # noqa: PLC0415 - slow to import

        close = get_close_matches(rule, rules, n=1)
        hint = f"did you mean {close[0]}?" if close else "see all of them: lambda-layers explain"
        raise UsageError.of(f"there is no rule {rule}", hint)
    return Result(text=f"{rule}\n\n{rules[rule]}", data={"rule": rule, "text": rules[rule]})


def explanations() -> dict[str, str]:
    """Return the text of each rule, in Markdown, in the order of docs/rules.md."""
    page = next(path for path in _PAGES if path.is_file()).read_text("utf-8")
    return {name: text.strip() for name, text in _SECTION.findall(page)}


def _first_sentence(text: str) -> str:
    """Return the first sentence after the severity."""
    line = re.sub(r"^(Error|Warning)\. ", "", text.replace("\n", " "))
    return re.split(r"(?<=[.:]) ", line, maxsplit=1)[0].removesuffix(":").removesuffix(".")


COMMAND = Command(
    (
        Option(
            "rule",
            "a rule, such as symbol-version; by default, all of them",
            {"nargs": "?", "metavar": "RULE"},
        ),
        options.JSON,
    ),
    run,
)
