"""Shapes of single values and lists: each one reads a YAML node and describes itself as JSON Schema.

The parser and the schema for editors come from the same shape. Reading does not stop at the first problem:
a shape adds it to the `Reader` and returns None.
"""

import re
from typing import Any, NamedTuple, Protocol

import yaml

from entrypoint.manifest.yaml_nodes import Reader, Text, kind

_WHOLE = 100


class Shape(Protocol):
    """What a value of the file may look like."""

    def read(self, node: yaml.Node, reader: Reader) -> Any:  # noqa: ANN401 - each shape has its own type
        """Return the value, or None after adding the problem to the reader."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values that `read` accepts."""


class String(NamedTuple):
    """A text.

    Attributes:
        meaning: what messages and the reference call it.
        pattern: a regular expression that the whole text must match.
        choices: the allowed values; all if empty.
        longest: the maximum number of characters.
    """

    meaning: str = "text"
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    longest: int | None = None

    def read(self, node: yaml.Node, reader: Reader) -> Text | None:
        """Return the text with variables replaced."""
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
                node, f"{value!r} is not {self.meaning}", f"choose one of {', '.join(self.choices)}"
            )
        elif not value or (self.pattern and not re.fullmatch(self.pattern, value)):
            reader.problem(node, f"{value!r} is not {self.meaning}", f"it must match {self.pattern or '.+'}")
        elif self.longest and len(value) > self.longest:
            reader.problem(
                node, f"{len(value)} characters exceed the limit of {self.longest}", "shorten the text"
            )
        else:
            return Text.at(value, reader.location(node))
        return None

    def schema(self) -> dict[str, Any]:
        """Return a string schema; it accepts any value with variables, which only the parser can check."""
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
    """True, false, or one word."""

    word: str

    def read(self, node: yaml.Node, reader: Reader) -> bool | Text | None:
        """Return the flag or the word."""
        if node.value == self.word:
            return Text.at(self.word, reader.location(node))
        return Flag().read(node, reader)

    def schema(self) -> dict[str, Any]:
        """Return a schema of the three values."""
        return {"enum": [True, False, self.word]}


class WordOr(NamedTuple):
    """One word, or a value of another shape."""

    word: str
    other: Shape

    def read(self, node: yaml.Node, reader: Reader) -> Any:  # noqa: ANN401 - as the other shape
        """Return the word or the value."""
        if isinstance(node, yaml.ScalarNode) and node.value == self.word:
            return Text.at(self.word, reader.location(node))
        return self.other.read(node, reader)

    def schema(self) -> dict[str, Any]:
        """Return a schema of both."""
        return {"anyOf": [{"const": self.word}, self.other.schema()]}


class Number(NamedTuple):
    """An integer between two limits; `most` is None if there is no upper limit."""

    meaning: str
    least: int = 0
    most: int | None = None

    def read(self, node: yaml.Node, reader: Reader) -> int | None:
        """Return the number."""
        text = reader.expand(node) if isinstance(node, yaml.ScalarNode) else ""
        allowed = f"of at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"
        if not re.fullmatch("[0-9]{1,9}", text):
            reader.problem(node, f"expected {self.meaning}, found {text or kind(node)}", "use a number")
        elif not self.least <= int(text) <= (self.most or int(text)):
            reader.problem(node, f"{text} is out of range for {self.meaning}", f"use a value {allowed}")
        else:
            return int(text)
        return None

    def schema(self) -> dict[str, Any]:
        """Return an integer schema; it accepts any value with variables, which only the parser can check."""
        limits = {"minimum": self.least} | ({} if self.most is None else {"maximum": self.most})
        return {"anyOf": [{"type": "integer", **limits}, {"type": "string", "pattern": r"\$"}]}


class CountOrPercent(NamedTuple):
    """A count, or a percentage of a total."""

    amount: int
    is_percentage: bool

    def of(self, total: int) -> int:
        """Return the count for a total; percentages are rounded up."""
        return -(-total * self.amount // 100) if self.is_percentage else min(self.amount, total)


class CountOrPercentOf(NamedTuple):
    """A count such as 5, or a percentage such as 10%."""

    meaning: str

    def read(self, node: yaml.Node, reader: Reader) -> CountOrPercent | None:
        """Return the count or the percentage."""
        text = reader.expand(node) if isinstance(node, yaml.ScalarNode) else ""
        match = re.fullmatch(r"([0-9]{1,6})(%?)", text)
        if not match or (match[2] and int(match[1]) > _WHOLE):
            found = text or kind(node)
            reader.problem(
                node, f"{found} is not {self.meaning}", "use a count such as 5 or a percentage such as 10%"
            )
            return None
        return CountOrPercent(int(match[1]), bool(match[2]))

    def schema(self) -> dict[str, Any]:
        """Return a schema of both; it accepts any value with variables, which only the parser can check."""
        percentage = {"type": "string", "pattern": r"^(?:[0-9]{1,2}|100)%$|\$"}
        return {"anyOf": [{"type": "integer", "minimum": 0}, percentage]}


class Constant(NamedTuple):
    """A fixed number."""

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
    """A list without duplicates; with `single`, one value may be written without brackets."""

    item: Shape
    single: bool = False

    def read(self, node: yaml.Node, reader: Reader) -> tuple[Any, ...] | None:
        """Return the valid values, in order."""
        if self.single and isinstance(node, yaml.ScalarNode):
            value = self.item.read(node, reader)
            return None if value is None else (value,)
        if not isinstance(node, yaml.SequenceNode):
            reader.problem(
                node, f"expected a list, found {kind(node)}", "write [a, b] or one '- ' line per item"
            )
            return None
        if not node.value:
            reader.problem(node, "the list is empty", "add an item or remove the key")
        values: list[Any] = []
        texts: set[str] = set()  # a long list would be searched for each of its items
        for child in node.value:
            value = self.item.read(child, reader)
            if value in (texts if isinstance(value, str) else values):
                reader.problem(child, f"{value!r} is listed twice", "remove one of them")
            elif value is not None:
                values.append(value)
                texts.update([value] if isinstance(value, str) else [])
        return tuple(values)

    def schema(self) -> dict[str, Any]:
        """Return an array schema."""
        many = {"type": "array", "items": self.item.schema(), "minItems": 1, "uniqueItems": True}
        return {"anyOf": [self.item.schema(), many]} if self.single else many
