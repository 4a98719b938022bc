"""Exclude files from a layer: patterns as in .gitignore, and presets for files that are rarely imported.

The .dist-info folders of packages are always kept, because importlib.metadata and entry points need them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pathspec import GitIgnoreSpec

from entrypoint.manifest.runtimes import ROOT

if TYPE_CHECKING:
    from entrypoint.layer.layout import Part

PRESETS = {
    "tests": ("*/**/tests/", "*/**/test/", "*/**/conftest.py"),
    "stubs": ("*.pyi", "*-stubs/"),
    "docs": ("*/**/docs/", "*/**/doc/", "*/**/examples/", "*.md", "*.rst"),
}
"""Folders match only inside packages, so that a package named tests or docs is kept."""


class Exclusion:
    """The paths that a layer excludes."""

    def __init__(self, patterns: Sequence[str]) -> None:
        lines = [line for pattern in patterns for line in PRESETS.get(pattern, (pattern,))]
        self._spec = GitIgnoreSpec.from_lines(lines)
        self._patterns = patterns
        self._own = GitIgnoreSpec.from_lines(pattern for pattern in patterns if pattern not in PRESETS)
        self._presets = {
            name: GitIgnoreSpec.from_lines(lines) for name, lines in PRESETS.items() if name in patterns
        }
        self.has_presets = bool(self._presets)
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
            if pattern not in PRESETS
            and not any(GitIgnoreSpec.from_lines([pattern.removeprefix("!")]).match_files(found))
        )

    def presets_of(self, path: str) -> tuple[str, ...]:
        """Return the presets, if only presets exclude a path."""
        relative = path.removeprefix(ROOT)
        return () if self._own.match_file(relative) else self._matching(relative)

    def applied(self, part: "Part", kept: Collection[str] = ()) -> "Part":
        """Return the part without excluded files, except those in `kept`."""
        if self.is_empty:
            return part

        def stays(path: str) -> bool:
            return path in kept or not self(path)

        return replace(
            part,
            entries=tuple(entry for entry in part.entries if stays(entry.path)),
            elf={path: facts for path, facts in part.elf.items() if stays(path)},
            damaged={path: reason for path, reason in part.damaged.items() if stays(path)},
            foreign={path: system for path, system in part.foreign.items() if stays(path)},
        )

    def _matching(self, relative: str) -> tuple[str, ...]:
        return tuple(name for name, spec in self._presets.items() if spec.match_file(relative))
