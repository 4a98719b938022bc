"""Makes texts from outside safe to print: names in packages, answers of indexes, output of builds.

Control characters move the cursor, hide text, and start escape sequences of terminals. In a workflow's log, a
carriage return or a backspace makes a command of the rest of a line.
"""

import re

# C0 without tab and line feed, DEL, C1, the line and paragraph separators, what changes the direction,
# invisible tags, and surrogates, which cannot be written to files.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\ud800-\udfff]"
)


def has_controls(text: str) -> bool:
    """Whether a text has control characters; tabs and line feeds count too."""
    return _CONTROLS.search(text) is not None or "\t" in text or "\n" in text


def printable(text: str) -> str:
    r"""Return a text with control characters as escapes, such as \x1b; tabs and line feeds stay."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
