"""Text that people read is plain English: none of the words that this project once used in its own sense."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORDS = (
    r"mend(?:s|ed|ing)?",
    r"stands?(?! for\b)",
    r"(?:is|are|was|were|be|being) told",
    r"tells? (?:of|whether|how|what)",
    r"put(?:s|ting)? back",
    r"who(?:m|so)?ever",
    r"whatsoever",
    r"somebody",
    r"at hand",
    r"(?:in|out of) step(?! \d)",
    r"anew",
    r"another hand",
    r"brings? along",
    r"lacks?",
)
PATTERN = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)
NOT_OURS = re.compile(r"\| instead of \| write \|\n(?:\|[^\n]*\n)+|> [^\n]*|stand-?in\w*")
"""What CONTRIBUTING.md shows as wrong, quotations, and what test beds are called."""


def pages():
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "action.yml", ".pre-commit-hooks.yaml"):
        if (ROOT / name).exists():
            yield ROOT / name
    yield from sorted((ROOT / "docs").rglob("*.md"))
    for folder in ("entrypoint", "hooks", "image"):
        for suffix in ("py", "html"):
            yield from sorted((ROOT / folder).rglob(f"*.{suffix}"))


@pytest.mark.parametrize("page", [*pages()], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_it_is_said_in_the_words_of_the_field(page):
    lines = NOT_OURS.sub("", page.read_text("utf-8")).split("\n")
    found = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if PATTERN.search(line)]
    assert found == []
