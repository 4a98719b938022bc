"""What a YAML file may hold: each shape both reads it, with places, and describes it as JSON Schema.

One declaration serves the parser and the editors, so the two cannot drift apart. Reading never
stops at the first problem: a shape notes it in the `Reader` and answers None in its stead.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import yaml

from entrypoint.errors import Location
from entrypoint.manifest.yaml_nodes import Reader, Table, Text, entries, kind

_WHOLE = 100


class Shape(Protocol):
    """Something a value of the file may look like."""

    def read(self, node: yaml.Node, reader: Reader) -> Any:  # noqa: ANN401 - each shape has its own type
        """Return the value, or None after noting what is wrong."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what `read` takes."""


class String(NamedTuple):
    """A text; `pattern` is matched whole, `meaning` is what the message calls it."""

    meaning: str = "text"
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    longest: int | None = None

    def read(self, node: yaml.Node, reader: Reader) -> Text | None:
        """Return the text with variables filled in."""
        if not (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str"):
            hint = " in quotes" if isinstance(node, yaml.ScalarNode) else ""
            reader.problem(
                node, f"expected {self.meaning}, found {kind(node)}", f"write {self.meaning}{hint}"
            )
            return None
        before = len(reader.problems)
        value = reader.expand(node)
        if len(reader.problems) > before:
            return None
        if self.choices and value not in self.choices:
            reader.problem(
                node, f"{self.meaning} {value!r} is unknown", f"choose one of {', '.join(self.choices)}"
            )
        elif not value or (self.pattern and not re.fullmatch(self.pattern, value)):
            reader.problem(
                node, f"{value!r} is not {self.meaning}", f"it has to match {self.pattern or '.+'}"
            )
        elif self.longest and len(value) > self.longest:
            reader.problem(node, f"{len(value)} characters are too many", f"AWS takes at most {self.longest}")
        else:
            return Text.at(value, reader.location(node))
        return None

    def schema(self) -> dict[str, Any]:
        """Return a string schema; a value with variables in it is left to the parser."""
        rules: dict[str, Any] = {"type": "string", "minLength": 1}
        if self.longest:
            rules["maxLength"] = self.longest
        if self.choices:
            return rules | {"anyOf": [{"enum": list(self.choices)}, {"pattern": r"\$"}]}
        if self.pattern:
            return rules | {"pattern": rf"^(?:{self.pattern})$|\$"}
        return rules


class Flag(NamedTuple):
    """True or false."""

    def read(self, node: yaml.Node, reader: Reader) -> bool | None:
        """Return the flag."""
        if node.tag != "tag:yaml.org,2002:bool":
            reader.problem(node, f"expected true or false, found {kind(node)}", "write true or false")
            return None
        return str(node.value).lower() in {"true", "yes", "on"}

    def schema(self) -> dict[str, Any]:
        """Return a boolean schema."""
        return {"type": "boolean"}


class FlagOr(NamedTuple):
    """True, false, or the one word that leaves the choice to us."""

    word: str

    def read(self, node: yaml.Node, reader: Reader) -> bool | Text | None:
        """Return the flag or the word."""
        if node.value == self.word:
            return Text.at(self.word, reader.location(node))
        return Flag().read(node, reader)

    def schema(self) -> dict[str, Any]:
        """Return a schema of the three."""
        return {"enum": [True, False, self.word]}


class Number(NamedTuple):
    """A whole number between two limits."""

    meaning: str
    least: int = 0
    most: int | None = None

    def read(self, node: yaml.Node, reader: Reader) -> int | None:
        """Return the number."""
        text = reader.expand(node) if isinstance(node, yaml.ScalarNode) else ""
        between = f"at least {self.least}" + ("" if self.most is None else f" and at most {self.most}")
        if not re.fullmatch("[0-9]{1,9}", text):
            reader.problem(node, f"expected {self.meaning}, found {text or kind(node)}", "write a number")
        elif not self.least <= int(text) <= (self.most or int(text)):
            reader.problem(node, f"{text} cannot be {self.meaning}", f"it has to be {between}")
        else:
            return int(text)
        return None

    def schema(self) -> dict[str, Any]:
        """Return an integer schema; a value with variables in it is left to the parser."""
        limits = {"minimum": self.least} | ({} if self.most is None else {"maximum": self.most})
        return {"anyOf": [{"type": "integer", **limits}, {"type": "string", "pattern": r"\$"}]}


class CountOrPercent(NamedTuple):
    """A number of things, or a percentage of all that there are."""

    amount: int
    is_percentage: bool

    def of(self, total: int) -> int:
        """Return how many of `total` are meant; a part of one counts as one."""
        return -(-total * self.amount // 100) if self.is_percentage else min(self.amount, total)


class PortionOf(NamedTuple):
    """A count such as 5, or a percentage such as 10%."""

    meaning: str

    def read(self, node: yaml.Node, reader: Reader) -> CountOrPercent | None:
        """Return the portion."""
        text = reader.expand(node) if isinstance(node, yaml.ScalarNode) else ""
        match = re.fullmatch(r"([0-9]{1,6})(%?)", text)
        if not match or (match[2] and int(match[1]) > _WHOLE):
            reader.problem(node, f"{text or kind(node)} is not {self.meaning}", "write it as 5 or as 10%")
            return None
        return CountOrPercent(int(match[1]), bool(match[2]))

    def schema(self) -> dict[str, Any]:
        """Return a schema of both; a value with variables in it is left to the parser."""
        percentage = {"type": "string", "pattern": r"^(?:[0-9]{1,2}|100)%$|\$"}
        return {"anyOf": [{"type": "integer", "minimum": 0}, percentage]}


class Constant(NamedTuple):
    """The one number that may stand here."""

    value: int

    def read(self, node: yaml.Node, reader: Reader) -> int | None:
        """Return the number."""
        if node.tag != "tag:yaml.org,2002:int" or node.value != str(self.value):
            reader.problem(node, f"expected {self.value}, found {node.value!r}", f"write {self.value}")
            return None
        return self.value

    def schema(self) -> dict[str, Any]:
        """Return a schema of the constant."""
        return {"const": self.value}


class ListOf(NamedTuple):
    """A list without repetitions; where `single` is set, one value may stand without the brackets."""

    item: Shape
    single: bool = False

    def read(self, node: yaml.Node, reader: Reader) -> tuple[Any, ...] | None:
        """Return the values that could be read, in order."""
        if self.single and isinstance(node, yaml.ScalarNode):
            value = self.item.read(node, reader)
            return None if value is None else (value,)
        if not isinstance(node, yaml.SequenceNode):
            reader.problem(
                node, f"expected a list, found {kind(node)}", "write [a, b] or one '- ' line for each"
            )
            return None
        if not node.value:
            reader.problem(node, "the list is empty", "name at least one, or leave the key out")
        values = []
        for child in node.value:
            value = self.item.read(child, reader)
            if value is not None and value in values:
                reader.problem(child, f"{value!r} stands here twice", "leave one of them out")
            elif value is not None:
                values.append(value)
        return tuple(values)

    def schema(self) -> dict[str, Any]:
        """Return an array schema."""
        many = {"type": "array", "items": self.item.schema(), "minItems": 1, "uniqueItems": True}
        return {"anyOf": [self.item.schema(), many]} if self.single else many


class Field(NamedTuple):
    """A key of a record; `help` is what an editor shows for it."""

    shape: Shape
    help: str
    required: bool = False


class Record(NamedTuple):
    """A mapping whose keys are known, one of `any_of` at the least; `extensions` lets keys with x- alone."""

    fields: Mapping[str, Field]
    extensions: bool = False
    any_of: tuple[str, ...] = ()

    def read(self, node: yaml.Node, reader: Reader) -> Table | None:
        """Return the values of the keys that are written and could be read."""
        values: dict[str, Any] = {}
        keys: dict[str, Location] = {}
        for key, key_node, value_node in entries(node, reader):
            if self.extensions and key.startswith("x-"):
                continue
            keys[key] = reader.location(key_node)
            if key not in self.fields:
                reader.problem(key_node, f"the key {key!r} is unknown", self._suggest(key))
                continue
            value = self.fields[key].shape.read(value_node, reader)
            if value is not None:
                values[key] = value
        if isinstance(node, yaml.MappingNode):
            for name, known in self.fields.items():
                if known.required and name not in keys:
                    reader.problem(node, f"the key {name!r} is missing", f"write '{name}:' ({known.help})")
            if self.any_of and keys.keys().isdisjoint(self.any_of):
                reader.problem(node, "there is nothing in it", f"write one of {', '.join(self.any_of)}")
        return Table(values, keys, reader.location(node)) if isinstance(node, yaml.MappingNode) else None

    def _suggest(self, key: str) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 - slow to import, and only for this message

        close = get_close_matches(key, self.fields, n=1)
        return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(self.fields)}"

    def schema(self) -> dict[str, Any]:
        """Return an object schema that refuses unknown keys."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                name: {"description": known.help} | known.shape.schema()
                for name, known in self.fields.items()
            },
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
    """A mapping whose keys the user chooses."""

    item: Shape
    key: str
    meaning: str

    def read(self, node: yaml.Node, reader: Reader) -> Table | None:
        """Return the values by key, in the order of the file."""
        values: dict[str, Any] = {}
        keys: dict[str, Location] = {}
        for key, key_node, value_node in entries(node, reader):
            keys[key] = reader.location(key_node)
            if not re.fullmatch(self.key, key):
                reader.problem(key_node, f"{key!r} is not {self.meaning}", f"it has to match {self.key}")
            value = self.item.read(value_node, reader)
            if value is not None:
                values[key] = value
        return Table(values, keys, reader.location(node)) if isinstance(node, yaml.MappingNode) else None

    def schema(self) -> dict[str, Any]:
        """Return an object schema for free keys."""
        names = {"pattern": rf"^(?:{self.key})$|\$"}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}
