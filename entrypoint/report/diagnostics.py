"""Diagnostics as JSON, and texts without account IDs: for every command, so this imports nothing slow."""

import re
from typing import Any

from entrypoint.errors import Diagnostic, Location

_OF_AN_ACCOUNT = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:\d{12}:(?:layer:|function:)?")


def named(text: str) -> str:
    """Return a text with its ARNs shortened to names, such as web:3."""
    return _OF_AN_ACCOUNT.sub("", text)


def diagnostic_as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic; what it has no value for is left out."""
    location = diagnostic.location or Location("")
    values = {
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
        "rule": diagnostic.rule,
        "file": location.file,
        "line": location.line,
        "column": location.column,
    }
    return {key: value for key, value in values.items() if value}
