"""`lambda-layers init`: a first manifest, written from what stands in the folder."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from entrypoint.atomic import write_text
from entrypoint.errors import ManifestError, Place
from entrypoint.runtimes import RUNTIMES

_SKIPPED = {"node_modules", "site-packages", "dist", "build"}
_DEPTH = 3
_PLAIN_NAMES = {"requirements", "layers", "src", "app", ""}

_HEAD = """\
# Which Lambda layers exist, and which functions use them. Made by `lambda-layers init`.
# Next: `lambda-layers lock` pins the packages, `lambda-layers plan` shows what a deployment would do.
version: 1
# regions: [eu-west-1]            # where it is left out, the region of your AWS credentials

layers:
"""
_LAYER = """\
  {name}:
    requirements: {requirements}
    runtimes: [{runtime}]         # one archive for each runtime and architecture
    architectures: [x86_64]       # x86_64, arm64, or both
"""
_FUNCTIONS = """
# The functions by name, ARN or glob; each gets the build that fits its runtime and architecture.
# functions:
#   my-function:
#     layers: [{name}]
#   "report-*":
#     layers: [{name}]
"""


def write_starter(path: Path) -> Path:
    """Write a manifest that fits the folder it stands in.

    Raises:
        ManifestError: where there is one already.
    """
    if path.exists():
        raise ManifestError.of("it exists already", "edit it, or move it away first", Place(str(path)))
    layers = dict(_found_layers(path.parent)) or {"shared": "[requests]  # or a file: requirements.in"}
    runtime = _runtime(path.parent)
    text = _HEAD + "".join(
        _LAYER.format(name=name, requirements=requirements, runtime=runtime)
        for name, requirements in layers.items()
    )
    write_text(path, text + _FUNCTIONS.format(name=next(iter(layers))))
    return path


def _found_layers(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield a layer's name and requirements for each input file; a .in file stands before its .txt."""
    inputs = [path for ending in (".in", ".txt") for path in _requirements_files(folder, ending)]
    seen: set[Path] = set()
    for path in inputs:
        if path.with_suffix("") not in seen:
            seen.add(path.with_suffix(""))
            yield _layer_name(path.relative_to(folder)), path.relative_to(folder).as_posix()
    if not inputs and (project := _project(folder)):
        dependencies = project.get("dependencies", [])
        if isinstance(dependencies, list) and dependencies:
            yield "shared", "[" + ", ".join(f'"{dependency}"' for dependency in dependencies) + "]"


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
    """Name a layer after its file's folder, or after what follows `requirements-`."""
    own = re.sub(r"^requirements[-_.]?|[-_.]?requirements$", "", path.stem)
    name = own or (path.parent.name if path.parent.name not in _PLAIN_NAMES else "")
    return re.sub(r"[^a-zA-Z0-9_-]", "-", name) or "shared"


def _project(folder: Path) -> dict[str, object]:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}
    return project if isinstance(project, dict) else {}


def _runtime(folder: Path) -> str:
    """Choose the newest released runtime that `requires-python` admits, else the newest but one."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - only here

    released = [runtime for runtime in RUNTIMES.values() if not runtime.preview and runtime.python]
    asked = _project(folder).get("requires-python")
    try:
        specifier = SpecifierSet(asked if isinstance(asked, str) else "<3.14")
    except InvalidSpecifier:
        specifier = SpecifierSet("<3.14")
    fitting = [runtime for runtime in released if str(runtime.python) in specifier]
    return str(fitting[-1] if fitting else released[-1])
