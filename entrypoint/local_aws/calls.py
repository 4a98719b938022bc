"""Which call is this? Every request, named once at the front door and kept in a log.

The name is put into the WSGI environment under `CALL`, so that a middleware (a fault layer, say) can pick
its victims by operation, and the log can prove that a command only reads.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from entrypoint.local_aws import archive_store
from entrypoint.local_aws.arns import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from entrypoint.local_aws.api_model import LambdaModel

CALL = "local_aws.call"
ACCOUNT = "123456789012"

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_READS = re.compile(r"(Get|List|Describe|Head|Simulate|BatchGet|Search|AssumeRole|Select)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the embedded AWS; `status` is 0 when it never got an answer."""

    service: str
    operation: str
    scope: Scope
    method: str
    path: str
    status: int = 0

    @property
    def reads_only(self) -> bool:
        """Whether such a call leaves AWS as it was."""
        return _READS.match(self.operation) is not None


def read_call(
    environ: WSGIEnvironment, model: LambdaModel, default_region: str, account_of: Callable[[str], str]
) -> Call:
    """Name a request by its signature's scope and by what its protocol says of the operation."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    key, region = (signed["key"], signed["region"]) if signed else ("", default_region)
    service = signed["service"] if signed else _unsigned(method, path, query, model)
    if service == "lambda":
        matched = model.match(method, path, query)
        operation = matched[0] if matched else ""
    else:
        operation = _operation(environ, service, method, path)
    # An access key of twelve digits is an account: the way to be somebody else here.
    account = key if re.fullmatch(r"\d{12}", key) else account_of(key)
    return Call(service=service, operation=operation, scope=Scope(account, region), method=method, path=path)


def _unsigned(method: str, path: str, query: dict[str, str], model: LambdaModel) -> str:
    if path.startswith(archive_store.PATH):
        return "layer-archives"
    return "lambda" if model.match(method, path, query) else "s3"


def _operation(environ: WSGIEnvironment, service: str, method: str, path: str) -> str:
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:  # the JSON protocols
        return target.rpartition(".")[-1]
    if "/operation/" in path:  # Smithy RPC
        return path.rpartition("/")[-1]
    if service in {"s3", "layer-archives"}:
        return _s3_operation(method, path)
    if "form-urlencoded" in environ.get("CONTENT_TYPE", ""):  # the query protocols
        body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return dict(parse_qsl(body.decode())).get("Action", "")
    return f"{method} {path}"


def _s3_operation(method: str, path: str) -> str:
    """Near enough to tell reading from writing."""
    verb = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "POST": "Post", "DELETE": "Delete"}.get(
        method, method
    )
    _bucket, _, key = path.strip("/").partition("/")
    return verb + ("Object" if key else "Bucket")


class CallLog:
    """WSGI application around all others: names each call, and notes how it was answered."""

    def __init__(self, inner: WSGIApplication, name: Callable[[WSGIEnvironment], Call]) -> None:
        self._inner = inner
        self._name = name
        self._lock = Lock()
        self.calls: list[Call] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Name the call, hand it on, and note the status of its answer."""
        call = environ[CALL] = self._name(environ)
        location = self._note(call)

        def noted(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:  # noqa: ANN401
            self.calls[location] = replace(call, status=int(status.split(maxsplit=1)[0]))
            return start_response(status, headers, *rest)

        return self._inner(environ, noted)

    def _note(self, call: Call) -> int:
        with self._lock:
            self.calls.append(call)
            return len(self.calls) - 1
