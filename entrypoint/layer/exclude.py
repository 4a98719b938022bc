"""Exclude files from a layer: patterns as in .gitignore, and presets for files that are rarely imported.

The .dist-info folders of packages are always kept, because importlib.metadata and entry points need them.
"""

from collections.abc import Iterable, Sequence
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
"""Folders match only inside packages, so that a package named tests or docs is kept."""


class Exclusion:
    """The paths that a layer excludes."""

    def __init__(self, patterns: Sequence[str]) -> None:
        lines = [line for pattern in patterns for line in _PRESETS.get(pattern, (pattern,))]
        self._spec = GitIgnoreSpec.from_lines(lines)
        self._patterns = patterns
        self.is_empty = not patterns

    def __call__(self, path: str) -> bool:
        """Whether a path is excluded; patterns for paths below python/ are relative to it."""
        path = path.removeprefix(ROOT)
        return not path.partition("/")[0].endswith(".dist-info") and self._spec.match_file(path)

    def unused(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return the patterns, without presets, that match none of these paths."""
        found = [path.removeprefix(ROOT) for path in paths]
        return tuple(
            pattern
            for pattern in self._patterns
            if pattern not in _PRESETS
            and not any(GitIgnoreSpec.from_lines([pattern.removeprefix("!")]).match_files(found))
        )

    def applied(self, part: "Part") -> "Part":
        """Return the part without excluded files."""
        if self.is_empty:
            return part
        return replace(
            part,
            entries=tuple(entry for entry in part.entries if not self(entry.path)),
            elf={path: facts for path, facts in part.elf.items() if not self(path)},
            damaged={path: reason for path, reason in part.damaged.items() if not self(path)},
            foreign={path: system for path, system in part.foreign.items() if not self(path)},
        )
