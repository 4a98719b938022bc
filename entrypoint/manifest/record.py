"""Mappings of the manifest: `Record` has known keys, each declared once as a `Field`; `MapOf` has free keys.

A record works in two steps. `read` checks a YAML node and returns a `Table`, which keeps the location of
every value. `build` converts a table without problems into a value of `model`.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from entrypoint.errors import Location
from entrypoint.manifest.fields import Shape, WordOr
from entrypoint.manifest.yaml_nodes import Reader, Table, entries


class Origin(NamedTuple):
    """The folder of the manifest, which relative paths start from, and the location of a key.

    `roots` are the folders that files may be in; any if empty.
    """

    folder: Path
    location: Location
    roots: tuple[Path, ...] = ()


class Field(NamedTuple):
    """The declaration of a key; parser, model, JSON Schema and reference all come from it.

    Attributes:
        shape: what the value looks like.
        help: what the key is for, in sentences.
        required: whether the mapping must have the key.
        default: the value that a missing key is equivalent to, as it would be written; None if there is none.
        fills: the argument of the record's `make` that receives the value; the key's name if empty.
        convert: turns the value that was read into the one that `make` expects; by default they are the same.
    """

    shape: Shape
    help: str
    required: bool = False
    default: Any = None
    fills: str = ""
    convert: Callable[[Any, Origin], Any] | None = None

    def value(self, written: Any, origin: Origin) -> Any:  # noqa: ANN401 - each shape has its own type
        """Return what the key contributes to the model."""
        shape = self.shape.other if isinstance(self.shape, WordOr) else self.shape
        if isinstance(shape, Record | MapOf) and isinstance(written, Table):
            written = shape.build(written, origin.folder, origin.roots)
        return self.convert(written, origin) if self.convert else written

    @property
    def description(self) -> str:
        """The help text with the default, for editors and tables."""
        return self.help if self.default is None else f"{self.help} Default: {self.default_text}."

    @property
    def default_text(self) -> str:
        """The default as it would be written in YAML."""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        return f"[{', '.join(self.default)}]" if isinstance(self.default, list) else str(self.default)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the value."""
        schema = {"description": self.description} | self.shape.schema()
        return schema if self.default is None else schema | {"default": self.default}


class Record(NamedTuple):
    """A mapping with known keys.

    Attributes:
        fields: the keys.
        make: builds the value of the model from keyword arguments, one per key that is written.
        any_of: keys of which at least one is required.
        extensions: whether keys that begin with x- are ignored.
    """

    fields: Mapping[str, Field]
    make: Callable[..., Any] = dict
    any_of: tuple[str, ...] = ()
    extensions: bool = False

    def read(self, node: yaml.Node, reader: Reader) -> Table | None:
        """Return the values of the valid keys."""
        values: dict[str, Any] = {}
        keys: dict[str, Location] = {}
        for key, key_node, value_node in entries(node, reader):
            if self.extensions and key.startswith("x-"):
                continue
            keys[key] = reader.location(key_node)
            if key not in self.fields:
                reader.problem(key_node, f"unknown key {key!r}", self._suggestion(key))
                continue
            value = self.fields[key].shape.read(value_node, reader)
            if value is not None:
                values[key] = value
        if not isinstance(node, yaml.MappingNode):
            return None
        for name, known in self.fields.items():
            if known.required and name not in keys:
                hint = f"add '{name}:' ({known.help.removesuffix('.')})"
                reader.problem(node, f"missing key {name!r}", hint)
        if self.any_of and keys.keys().isdisjoint(self.any_of):
            reader.problem(node, f"none of {', '.join(self.any_of)} is set", "add at least one of them")
        return Table(values, keys, reader.location(node))

    def build(self, table: Table, folder: Path, roots: tuple[Path, ...], **arguments: Any) -> Any:  # noqa: ANN401 - `make` decides
        """Return the value of the model for a table without problems; `arguments` go to `make` as well."""
        for key, written in table.values.items():
            field = self.fields[key]
            arguments[field.fills or key] = field.value(written, Origin(folder, table.keys[key], roots))
        return self.make(**arguments)

    def _suggestion(self, key: str) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and only for this message

        close = get_close_matches(key, self.fields, n=1)
        return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(self.fields)}"

    def schema(self) -> dict[str, Any]:
        """Return an object schema that rejects unknown keys."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: known.schema() for name, known in self.fields.items()},
            "additionalProperties": False,
        }
        if required := [name for name, known in self.fields.items() if known.required]:
            schema["required"] = required
        if self.any_of:
            schema["anyOf"] = [{"required": [name]} for name in self.any_of]
        if self.extensions:
            schema["patternProperties"] = {"^x-": {}}
        return schema


class MapOf(NamedTuple):
    """A mapping with keys that the user chooses.

    Attributes:
        item: the shape of each value.
        key: a regular expression that every key must match.
        meaning: what messages call a key.
    """

    item: Shape
    key: str
    meaning: str

    def read(self, node: yaml.Node, reader: Reader) -> Table | None:
        """Return the valid values by key, in the order of the file."""
        values: dict[str, Any] = {}
        keys: dict[str, Location] = {}
        for key, key_node, value_node in entries(node, reader):
            keys[key] = reader.location(key_node)
            if not re.fullmatch(self.key, key):
                reader.problem(key_node, f"{key!r} is not {self.meaning}", f"it must match {self.key}")
            value = self.item.read(value_node, reader)
            if value is not None:
                values[key] = value
        return Table(values, keys, reader.location(node)) if isinstance(node, yaml.MappingNode) else None

    def build(self, table: Table, folder: Path, roots: tuple[Path, ...]) -> dict[str, Any]:
        """Return the values by key; the `make` of a record also gets its key as `name` and its `location`."""
        if not isinstance(self.item, Record):
            return dict(table.values)
        return {
            key: self.item.build(value, folder, roots, name=key, location=table.keys[key])
            for key, value in table.values.items()
        }

    def schema(self) -> dict[str, Any]:
        """Return an object schema for free keys."""
        names = {"pattern": rf"^(?:{self.key})$|\$"}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}


def to_path(text: str, origin: Origin) -> Path:
    """Convert a path that is relative to the manifest's folder."""
    return origin.folder / text


def to_paths(texts: tuple[str, ...], origin: Origin) -> tuple[Path, ...]:
    """Convert paths that are relative to the manifest's folder."""
    return tuple(origin.folder / text for text in texts)


def to_names(table: Mapping[str, str], _: Origin) -> frozenset[str]:
    """Keep the keys of a mapping from names to reasons."""
    return frozenset(table)
