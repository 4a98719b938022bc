"""Validates inputs against botocore's service model: lengths, ranges, patterns, enums.

boto3 validates only a few of these before it sends a request; AWS validates all of them.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.refusals import Refusal, invalid_parameter, validation_failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import StructureShape

Json = dict[str, Any]


def refuse_out_of_limits(shape: StructureShape, given: Json) -> None:
    """Refuse an input that violates the model's limits, with every violation."""
    problems = [_describe(*violation) for violation in _violations(shape, given, "")]
    if problems:
        raise _refused(problems)


def _refused(problems: list[str]) -> Refusal:
    """Return the refusal: Lambda itself refuses runtimes, its API front end everything else."""
    runtime = [text for text in problems if "untime" in text.partition(" at ")[2].partition(" failed")[0]]
    return invalid_parameter(runtime[0]) if runtime else validation_failed(problems)


def _describe(path: str, value: object, rule: str) -> str:
    shown = "null" if value is None else value
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: Member must {rule}"


Violation = tuple[str, object, str]

_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (bytes,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


def _violations(shape: Any, value: Any, path: str) -> Iterator[Violation]:  # noqa: ANN401 - any shape, any JSON
    """Yield each violation of a shape's limits: the path, the value, the rule."""
    allowed = _PYTHON_TYPES.get(shape.type_name)
    if allowed is not None and not isinstance(value, allowed):
        yield path, value, f"be of type {shape.type_name}"
        return
    match shape.type_name:
        case "structure":
            yield from _structure_violations(shape, value, path)
        case "list":
            yield from _length_violations(shape, value, path)
            for index, item in enumerate(value, start=1):
                yield from _violations(shape.member, item, f"{path}.{index}.member")
        case "map":
            for key, item in value.items():
                yield from _violations(shape.key, key, f"{path}.key")
                yield from _violations(shape.value, item, f"{path}.{key}.member")
        case "string":
            yield from _string_violations(shape, value, path)
        case "integer" | "long" | "float" | "double":
            yield from _range_violations(shape, value, path)
        case _:
            return


def _structure_violations(shape: Any, value: Json, path: str) -> Iterator[Violation]:  # noqa: ANN401
    for member in shape.required_members:
        if member not in value:
            yield _below(path, member), None, "not be null"
    for member, item in value.items():
        if member in shape.members:
            yield from _violations(shape.members[member], item, _below(path, member))


def _below(path: str, member: str) -> str:
    name = member[:1].lower() + member[1:]
    return f"{path}.{name}" if path else name


def _length_violations(shape: Any, value: Any, path: str) -> Iterator[Violation]:  # noqa: ANN401
    if len(value) < shape.metadata.get("min", 0):
        yield path, value, f"have length greater than or equal to {shape.metadata['min']}"
    if len(value) > shape.metadata.get("max", len(value)):
        yield path, value, f"have length less than or equal to {shape.metadata['max']}"


def _string_violations(shape: Any, value: str, path: str) -> Iterator[Violation]:  # noqa: ANN401
    yield from _length_violations(shape, value, path)
    pattern = shape.metadata.get("pattern")
    if pattern is not None and _compiled(pattern).fullmatch(value) is None:
        yield path, value, f"satisfy regular expression pattern: {pattern}"
    if shape.enum and value not in shape.enum:
        yield path, value, f"satisfy enum value set: [{', '.join(shape.enum)}]"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of the model: Java's syntax, with its character classes in those of tags."""
    return re.compile(pattern.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s"))


def _range_violations(shape: Any, value: float, path: str) -> Iterator[Violation]:  # noqa: ANN401
    if value < shape.metadata.get("min", value):
        yield path, value, f"have value greater than or equal to {shape.metadata['min']}"
    if value > shape.metadata.get("max", value):
        yield path, value, f"have value less than or equal to {shape.metadata['max']}"
