"""Identifies the call of every request, and keeps a log of all calls.

The `Call` is in the WSGI environment under `CALL`, so that a middleware can select requests by operation, to
inject faults for example. Tests use the log to prove that a command only reads.
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
    """One request to the embedded AWS; `status` is 0 if it was not answered."""

    service: str
    operation: str
    scope: Scope
    method: str
    path: str
    status: int = 0

    @property
    def reads_only(self) -> bool:
        """Whether the operation changes nothing."""
        return _READS.match(self.operation) is not None


def read_call(
    environ: WSGIEnvironment, model: LambdaModel, default_region: str, account_of: Callable[[str], str]
) -> Call:
    """Identify a request by the scope of its signature and its protocol's operation."""
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
    # An access key of twelve digits is an account ID: this is how a client selects another account.
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
    """Return an approximate name, which is enough to tell reads from writes."""
    verb = {"GET": "Get", "HEAD": "Head", "PUT": "Put", "POST": "Post", "DELETE": "Delete"}.get(
        method, method
    )
    _bucket, _, key = path.strip("/").partition("/")
    return verb + ("Object" if key else "Bucket")


class CallLog:
    """The outermost WSGI application: identifies each call, and records the status of its response."""

    def __init__(self, inner: WSGIApplication, identify: Callable[[WSGIEnvironment], Call]) -> None:
        self._inner = inner
        self._identify = identify
        self._lock = Lock()
        self.calls: list[Call] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Identify the call, pass it on, and record the status of its response."""
        call = environ[CALL] = self._identify(environ)
        index = self._append(call)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Callable[[bytes], object]:  # noqa: ANN401
            self.calls[index] = replace(call, status=int(status.split(maxsplit=1)[0]))
            return start_response(status, headers, *rest)

        return self._inner(environ, start)

    def _append(self, call: Call) -> int:
        with self._lock:
            self.calls.append(call)
            return len(self.calls) - 1
