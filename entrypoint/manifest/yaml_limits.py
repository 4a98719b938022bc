"""Limits for YAML files.

A small file can repeat aliases so often that reading it takes minutes, and be nested so deeply that the stack
of the C parser overflows, at about 50,000 levels.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from entrypoint.errors import Location, ManifestError

BYTES = 1 << 20
_DEPTH = 100
_VALUES = 100_000
"""Keys and values, with those of aliases counted at each use."""
_SMALL = 10_000
"""Files of fewer characters cannot be nested deeply enough for the parser."""
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_SPLIT = "split it into several manifests"


def check_size(size: int, file: str) -> None:
    """Refuse a file before it is read.

    Raises:
        ManifestError: it is too large.
    """
    if size > BYTES:
        message = f"the file has {size:,} bytes; at most {BYTES:,} are allowed"
        raise ManifestError.of(message, _SPLIT, Location(file))


def check_depth(text: str, file: str, loader: type[yaml.SafeLoader]) -> None:
    """Refuse text that is nested deeply, before it is parsed to nodes.

    Raises:
        ManifestError: it is nested too deeply.
        yaml.YAMLError: it is not valid.
    """
    depth = 0
    if len(text) < _SMALL:
        return
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
        if depth > _DEPTH:
            raise _too_deep(file, event.start_mark)


def check_nodes(root: yaml.Node, file: str) -> None:
    """Refuse nodes that are nested deeply, or that aliases multiply.

    Raises:
        ManifestError: there are too many, or a node contains itself.
    """
    sizes: dict[int, int] = {}  # of the nodes that are counted
    path: list[tuple[yaml.Node, Iterator[yaml.Node]]] = [(root, _children(root))]
    above = {id(root)}
    while path:
        node, children = path[-1]
        child = next((each for each in children if id(each) not in sizes), None)
        if child is None:
            path.pop()
            above.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(each)] for each in _children(node))
            if sizes[id(node)] > _VALUES:
                raise _too_many(file, node)
        elif id(child) in above:
            message = "an alias refers to a value that contains it"
            raise ManifestError.of(message, "remove the alias", _location(file, child.start_mark))
        elif len(path) == _DEPTH:
            raise _too_deep(file, child.start_mark)
        else:
            above.add(id(child))
            path.append((child, _children(child)))


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return (each for pair in node.value for each in pair)
    return iter(node.value if isinstance(node, yaml.SequenceNode) else ())


def _too_many(file: str, node: yaml.Node) -> ManifestError:
    message = f"there are more than {_VALUES:,} values, with those of aliases"
    return ManifestError.of(message, _SPLIT, _location(file, node.start_mark))


def _too_deep(file: str, mark: Any) -> ManifestError:  # noqa: ANN401 - as below
    message = f"values are nested more than {_DEPTH} levels deep"
    return ManifestError.of(message, "remove the nesting", _location(file, mark))


def _location(file: str, mark: Any) -> Location:  # noqa: ANN401 - the parser in C has a class of its own
    return Location(file, mark.line + 1, mark.column + 1)
