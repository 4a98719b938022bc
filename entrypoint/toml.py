"""TOML from outside: `tomllib`, with a limit for keys.

For a key `a.b.c`, tomllib keeps each of its beginnings. So a key of 100,000 parts, in a file of 200 kB, needs
40 GB. Nested arrays and inline tables end in a RecursionError.
"""

import re
from typing import Any

_MOST_PARTS = 100
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_.-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS}}}")
"""May also be a text of as many words with dots between them, which no file has."""


def load_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        tomllib.TOMLDecodeError: it is not valid; a ValueError.
        RecursionError: it is nested too deeply.
    """
    import tomllib  # noqa: PLC0415 - the check hook reads a TOML file only for some layers

    if _LONG_KEY.search(text):
        raise RecursionError(f"a key has more than {_MOST_PARTS} parts")
    return tomllib.loads(text)
