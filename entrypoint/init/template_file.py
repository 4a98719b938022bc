"""The YAML of other tools -> plain values, including `!Ref`, `${...}` and values of unexpected types."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from entrypoint.errors import Location, ManifestError
from entrypoint.manifest.yaml_limits import check_size

Json = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


class _Loader(yaml.SafeLoader):
    """Reads the short form of CloudFormation's functions as their long form: `!Ref x` as {Ref: x}."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)} if isinstance(node, yaml.MappingNode) else {}


_Loader.add_multi_constructor("!", _function)


def read_template(path: Path) -> Json:
    """Return the content of a template; empty if it is not a mapping.

    Raises:
        ManifestError: if it is not valid YAML or cannot be read.
    """
    hint = "fix it, or move it while init runs"
    try:
        check_size(path.stat().st_size, path.name)
        found = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = Location(path.name, mark.line + 1, mark.column + 1) if mark else Location(path.name)
        raise ManifestError.of(f"invalid YAML: {error.problem}", hint, location) from None
    except (yaml.YAMLError, OSError, ValueError, TypeError, RecursionError) as error:
        raise ManifestError.of(f"cannot read the file: {error}", hint, Location(path.name)) from None
    return table(found)


def table(value: object) -> Json:
    """Return the entries of a mapping whose keys are texts; empty for other values."""
    return (
        {key: each for key, each in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}
    )


def listed(value: object) -> list[object]:
    """Return a list unchanged, and any other value as a list of one; None is empty."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def text(value: object) -> str:
    """Return a text, or the template of Fn::Sub; empty for other values."""
    built = table(value).get("Fn::Sub", value)
    first = built[0] if isinstance(built, list) and built else built
    return first if isinstance(first, str) else ""


def referred(value: object) -> str:
    """Return the logical ID that a value refers to, with Ref, Fn::GetAtt or `${...}`; empty if none."""
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
    """Return a name with `*` for each part that is only known at deployment."""
    return re.sub(r"\*+", "*", _PLACEHOLDER.sub("*", value))


def source_of(folder: Path, location: str) -> tuple[str, str] | None:
    """Return ("requirements", file) or ("content", folder) for a template's path; None outside the folder."""
    path = folder / location
    try:
        if not path.resolve().is_relative_to(folder.resolve()) or path.resolve() == folder.resolve():
            return None
        for file in (path, path / "requirements.txt", path / "python" / "requirements.txt"):
            if file.is_file() and file.suffix in {".in", ".txt"}:
                return "requirements", file.resolve().relative_to(folder.resolve()).as_posix()
        is_folder = path.is_dir()
    except (OSError, ValueError):  # an invalid file name
        return None
    return ("content", path.resolve().relative_to(folder.resolve()).as_posix()) if is_folder else None
