"""A YAML file as nodes with locations: replaces variables and collects every problem."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import yaml

from entrypoint.errors import Diagnostic, Location, ManifestError
from entrypoint.manifest.yaml_limits import check_depth, check_nodes
from entrypoint.variables import how_to_set

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
    """A text with its location in the file."""

    __slots__ = ("location",)
    location: Location

    @classmethod
    def at(cls, value: str, location: Location) -> "Text":
        """Return the text with a location."""
        text = cls(value)
        text.location = location
        return text


class Table(NamedTuple):
    """A mapping of the file: its values by key, the locations of its keys, and its own location."""

    values: Mapping[str, Any]
    keys: Mapping[str, Location]
    location: Location

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - the shape decides the type
        """Return the value of `key`, or the default if the key is missing."""
        return self.values.get(key, default)


class Reader:
    """The state of reading one file: the values for `${NAME}`, and the problems found so far."""

    def __init__(self, file: str, variables: Mapping[str, str]) -> None:
        self.file = file
        self.variables = variables
        self.problems: list[Diagnostic] = []

    def location(self, node: yaml.Node) -> Location:
        """Return the location of a node's start."""
        return Location(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def problem(self, node: yaml.Node, message: str, hint: str) -> None:
        """Add a problem at a node."""
        self.problems.append(Diagnostic(message, hint, self.location(node)))

    def expand(self, node: yaml.ScalarNode) -> str:
        """Return the scalar with `${NAME}` and `${NAME:-default}` replaced; `$$` is a dollar sign."""

        def fill(match: re.Match[str]) -> str:
            if match["stray"]:
                hint = "write ${NAME}, or $$ for a dollar sign"
                self.problem(node, "'${' starts a variable that is not closed", hint)
                return ""
            if match["name"] is None:
                return "$"
            value = self.variables.get(match["name"]) or match["default"]
            if value is None:
                name = match["name"]
                self.problem(
                    node, f"variable {name} is not set", f"{how_to_set(name)}, or write ${{{name}:-default}}"
                )
            return value or ""

        return _VARIABLE.sub(fill, node.value) if "$" in node.value else str(node.value)


def kind(node: yaml.Node) -> str:
    """Return what messages call the type of a node."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return _TAG_NAMES.get(str(node.tag).rpartition(":")[2], "something else")


def entries(node: yaml.Node, reader: Reader) -> Iterator[tuple[str, yaml.ScalarNode, yaml.Node]]:
    """Yield a mapping's keys, with variables replaced, and their nodes; `<<` is merged as in YAML."""
    if not isinstance(node, yaml.MappingNode):
        reader.problem(node, f"expected a mapping, found {kind(node)}", "write 'key: value' lines")
        return
    own = (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<")
    doubled = {key for key, count in Counter(own).items() if count > 1}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value in doubled:
            doubled.discard(key.value)
            reader.problem(key, f"duplicate key {key.value!r}", "remove all but one")
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
            reader.problem(key, f"expected a name, found {kind(key)}", "use plain text before the colon")
    for text, (key, value) in entries.items():
        yield text, key, value


def compose(text: str, file: str) -> yaml.Node:
    """Return the nodes of the file's only YAML document.

    Raises:
        ManifestError: if it is empty, not valid YAML, or too large.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        check_depth(text, file, loader)
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        location = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file)
        message = " ".join(filter(None, (error.context, error.problem)))
        hint = "fix the syntax here or just above"
        raise ManifestError.of(f"invalid YAML: {message}", hint, location) from None
    except yaml.YAMLError as error:
        hint = "save it as UTF-8 text without control characters"
        raise ManifestError.of(f"invalid YAML: {error}", hint, Location(file)) from None
    if node is None:
        hint = "create a manifest with: lambda-layers init"
        raise ManifestError.of("the file is empty", hint, Location(file, 1, 1))
    check_nodes(node, file)
    return node
