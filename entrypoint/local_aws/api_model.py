"""Lambda's REST API as botocore's own service model describes it: routes, inputs, limits, statuses.

Routing and the checking of inputs are derived from the model that boto3 itself uses, so that neither can
drift from it. What the model does not know (five layers at most, one function update at a time, ...) is
the business of the operations. botocore is loaded when the first `LambdaModel` is made.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from entrypoint.local_aws.refusals import Refusal, invalid_parameter, validation_failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from botocore.model import OperationModel, Shape, StructureShape
    from werkzeug.routing import Map

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The parts of an HTTP request that an operation's input is read from."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    query_lists: Callable[[str], list[str]]
    body: Json


@dataclass(frozen=True, slots=True)
class Route:
    """An operation at a method and path; some share these and differ by a fixed query."""

    operation: str
    fixed_query: str

    def fits(self, query: Mapping[str, str]) -> bool:
        """Whether the request's query has what the route demands."""
        return all(query.get(key) == value for key, value in parse_qsl(self.fixed_query))


def _placeholder(found: re.Match[str]) -> str:
    # A tagged resource is a whole ARN, and ARNs may hold slashes.
    return f"<path:{found[1]}>" if found[1] == "Resource" else f"<{found[1]}>"


class LambdaModel:
    """The service model: which operation a request is for, and what its input says."""

    def __init__(self) -> None:
        # Slow, and not needed to import this package; without a session, so that no AWS profile is read.
        from botocore.loaders import create_loader  # noqa: PLC0415
        from botocore.model import ServiceModel  # noqa: PLC0415

        described = create_loader().load_service_model("lambda", "service-2")
        self._service = ServiceModel(described, "lambda")
        self._map = self._routes()

    def _routes(self) -> Map:
        from werkzeug.routing import Map, Rule  # noqa: PLC0415 - as above

        found: dict[tuple[str, str], list[Route]] = {}
        for name in self._service.operation_names:
            http = self._service.operation_model(name).http
            path, _, fixed_query = http["requestUri"].partition("?")
            pattern = re.sub(r"\{(\w+)\+?\}", _placeholder, path)
            found.setdefault((http["method"], pattern), []).append(Route(name, fixed_query))
        return Map(
            [
                Rule(path, methods=[method], endpoint=tuple(routes))
                for (method, path), routes in found.items()
            ],
            strict_slashes=False,
            merge_slashes=False,
        )

    def match(self, method: str, path: str, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]] | None:
        """The operation that a request is for, with the values out of its path; None when there is none."""
        from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - as above

        try:
            routes, values = self._map.bind("lambda").match(path, method)
        except HTTPException:
            return None
        fitting = [route for route in routes if route.fits(query)]
        # "?find=LayerVersion" says more than no query at all.
        return (max(fitting, key=lambda route: len(route.fixed_query)).operation, values) if fitting else None

    def operation(self, name: str) -> OperationModel:
        """The model of one operation."""
        return self._service.operation_model(name)

    def success_status(self, name: str) -> int:
        """The HTTP status of the operation's good answer."""
        return int(self.operation(name).http["responseCode"])

    def message_member(self, code: str) -> str:
        """Whether an error's text travels as `message` or as `Message`; Lambda has both."""
        if code in self._service.shape_names:
            members = getattr(self._service.shape_for(code), "members", {})
            return "Message" if "Message" in members else "message"
        return "message"

    def read_input(self, name: str, request: HttpRequest) -> Json:
        """The operation's input as its parameters, checked against the model's limits."""
        shape = self.operation(name).input_shape
        if shape is None:
            return {}
        given: Json = {}
        for member, member_shape in shape.members.items():
            value = _read_member(member, member_shape, request)
            if value is not None:
                given[member] = _decoded(member_shape, value)
        _check(shape, given)
        return given


@cache
def lambda_model() -> LambdaModel:
    """The one model of this process: reading it takes a tenth of a second."""
    return LambdaModel()


def _read_member(member: str, shape: Shape, request: HttpRequest) -> object:
    name = shape.serialization.get("name", member)
    match shape.serialization.get("location"):
        case "uri":
            return request.path.get(name)
        case "querystring" if shape.type_name == "list":
            return request.query_lists(name)
        case "querystring":
            return request.query.get(name)
        case "header" | "headers" | "statusCode":
            return None
        case _:
            return request.body.get(name)


def _decoded(shape: Shape, value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Numbers out of paths and queries, bytes out of base64; everything else as it came."""
    match shape.type_name:
        case "integer" | "long" if isinstance(value, str):
            return int(value) if value.lstrip("-").isdigit() else value
        case "blob":
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError) as error:
                raise invalid_parameter("Could not decode a base64 field of the request") from error
        case "structure" if isinstance(value, dict):
            members: Mapping[str, Shape] = getattr(shape, "members", {})
            return {k: _decoded(members[k], v) for k, v in value.items() if k in members and v is not None}
        case _:
            return value


def _check(shape: StructureShape, given: Json) -> None:
    problems = [
        text for path, value, rule in _violations(shape, given, "") for text in [_say(path, value, rule)]
    ]
    if problems:
        raise _refused(problems)


def _refused(problems: list[str]) -> Refusal:
    """Runtimes are refused by Lambda itself, everything else by the API front before it."""
    runtime = [text for text in problems if "untime" in text.partition(" at ")[2].partition(" failed")[0]]
    return invalid_parameter(runtime[0]) if runtime else validation_failed(problems)


def _say(path: str, value: object, rule: str) -> str:
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
    """Every way in which a value breaks its shape's limits: the path, the value, the broken rule."""
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
    if pattern is not None and re.fullmatch(pattern, value) is None:
        yield path, value, f"satisfy regular expression pattern: {pattern}"
    if shape.enum and value not in shape.enum:
        yield path, value, f"satisfy enum value set: [{', '.join(shape.enum)}]"


def _range_violations(shape: Any, value: float, path: str) -> Iterator[Violation]:  # noqa: ANN401
    if value < shape.metadata.get("min", value):
        yield path, value, f"have value greater than or equal to {shape.metadata['min']}"
    if value > shape.metadata.get("max", value):
        yield path, value, f"have value less than or equal to {shape.metadata['max']}"
