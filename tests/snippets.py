"""The fenced blocks of the pages, in order, each with the mark above it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>[^\n]*) -->\n *)?"
    r'```(?P<language>\w*)(?: title="(?P<title>[^"\n]+)")?\n(?P<text>.*?)^ *```$',
    re.DOTALL | re.MULTILINE,
)
_FIGURES = re.compile(r"\b\d[\d.,]* (?:s|ms|kB|MB|GB)\b|\b[0-9a-f]{12,64}\b")


class Snippet(NamedTuple):
    """A fenced block; `title` is the file to write it to, `excuse` the reason why it is not run."""

    page: Path
    line: int
    language: str
    title: str | None
    excuse: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def kind(self) -> str:
        """What to check it as: its language or, for YAML, the file that it is or looks like."""
        if self.language not in {"yaml", "yml"}:
            return self.language
        name = self.title or ""
        node = yaml.compose(self.text)
        keys = {key.value for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
        if name.startswith(".github/workflows/") or (not name and "jobs" in keys):
            return "workflow"
        if name == ".pre-commit-config.yaml" or (not name and "repos" in keys):
            return "pre-commit"
        if name.endswith("lambda-layers.yml") or (not name and {"layers", "functions"} & keys):
            return "manifest"
        return "yaml"


def snippets(page: Path) -> list[Snippet]:
    """Return the blocks of a page.

    `<!-- not run: REASON -->` may be above a block, and title="FILE" in its first line.
    """
    content = page.read_text("utf-8")
    found = [
        Snippet(
            page=page,
            line=content[: match.start("language")].count("\n") + 1,
            language=match["language"],
            title=match["title"],
            excuse=_excuse(match["mark"] or ""),
            text=re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
        )
        for match in _FENCE.finditer(content)
    ]
    assert len(re.findall(r"^ *```", content, re.MULTILINE)) == 2 * len(found), f"{page}: an odd fence"
    return found


def _excuse(mark: str) -> str | None:
    match = re.fullmatch(r"not run: (\S.*)", mark)
    return match[1] if match else None


def commands(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the commands of a console block, each with the output that is shown.

    Lines that begin with `$ ` are commands, the others their output. Without such lines, each line is a
    command, and no output is shown.
    """
    text = text.replace("\\\n", "")
    if not re.search(r"^\$ ", text, re.MULTILINE):
        yield from ((line, None) for line in text.splitlines() if line.strip())
        return
    before, *parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not before.strip(), f"output before any command: {before}"
    for part in parts:
        command, _, shown = part.partition("\n")
        yield command, shown.strip("\n")


def agrees(printed: str, shown: str) -> bool:
    """Whether output matches a page; sizes, times and digests may differ, and … matches anything."""
    actual, expected = (_FIGURES.sub("#", text.strip("\n")) for text in (printed, shown))
    # On a line of its own it matches any lines or none, within a line any text.
    lines = (
        r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
        for line in expected.split("\n")
    )
    return re.fullmatch("".join(lines), f"{actual}\n") is not None
