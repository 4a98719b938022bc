"""What a layer leaves out: patterns as in .gitignore, and presets for what is rarely imported.

A package's own .dist-info is always kept, so that importlib.metadata and entry points go on working.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

from entrypoint.manifest.runtimes import ROOT

if TYPE_CHECKING:
    from entrypoint.layer.layout import Part

_PRESETS = {
    "tests": ("*/**/tests/", "*/**/test/", "*/**/conftest.py"),
    "stubs": ("*.pyi", "*-stubs/"),
    "docs": ("*/**/docs/", "*/**/doc/", "*/**/examples/", "*.md", "*.rst"),
}
"""Folders count within packages only: a package that is itself named tests or docs is somebody's choice."""


class Exclusion:
    """Tells which paths of a layer are left out."""

    def __init__(self, patterns: Sequence[str]) -> None:
        lines = [line for pattern in patterns for line in _PRESETS.get(pattern, (pattern,))]
        self._spec = GitIgnoreSpec.from_lines(lines)
        self.is_empty = not patterns

    def __call__(self, path: str) -> bool:
        """Tell whether a path is left out; patterns count from python/ where it is below that."""
        path = path.removeprefix(ROOT)
        return not path.partition("/")[0].endswith(".dist-info") and self._spec.match_file(path)

    def applied(self, part: "Part") -> "Part":
        """Return the part without what is left out."""
        if self.is_empty:
            return part
        return replace(
            part,
            entries=tuple(entry for entry in part.entries if not self(entry.path)),
            elf={path: facts for path, facts in part.elf.items() if not self(path)},
            damaged={path: reason for path, reason in part.damaged.items() if not self(path)},
        )
