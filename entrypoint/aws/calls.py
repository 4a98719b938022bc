"""Calls to AWS Lambda: each one paced, tried again where that can help, its refusal told in words.

botocore's own retries are switched off, because each attempt has to go through the one pace of the
account and region, and because a lost answer to PublishLayerVersion must not be answered by
publishing again.
"""

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from entrypoint.aws.model import StaleRevisionError, UnclearAnswerError, UpdateInProgressError
from entrypoint.aws.pacing import JITTER, Pace
from entrypoint.errors import AwsError, RolloutError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_ATTEMPTS = 10
"""How often a call may fail, being throttled not counted: 5xx answers and lost connections."""
_TRUST = 2
"""How often an answer that is none of AWS may be an accident; a proxy that answers goes on to."""
_PATIENCE = 600.0
"""Seconds after which a call is given up, being throttled counted."""
_LONGEST_PAUSE = 20.0
_GET_FUNCTION_CALLS_PER_SECOND = 100
"""Its own quota; all other calls share one."""
_ABSENT = {"ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException"}
_UPDATES = {
    "UpdateFunctionConfiguration",
    "PublishVersion",
    "UpdateAlias",
    "PutFunctionConcurrency",
    "PutProvisionedConcurrencyConfig",
}
"""What is done to functions: where it fails, others may still be updated."""
_THROTTLES = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
_STALE_CREDENTIALS = {
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "UnrecognizedClientException",
}
_PREFIXES = {"resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}
"""What IAM calls a service where its endpoint is called otherwise."""
_DENIED = re.compile(r"not authorized to perform: (\S+)(?: on resource: (\S+))?")


class AbsentError(AwsError):
    """What the call is about does not exist."""


class ConflictError(AwsError):
    """What the call would make exists already."""


class LambdaCalls:
    """Makes calls through a client of one account and region; safe to share between threads."""

    def __init__(
        self,
        client: "LambdaClient",
        *,
        quota: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        turn: Callable[[], AbstractContextManager[object]] = threading.Lock,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._shared = Pace(quota, clock, sleep, turn())
        self._own = {"get_function": Pace(_GET_FUNCTION_CALLS_PER_SECOND, clock, sleep, turn())}

    def __call__(self, operation: str, **parameters: object) -> dict[str, Any]:
        """Return the answer to a call, by the name of the client's method.

        Raises:
            AwsError: AWS refuses, or keeps failing.
            UnclearAnswerError: a version of a layer may or may not have been published.
            UpdateInProgressError, StaleRevisionError, RolloutError: as `update_layers` tells.
        """
        pace = self._own.get(operation, self._shared)
        deadline = self._clock() + _PATIENCE
        failures = 0
        while failures < _ATTEMPTS and self._clock() < deadline:
            ticket = pace.wait()
            try:
                answer = _of_lambda(getattr(self._client, operation), parameters)
            except (ClientError, BotoCoreError, ResponseParserError) as error:
                last = error
            else:
                pace.succeeded()
                return answer
            if _is_throttle(last):
                pace.throttled(ticket, _retry_after(last))
            elif not _is_failure(last):
                told = refusal(last, parameters) if isinstance(last, ClientError) else unreachable(last)
                raise told from None
            elif operation == "publish_layer_version":
                raise UnclearAnswerError(str(last))
            elif isinstance(last, ResponseParserError) and failures > _TRUST:
                raise unreachable(last) from None
            else:
                failures += 1
                longest = min(_LONGEST_PAUSE, 0.1 * 2**failures)
                self._sleep(JITTER.uniform(0, longest))
        message = f"AWS cannot be asked to {operation.replace('_', ' ')}: {last}"
        raise AwsError.of(message, "see that it can be reached, and run again: nothing is lost")

    def if_present(self, operation: str, **parameters: object) -> dict[str, Any] | None:
        """Return the answer to a call, None where what it asks about does not exist."""
        try:
            return self(operation, **parameters)
        except AbsentError:
            return None


def answered(call: Callable[..., Any], parameters: Mapping[str, object]) -> dict[str, Any]:
    """Make a call of botocore's, and return the answer.

    Raises:
        ResponseParserError: what answers is not AWS; on some of that botocore fails in its own code.
        ClientError, BotoCoreError: as botocore says.
    """
    try:
        found: dict[str, Any] = call(**parameters)
    except (KeyError, AttributeError, TypeError) as error:
        raise ResponseParserError(str(error)) from error
    except ClientError as error:
        if "Error" not in error.response:
            raise ResponseParserError(str(error)) from None
        raise
    return found


def _of_lambda(call: Callable[..., Any], parameters: Mapping[str, object]) -> dict[str, Any]:
    """Make a call to Lambda, whose answers have an id, and whose errors have a code in words."""
    try:
        answer = answered(call, parameters)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"].get("Code", "")
        is_transient = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
        if not is_transient and (not code or code.isdecimal()):
            raise ResponseParserError(str(error)) from None
        raise
    if not answer["ResponseMetadata"].get("RequestId"):
        raise ResponseParserError("it is no answer of AWS")
    return answer


def _is_throttle(error: Exception) -> bool:
    return isinstance(error, ClientError) and (
        error.response["Error"].get("Code") in _THROTTLES or _status(error) == HTTPStatus.TOO_MANY_REQUESTS
    )


def _is_failure(error: Exception) -> bool:
    """Tell whether the call may go through next time: AWS stumbled, the connection, or a proxy did."""
    if isinstance(error, ClientError):
        return _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, NoConnectionError | HTTPClientError | ResponseParserError)


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _retry_after(error: Exception) -> float:
    """Return the seconds that AWS asks to wait; 0 where it does not ask, or in words unknown here."""
    try:
        return float(getattr(error, "response", {})["retryAfterSeconds"])
    except (KeyError, ValueError):
        return 0.0


def unreachable(error: Exception) -> AwsError:
    """Return what to tell of a call that could not even be sent."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        hint = (
            "set AWS_PROFILE or the AWS_* variables; in a workflow use aws-actions/configure-aws-credentials"
        )
        return AwsError.of("there are no AWS credentials", hint)
    if isinstance(error, ResponseParserError):
        message = "AWS cannot be reached: what answers is not AWS"
        return AwsError.of(message, "check the proxy on the way, and AWS_ENDPOINT_URL")
    return AwsError.of(f"AWS cannot be reached: {error}", "check the region, the network and the credentials")


def refusal(error: ClientError, parameters: dict[str, object], *, service: str = "lambda") -> Exception:
    """Return what to tell of a call that AWS refused."""
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    is_update = error.operation_name in _UPDATES
    if is_update and code == "ResourceConflictException":
        return UpdateInProgressError(text)
    if is_update and code == "PreconditionFailedException":
        return StaleRevisionError(text)
    subject = parameters.get("FunctionName") or parameters.get("LayerName")
    about = f" for {subject}" if subject else ""
    message = f"AWS refuses {error.operation_name}{about}: {text} ({code})"
    kinds = dict.fromkeys(_ABSENT, AbsentError) | {"ResourceConflictException": ConflictError}
    kind = RolloutError if is_update or error.operation_name == "Invoke" else kinds.get(code, AwsError)
    return kind.of(message, _hint(code, text, f"{_PREFIXES.get(service, service)}:{error.operation_name}"))


def _hint(code: str, text: str, action: str) -> str:
    if code in {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"}:
        # The action that lacks may be another one than the call's: GetLayerVersion on each layer, say.
        denied = _DENIED.search(text)
        lacking, resource = denied.groups() if denied else (action, None)
        return f"allow {lacking} to the role of this run" + (f", on {resource}" if resource else "")
    if code in _STALE_CREDENTIALS:
        return "get fresh credentials"
    return "mend this and run again"
