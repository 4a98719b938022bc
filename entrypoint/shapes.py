"""What a YAML file may hold: each shape both reads it, with places, and describes it as JSON Schema.

One declaration serves the parser and the editors, so the two cannot drift apart. Reading never
stops at the first problem: a shape notes it in the `Reader` and answers None in its stead.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import yaml

from entrypoint.errors import ManifestError, Place, Problem

_VARIABLE = re.compile(
    r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<stray>\{))"
)
_TAG_NAMES = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}


class Text(str):
    """A text of the file that remembers where it stood."""

    __slots__ = ("place",)
    place: Place

    @classmethod
    def at(cls, value: str, place: Place) -> "Text":
        """Attach the place to the text."""
        text = cls(value)
        text.place = place
        return text


class Table(NamedTuple):
    """A mapping of the file: its values by key, the keys' own places, and where it began."""

    values: Mapping[str, Any]
    keys: Mapping[str, Place]
    place: Place

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - the shape decides the type
        """Return the value under `key`, or the default where it is not written."""
        return self.values.get(key, default)


class Reader:
    """Reads one file: fills in `${NAME}` from `variables` and gathers every problem."""

    def __init__(self, file: str, variables: Mapping[str, str]) -> None:
        self.file = file
        self.variables = variables
        self.problems: list[Problem] = []

    def place(self, node: yaml.Node) -> Place:
        """Return where a node begins."""
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def problem(self, node: yaml.Node, message: str, remedy: str) -> None:
        """Note something that is wrong at a node."""
        self.problems.append(Problem(message, remedy, self.place(node)))

    def expand(self, node: yaml.ScalarNode) -> str:
        """Return the scalar with `${NAME}` and `${NAME:-default}` filled in; `$$` stands for one dollar."""

        def fill(match: re.Match[str]) -> str:
            if match["stray"]:
                self.problem(
                    node, "'${' begins a variable and is not closed", "write ${NAME} or $$ for a dollar"
                )
                return ""
            if match["name"] is None:
                return "$"
            value = self.variables.get(match["name"]) or match["default"]
            if value is None:
                name = match["name"]
                remedy = (
                    f"give it with --set {name}=value or in the environment, or write ${{{name}:-default}}"
                )
                self.problem(node, f"the variable {name} is not set", remedy)
            return value or ""

        return _VARIABLE.sub(fill, node.value) if "$" in node.value else str(node.value)


class Shape(Protocol):
    """Something a value of the file may look like."""

    def read(self, node: yaml.Node, reader: Reader) -> Any:  # noqa: ANN401 - each shape has its own type
        """Return the value, or None after noting what is wrong."""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what `read` takes."""


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return _TAG_NAMES.get(str(node.tag).rpartition(":")[2], "something else")


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
                node, f"expected {self.meaning}, found {_kind(node)}", f"write {self.meaning}{hint}"
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
            return Text.at(value, reader.place(node))
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
            reader.problem(node, f"expected true or false, found {_kind(node)}", "write true or false")
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
            return Text.at(self.word, reader.place(node))
        return Flag().read(node, reader)

    def schema(self) -> dict[str, Any]:
        """Return a schema of the three."""
        return {"enum": [True, False, self.word]}


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
                node, f"expected a list, found {_kind(node)}", "write [a, b] or one '- ' line for each"
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


def _entries(node: yaml.Node, reader: Reader) -> Iterator[tuple[str, yaml.ScalarNode, yaml.Node]]:
    """Yield a mapping's keys, variables filled in, with their nodes; `<<` is merged as YAML says."""
    if not isinstance(node, yaml.MappingNode):
        reader.problem(node, f"expected a mapping, found {_kind(node)}", "write 'key: value' lines")
        return
    own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
    doubled = {key for key in own if own.count(key) > 1}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in doubled:
            doubled.discard(key.value)
            reader.problem(key, f"the key {key.value!r} stands here more than once", "keep one of them")
    try:
        yaml.constructor.SafeConstructor().flatten_mapping(node)
    except yaml.constructor.ConstructorError as error:
        reader.problem(node, str(error.problem), "merge a mapping, or a list of mappings, with <<")
        return
    entries: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
    for key, value in node.value:
        if isinstance(key, yaml.ScalarNode):
            entries[reader.expand(key)] = (key, value)
        else:
            reader.problem(key, f"expected a name, found {_kind(key)}", "write a plain text before the colon")
    for text, (key, value) in entries.items():
        yield text, key, value


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
        keys: dict[str, Place] = {}
        for key, key_node, value_node in _entries(node, reader):
            if self.extensions and key.startswith("x-"):
                continue
            keys[key] = reader.place(key_node)
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
        return Table(values, keys, reader.place(node)) if isinstance(node, yaml.MappingNode) else None

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
        keys: dict[str, Place] = {}
        for key, key_node, value_node in _entries(node, reader):
            keys[key] = reader.place(key_node)
            if not re.fullmatch(self.key, key):
                reader.problem(key_node, f"{key!r} is not {self.meaning}", f"it has to match {self.key}")
            value = self.item.read(value_node, reader)
            if value is not None:
                values[key] = value
        return Table(values, keys, reader.place(node)) if isinstance(node, yaml.MappingNode) else None

    def schema(self) -> dict[str, Any]:
        """Return an object schema for free keys."""
        names = {"pattern": rf"^(?:{self.key})$|\$"}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}


def compose(text: str, file: str) -> yaml.Node:
    """Return the file's one YAML document as nodes; ManifestError where it is no YAML or empty."""
    try:
        node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        message = " ".join(filter(None, (error.context, error.problem)))
        raise ManifestError.of(
            f"this is not YAML: {message}", "mend the syntax here or just above", place
        ) from None
    except yaml.YAMLError as error:
        remedy = "save it as UTF-8 text without control characters"
        raise ManifestError.of(f"this is not YAML: {error}", remedy, Place(file)) from None
    if node is None:
        remedy = "write one with: lambda-layers init"
        raise ManifestError.of("the file is empty", remedy, Place(file, 1, 1))
    return node
