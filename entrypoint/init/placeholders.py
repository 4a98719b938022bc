"""Parts of texts that are only known at deployment, such as the name of a stack.

A template may contain any text, `${NAME}` included, and a placeholder must never be confused with it. So it
is written between two characters of Unicode's private use area, which readers remove from files. The manifest
has it as `${NAME}`, which `--set NAME=VALUE` replaces, or as `{region}` in the ARN of a layer.
"""

import re
from collections.abc import Iterable

from entrypoint.variables import is_credential

_START, _END = "\ue000", "\ue001"
_PLACEHOLDER = re.compile(f"{_START}([^{_START}{_END}]*){_END}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def placeholder(name: str) -> str:
    """Return the placeholder of a name; empty if the manifest cannot have a variable of this name."""
    return f"{_START}{name}{_END}" if _NAME.fullmatch(name) and not is_credential(name) else ""


STACK = placeholder("STACK")
REGION = placeholder("REGION")
ACCOUNT = placeholder("ACCOUNT_ID")


def without_markers(text: str) -> str:
    """Return a text of a file without the characters that mark placeholders, and without NUL, for paths."""
    return text.replace(_START, "").replace(_END, "").replace("\0", "")


def has_placeholder(text: str) -> bool:
    """Whether a text is only known at deployment."""
    return _START in text


def names_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the placeholders in texts, without duplicates."""
    return tuple(dict.fromkeys(name for text in texts for name in _PLACEHOLDER.findall(text)))


def literal(text: str) -> str:
    """Return a text without its placeholders."""
    return _PLACEHOLDER.sub("", text)


def in_manifest(text: str) -> str:
    """Return a text as the manifest has it: `$` is escaped, placeholders are variables."""
    return _PLACEHOLDER.sub(r"${\1}", text.replace("$", "$$"))


def in_comment(text: str) -> str:
    """Return a text for people."""
    return _PLACEHOLDER.sub(r"${\1}", text)
