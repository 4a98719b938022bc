"""Pages of lists, as in Lambda: at most 50 items, and an opaque marker for the next page."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.refusals import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = 50  # "returns a maximum of 50 items", even with a greater MaxItems


def page(
    items: Sequence[Any], given: Mapping[str, Any], most: int = PAGE
) -> tuple[Sequence[Any], dict[str, str]]:
    """Return the page for Marker and MaxItems, and `{"NextMarker": ...}` if there are more items."""
    start = _start(given.get("Marker"))
    end = start + min(given.get("MaxItems", PAGE), most)
    rest = {"NextMarker": base64.b64encode(f"from {end}".encode()).decode()} if end < len(items) else {}
    return items[start:end], rest


def _start(marker: str | None) -> int:
    if not marker:
        return 0
    try:
        word, number = base64.b64decode(marker, validate=True).decode().split()
        if word == "from":
            return int(number)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise invalid_parameter(f"Invalid marker: {marker}")
