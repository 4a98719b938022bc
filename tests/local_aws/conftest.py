"""A LocalAws for each test, a manual clock, boto3 clients, and a record of every HTTP exchange.

At the end of a test, all its exchanges are validated against botocore's service model (`wiretap`).
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from entrypoint.local_aws.api_model import lambda_model
from entrypoint.local_aws.calls import ACCOUNT, CALL
from entrypoint.local_aws.server import LocalAws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "eu-west-1"

# Codes that no operation's model lists: the API front end (ValidationException,
# RequestEntityTooLargeException) and IAM (AccessDeniedException) respond before the operation.
NOT_MODELLED = {
    "ValidationException": 400,
    "AccessDeniedException": 403,
    "RequestEntityTooLargeException": 413,
    "InvalidRequestContentException": 400,
}


class Clock:
    """A clock that only advances when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Exchange:
    """One Lambda call over HTTP."""

    operation: str
    status: int
    error: str | None
    body: Any


class Wiretap:
    """WSGI middleware that records Lambda's responses."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def __call__(self, inner):
        def application(environ, start_response):
            seen = {}

            def note(status, headers, *rest):
                seen.update(status=int(status[:3]), headers=dict(headers))
                return start_response(status, headers, *rest)

            body = b"".join(inner(environ, note))
            call = environ[CALL]
            if call.service == "lambda" and call.operation not in {"", "Invoke"} and seen["status"] != 501:
                error = seen["headers"].get("x-amzn-ErrorType")
                content = json.loads(body) if body else None
                self.exchanges.append(Exchange(call.operation, seen["status"], error, content))
            return [body]

        return application


def assert_modelled(exchange: Exchange) -> None:
    """Validate an exchange against botocore's model: its status, and every member and type of its body."""
    operation = lambda_model().operation(exchange.operation)
    if exchange.error is None:
        assert exchange.status == operation.http["responseCode"], exchange
        if operation.output_shape is None:
            assert exchange.body is None, exchange
        else:
            assert_shape(operation.output_shape, exchange.body, exchange.operation)
        return
    modelled = {shape.name: shape for shape in operation.error_shapes}
    if exchange.error not in modelled:
        assert NOT_MODELLED.get(exchange.error) == exchange.status, exchange
        return
    shape = modelled[exchange.error]
    assert exchange.status == shape.metadata["error"]["httpStatusCode"], exchange
    assert_shape(shape, exchange.body, f"{exchange.operation} {exchange.error}")


PLAIN_TYPES = {
    "string": str,
    "integer": int,
    "long": int,
    "timestamp": (int, float),
    "double": (int, float),
    "float": (int, float),
    "boolean": bool,
}


def assert_shape(shape, value, where: str) -> None:
    """Validate a value: only members of the model, and values of their types, recursively."""
    match shape.type_name:
        case "structure":
            assert isinstance(value, dict), where
            assert not set(value) - set(shape.members), (where, set(value) - set(shape.members))
            for name, item in value.items():
                assert_shape(shape.members[name], item, f"{where}.{name}")
        case "list":
            assert isinstance(value, list), where
            for item in value:
                assert_shape(shape.member, item, where)
        case "map":
            assert isinstance(value, dict), where
            for key, item in value.items():
                assert_shape(shape.key, key, where)
                assert_shape(shape.value, item, where)
        case plain:
            assert isinstance(value, PLAIN_TYPES[plain]), (where, value)
            assert not getattr(shape, "enum", None) or value in shape.enum, (where, value)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wiretap() -> Iterator[Wiretap]:
    tap = Wiretap()
    yield tap
    for exchange in tap.exchanges:
        assert_modelled(exchange)


@pytest.fixture
def aws(clock: Clock, wiretap: Wiretap) -> Iterator[LocalAws]:
    with LocalAws(region=REGION, clock=clock, middleware=wiretap) as local:
        yield local


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session()


@pytest.fixture
def connect(session: boto3.Session) -> Iterator[Callable[..., Any]]:
    """Clients to a LocalAws, of any service, account and region; closed when the test ends."""
    with contextlib.ExitStack() as opened:

        def to(aws: LocalAws, service: str = "lambda", **more: str) -> Any:
            keys = {"aws_access_key_id": more.pop("account", ACCOUNT), "aws_secret_access_key": "local"}
            made = session.client(
                service,
                config=Config(retries={"total_max_attempts": 1}),
                **{
                    "endpoint_url": aws.endpoint_url,
                    "region_name": more.pop("region", REGION),
                    **keys,
                    **more,
                },
            )
            opened.callback(made.close)
            return made

        yield to


@pytest.fixture
def client(aws: LocalAws, connect: Callable[..., Any]) -> Callable[..., Any]:
    return functools.partial(connect, aws)


@pytest.fixture
def awslambda(client):
    return client()


@pytest.fixture
def refused():
    """`with refused(400, "SomeException", "part of the message"):` around a call."""

    @contextlib.contextmanager
    def expect(status: int, code: str, text: str = "") -> Iterator[None]:
        with pytest.raises(ClientError) as caught:
            yield
        response = caught.value.response
        assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, code)
        assert text in response["Error"]["Message"]

    return expect


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def make_zip() -> Callable[[dict[str, bytes]], bytes]:
    return zipped


@pytest.fixture
def publish(awslambda) -> Callable[..., str]:
    """Publish a layer version of the default account; return its ARN."""

    def publish_version(name: str = "web", *, connection: Any = awslambda, **more: Any) -> str:
        content = {"ZipFile": zipped({"python/module.py": name.encode()})}
        return connection.publish_layer_version(LayerName=name, Content=content, **more)["LayerVersionArn"]

    return publish_version
