"""Lambda's REST API as described by botocore's service model: routes, inputs, limits, statuses.

Routes and input validation are derived from the model that boto3 uses, so that they always match it. The
operations check what the model does not have (at most five layers, one function update at a time, ...).
botocore is loaded when the first `LambdaModel` is created.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from entrypoint.local_aws.input_limits import refuse_out_of_limits
from entrypoint.local_aws.refusals import invalid_parameter, not_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.model import OperationModel, Shape
    from werkzeug.datastructures import MultiDict
    from werkzeug.routing import Map

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """The parts of an HTTP request that an operation's input is read from."""

    path: Mapping[str, str]
    query: MultiDict[str, str]
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Route:
    """An operation at a method and path; operations that share both have different fixed queries."""

    operation: str
    fixed_query: str

    def matches(self, query: Mapping[str, str]) -> bool:
        """Whether the request's query includes the fixed query."""
        return all(query.get(key) == value for key, value in parse_qsl(self.fixed_query))


def _placeholder(found: re.Match[str]) -> str:
    # A whole ARN may contain slashes.
    return f"<path:{found[1]}>" if found[1] in {"Resource", "RuntimeName"} else f"<{found[1]}>"


class LambdaModel:
    """The service models of Lambda: the operation of a request, and its input."""

    def __init__(self) -> None:
        # Imported here because it is slow. No session, so that no AWS profile is read.
        from botocore.loaders import create_loader  # noqa: PLC0415
        from botocore.model import ServiceModel  # noqa: PLC0415

        load = create_loader().load_service_model
        self._service = ServiceModel(load("lambda", "service-2"), "lambda")
        core = ServiceModel(load("lambda-core", "service-2"), "lambda-core")
        self._services = {name: each for each in (core, self._service) for name in each.operation_names}
        self._map = self._routes()

    def _routes(self) -> Map:
        from werkzeug.routing import Map, Rule  # noqa: PLC0415 - as above

        found: dict[tuple[str, str], list[Route]] = {}
        for name in self._services:
            http = self.operation(name).http
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
        """Return the operation of a request and the values in its path; None if no operation matches."""
        from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - as above

        try:
            routes, values = self._map.bind("lambda").match(path, method)
        except HTTPException:
            return None
        matching = [route for route in routes if route.matches(query)]
        # "?find=LayerVersion" is more specific than no query.
        return (
            (max(matching, key=lambda route: len(route.fixed_query)).operation, values) if matching else None
        )

    def operation(self, name: str) -> OperationModel:
        """Return the model of an operation."""
        return self._services[name].operation_model(name)

    def success_status(self, name: str) -> int:
        """Return the HTTP status of a successful response."""
        return int(self.operation(name).http["responseCode"])

    def message_member(self, code: str) -> str:
        """Return the name of an error's text, `message` or `Message`; Lambda uses both."""
        if code in self._service.shape_names:
            members = getattr(self._service.shape_for(code), "members", {})
            return "Message" if "Message" in members else "message"
        return "message"

    def read_input(self, name: str, request: HttpRequest) -> Json:
        """Return the input of an operation as parameters, validated against the model's limits."""
        shape = self.operation(name).input_shape
        if shape is None:
            return {}
        payload = shape.serialization.get("payload")
        given: Json = {}
        body = _json(request.content) if payload is None else {payload: request.content}
        for member, member_shape in shape.members.items():
            value = _read_member(member, member_shape, request, body)
            if value is not None:
                given[member] = _decoded(member_shape, value)
        refuse_out_of_limits(shape, given)
        return given


@cache
def lambda_model() -> LambdaModel:
    """Return the model, read once per process: reading it takes a tenth of a second."""
    return LambdaModel()


def _json(content: bytes) -> Json:
    try:
        body = json.loads(content or b"{}")
    except ValueError as error:
        raise not_json(error) from error
    if not isinstance(body, dict):
        raise not_json("not an object")
    return body


def _read_member(member: str, shape: Shape, request: HttpRequest, body: Json) -> object:
    name = shape.serialization.get("name", member)
    match shape.serialization.get("location"):
        case "uri":
            return request.path.get(name)
        case "querystring" if shape.type_name == "list":
            return request.query.getlist(name) or None
        case "querystring":
            return request.query.get(name)
        case "header":
            return request.headers.get(name.title())
        case _:
            return body.get(name)


def _decoded(shape: Shape, value: Any) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Convert numbers in paths and queries, and base64; return everything else unchanged."""
    match shape.type_name:
        case "integer" | "long" if isinstance(value, str):
            return int(value) if value.lstrip("-").isdigit() else value
        case "blob" if not isinstance(value, bytes):
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, TypeError) as error:
                raise invalid_parameter("Could not decode a base64 field of the request") from error
        case "structure" if isinstance(value, dict):
            members: Mapping[str, Shape] = getattr(shape, "members", {})
            return {k: _decoded(members[k], v) for k, v in value.items() if k in members and v is not None}
        case _:
            return value
