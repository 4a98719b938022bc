"""Lambda over HTTP: a WSGI application that routes requests to the operations."""

from __future__ import annotations

import json
import logging
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from entrypoint.local_aws import invocations
from entrypoint.local_aws.api_model import HttpRequest, LambdaModel
from entrypoint.local_aws.calls import CALL, Call
from entrypoint.local_aws.operations import OPERATIONS
from entrypoint.local_aws.refusals import Refusal, too_large

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]

# The newer of two limits that users report; a direct upload of 50 MiB fits in it as base64.
# https://github.com/minorun365/bedrock-book/issues/42
BODY_LIMIT = 70_167_211

_log = logging.getLogger(__name__)


class LambdaApplication:
    """Lambda's REST API for a `Cloud`."""

    def __init__(self, cloud: Cloud, model: LambdaModel) -> None:
        self._cloud = cloud
        self._model = model

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; every error becomes a response."""
        call: Call = environ[CALL]
        try:
            response = self._answer(call, Request(environ))
        except Refusal as refusal:
            response = self._refuse(refusal)
        except HTTPException as error:
            response = self._refuse(Refusal(error.code or 400, "InvalidRequestContentException", str(error)))
        except Exception as error:  # noqa: BLE001 - a bug here is a ServiceException, as in AWS
            _log.exception("the embedded Lambda failed on %s", call.operation)
            response = self._refuse(Refusal(500, "ServiceException", repr(error)))
        response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
        return response(environ, start_response)

    def _answer(self, call: Call, request: Request) -> Response:
        matched = self._model.match(call.method, call.path, request.args)
        if matched is None:
            raise Refusal(404, "UnknownOperationException", f"No operation at {call.method} {call.path}")
        name, path_values = matched
        if name == "Invoke":
            return self._invoke(call, self._model.read_input(name, _parts(request, path_values, name)))
        operation = OPERATIONS.get(name)
        if operation is None:
            raise Refusal(
                501, "NotImplementedException", f"The embedded AWS does not support Lambda's {name}"
            )
        given = self._model.read_input(name, _parts(request, path_values, name))
        with self._cloud.lock:
            answer = operation(self._cloud, call.scope, given)
            # Serialized under the lock: an answer may share lists with the state.
            text = "" if answer is None else json.dumps(answer)
        return _response(self._model.success_status(name), text)

    def _invoke(self, call: Call, given: Json) -> Response:
        with self._cloud.lock:
            invocation = invocations.begin(self._cloud, call.scope, given)
        # Not under the lock: a handler may be slow.
        outcome = invocations.run(self._cloud, invocation)
        response = Response(outcome.payload, status=outcome.status, content_type="application/json")
        response.headers["X-Amz-Executed-Version"] = invocation.version
        if outcome.error is not None:
            response.headers["X-Amz-Function-Error"] = outcome.error
        return response

    def _refuse(self, refusal: Refusal) -> Response:
        body = {"Type": "User", self._model.message_member(refusal.code): refusal.message}
        response = _response(refusal.status, json.dumps(body))
        response.headers["x-amzn-ErrorType"] = refusal.code
        return response


def _parts(request: Request, path: Mapping[str, str], operation: str) -> HttpRequest:
    if (request.content_length or 0) >= BODY_LIMIT:
        raise too_large(BODY_LIMIT, operation)
    return HttpRequest(
        path=path,
        query=request.args,
        headers=dict(request.headers),
        content=request.get_data(),
    )


def _response(status: int, text: str) -> Response:
    if status == HTTPStatus.NO_CONTENT:
        return Response(status=status)
    return Response(text, status=status, content_type="application/json")


class ServiceRouter:
    """Routes each call to the service that it is signed for: one of our own, or moto."""

    def __init__(self, own: Mapping[str, WSGIApplication], others: WSGIApplication) -> None:
        self._own = own
        self._others = others

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request to the service that it is signed for."""
        call: Call = environ[CALL]
        return self._own.get(call.service, self._others)(environ, start_response)
