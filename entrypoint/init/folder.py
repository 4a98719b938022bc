"""The requirements files and the pyproject.toml of a folder -> a draft."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from entrypoint.init.draft import Draft, DraftLayer, free_name, layer_name
from entrypoint.manifest.runtimes import RUNTIMES

_SKIPPED = {"node_modules", "site-packages", "dist", "build"}
_DEPTH = 3
_PLAIN_NAMES = {"requirements", "layers", "src", "app", ""}


def found_in_folder(folder: Path) -> Draft:
    """Return a layer for each requirements file, or one for the dependencies of pyproject.toml."""
    runtime = default_runtime(folder)
    layers: dict[str, tuple[str, ...]] = {}
    for name, requirements in _found_layers(folder):
        layers[free_name(name, layers)] = requirements
    layers = layers or {"shared": ("requests",)}
    notes = (
        ()
        if any(_found_layers(folder))
        else ("No requirements found: replace requests with the packages that you need.",)
    )
    return Draft(
        layers=tuple(
            DraftLayer(name=name, requirements=requirements, runtimes=(runtime,))
            for name, requirements in layers.items()
        ),
        notes=notes,
    )


def _found_layers(folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a layer's name and requirements for each input file; a .in file precedes its .txt."""
    inputs = [path for ending in (".in", ".txt") for path in _requirements_files(folder, ending)]
    seen: set[Path] = set()
    for path in inputs:
        if path.with_suffix("") not in seen:
            seen.add(path.with_suffix(""))
            yield _layer_name(path.relative_to(folder)), (path.relative_to(folder).as_posix(),)
    if not inputs and (project := _project(folder)):
        dependencies = project.get("dependencies", [])
        if isinstance(dependencies, list) and dependencies:
            yield "shared", tuple(dict.fromkeys(map(str, dependencies)))


def _requirements_files(folder: Path, ending: str) -> list[Path]:
    found = folder.rglob(f"*requirements*{ending}")
    return sorted(path for path in found if path.is_file() and _is_own(path.relative_to(folder)))


def _is_own(path: Path) -> bool:
    folders = path.parts[:-1]
    hidden = any(part.startswith(".") or part in _SKIPPED for part in folders)
    return (
        not hidden
        and len(folders) <= _DEPTH
        and not re.search(r"(^|[-_.])(dev|test|tests|docs)\b", path.stem)
    )


def _layer_name(path: Path) -> str:
    """Return a layer's name from the file's name without `requirements`, or from its folder."""
    own = re.sub(r"^requirements[-_.]?|[-_.]?requirements$", "", path.stem)
    name = own or (path.parent.name if path.parent.name not in _PLAIN_NAMES else "")
    return layer_name(name)


def _project(folder: Path) -> dict[str, object]:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return project if isinstance(project, dict) else {}


def default_runtime(folder: Path) -> str:
    """Return the newest released runtime that `requires-python` allows; without it, the second newest."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - slow to import

    released = [runtime for runtime in RUNTIMES.values() if not runtime.preview and runtime.python]
    requires_python = _project(folder).get("requires-python")
    try:
        specifier = SpecifierSet(requires_python if isinstance(requires_python, str) else "<3.14")
    except InvalidSpecifier:
        specifier = SpecifierSet("<3.14")
    compatible = [runtime for runtime in released if str(runtime.python) in specifier]
    return str(compatible[-1] if compatible else released[-1])
