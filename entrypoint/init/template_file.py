"""The YAML of other tools -> plain values, whatever stands in it: `!Ref`, `${...}`, what is none of ours."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from entrypoint.errors import Location, ManifestError

Json = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


class _Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their long ones: `!Ref x` as {Ref: x}."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)} if isinstance(node, yaml.MappingNode) else {}


_Loader.add_multi_constructor("!", _function)


def read_template(path: Path) -> Json:
    """Return what stands in a template; nothing where it is no mapping.

    Raises:
        ManifestError: where it is no YAML, or cannot be read.
    """
    hint = "mend it, or move it away while init runs"
    try:
        found = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader it is
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = Location(path.name, mark.line + 1, mark.column + 1) if mark else Location(path.name)
        raise ManifestError.of(f"this is not YAML: {error.problem}", hint, location) from None
    except (yaml.YAMLError, OSError, ValueError, TypeError, RecursionError) as error:
        raise ManifestError.of(f"this cannot be read: {error}", hint, Location(path.name)) from None
    return table(found)


def table(value: object) -> Json:
    """Return a mapping's entries whose keys are texts; nothing for other values."""
    return (
        {key: each for key, each in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}
    )


def listed(value: object) -> list[object]:
    """Return a list, or one with the value that stands in its place."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def text(value: object) -> str:
    """Return a text as it stands, also one that is built of others; nothing for other values."""
    built = table(value).get("Fn::Sub", value)
    first = built[0] if isinstance(built, list) and built else built
    return first if isinstance(first, str) else ""


def referred(value: object) -> str:
    """Return the logical name that a value refers to, by whatever function; nothing where it is none."""
    found = table(value)
    if isinstance(name := found.get("Ref"), str):
        return name
    attribute = found.get("Fn::GetAtt")
    if isinstance(attribute, list) and attribute and isinstance(attribute[0], str):
        return attribute[0]
    if isinstance(attribute, str):
        return attribute.partition(".")[0]
    placeholder = re.fullmatch(r"\$\{(\w+)(?:\.\w+)?\}", text(value))
    return placeholder[1] if placeholder else ""


def globbed(value: str) -> str:
    """Return a name with a star for each part that only a deployment knows."""
    return re.sub(r"\*+", "*", _PLACEHOLDER.sub("*", value))


def source_of(folder: Path, location: str) -> tuple[str, str] | None:
    """Return what a place that a template names is for: ("requirements", file) or ("content", folder)."""
    path = folder / location
    try:
        if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
            return None
        for file in (path, path / "requirements.txt", path / "python" / "requirements.txt"):
            if file.is_file() and file.suffix in {".in", ".txt"}:
                return "requirements", file.resolve().relative_to(folder.resolve()).as_posix()
        is_folder = path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return ("content", path.resolve().relative_to(folder.resolve()).as_posix()) if is_folder else None
