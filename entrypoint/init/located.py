"""YAML and JSON of other tools -> values that know their line.

All scalars are texts, as the tools compare and join them so: a version 1.10 or an account ID 012345678901
must not become a number. The short form of CloudFormation's functions is read as their long form: `!Ref x` as
{Ref: x}.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from entrypoint.errors import Location, ManifestError
from entrypoint.init.placeholders import without_markers
from entrypoint.manifest.yaml_limits import check_depth, check_nodes, check_size

_HINT = "fix it, or move it while init runs"
LONGEST = 10_000
"""Characters of a text that references make; a few of them can amount to any number."""
_TRUE = {"true", "yes", "on"}
_FALSE = {"false", "no", "off", ""}


class Text(str):
    """A scalar with its location."""

    __slots__ = ("location",)
    location: Location

    @classmethod
    def at(cls, value: str, location: Location) -> "Text":
        """Return a text with a location."""
        made = cls(value)
        made.location = location
        return made


class Items(list[object]):
    """A list with its location."""

    def __init__(self, values: list[object], location: Location) -> None:
        super().__init__(values)
        self.location = location


class Table(dict[str, object]):
    """A mapping with its location, and those of its keys."""

    def __init__(self, location: Location) -> None:
        super().__init__()
        self.location = location
        self.keys_at: dict[str, Location] = {}

    def at(self, key: str) -> Location:
        """Return the location of a key; the mapping's own if it has no such key."""
        return self.keys_at.get(key, self.location)


class Unknown(NamedTuple):
    """A value that no file of the repository has, with the reason."""

    reason: str
    location: Location


def read_file(path: Path, shown: str) -> object:
    """Return the content of a YAML or JSON file; None if it is empty.

    Raises:
        ManifestError: if it cannot be read, is invalid, or too large.
    """
    try:
        check_size(path.stat().st_size, shown)
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ManifestError.of(f"cannot read the file: {error}", _HINT, Location(shown)) from None
    return parse(text, shown)


def parse(text: str, shown: str) -> object:
    """Return the content of YAML or JSON text; None if it is empty.

    Raises:
        ManifestError: if it is invalid or too large.
    """
    # YAML does not allow tabs as indentation, JSON does.
    text = re.sub(
        r"^[ \t]+(?=[\"{}\[\]])", lambda match: match[0].replace("\t", "  "), text, flags=re.MULTILINE
    )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        check_depth(text, shown, loader)
        node = yaml.compose(text, Loader=loader)
        if node is None:
            return None
        check_nodes(node, shown)
        return _value(node, shown)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        location = Location(shown, mark.line + 1, mark.column + 1) if mark else Location(shown)
        raise ManifestError.of(f"invalid YAML: {error.problem}", _HINT, location) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ManifestError.of(f"invalid YAML: {error}", _HINT, Location(shown)) from None


def _value(node: yaml.Node, file: str) -> object:
    location = Location(file, node.start_mark.line + 1)
    made: object = None
    if isinstance(node, yaml.MappingNode):
        made = _table(node, file, location)
    elif isinstance(node, yaml.SequenceNode):
        made = Items([_value(each, file) for each in node.value], location)
    elif node.tag != "tag:yaml.org,2002:null":
        made = Text.at(_clean(node), location)
    if node.tag.startswith("!") and len(node.tag) > 1:
        suffix = node.tag[1:]
        function = Table(location)
        function[suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"] = made
        return function
    return made


def _clean(node: yaml.Node) -> str:
    """Return a scalar as a text that can be written and that has no markers of placeholders."""
    text: str = node.value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return without_markers(text)


def _table(node: yaml.MappingNode, file: str, location: Location) -> Table:
    yaml.constructor.SafeConstructor().flatten_mapping(node)
    made = Table(location)
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            name = _clean(key)
            made[name] = _value(value, file)
            made.keys_at[name] = Location(file, key.start_mark.line + 1)
    return made


def table(value: object) -> Table:
    """Return a mapping; an empty one for other values."""
    return value if isinstance(value, Table) else Table(location_of(value))


def items(value: object) -> list[object]:
    """Return a list unchanged, and any other value as a list of one; None is empty."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def text(value: object) -> str:
    """Return a text; empty for other values."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list, or a text as a list of one."""
    return tuple(each for each in items(value) if isinstance(each, str) and each)


def is_true(value: object) -> bool:
    """Whether a value is true as YAML has it; mappings and lists are true unless they are empty."""
    return value.lower() not in _FALSE if isinstance(value, str) else bool(value)


def is_boolean(value: object) -> bool:
    """Whether a value is true or false."""
    return isinstance(value, str) and value.lower() in _TRUE | _FALSE


def location_of(value: object) -> Location:
    """Return where a value is; an empty location for values that no file has."""
    return getattr(value, "location", None) or Location("")


def tables(value: object) -> Iterator[tuple[str, Table, Location]]:
    """Yield the mappings of a mapping: key, value, and location of the key."""
    found = table(value)
    for key, each in found.items():
        if isinstance(each, Table):
            yield key, each, found.at(key)
