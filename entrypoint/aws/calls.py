"""Calls to AWS Lambda: paced, retried where a retry can help, with refusals explained.

botocore's own retries are disabled: each attempt has to wait for its turn in the pace of the account and
region, and a lost answer to PublishLayerVersion must not lead to a second version.
"""

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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

from entrypoint.aws.model import (
    AbsentError,
    ConflictError,
    StaleRevisionError,
    UnclearAnswerError,
    UpdateInProgressError,
    WeightsError,
)
from entrypoint.aws.pacing import JITTER, Pace
from entrypoint.aws.reasons import hint_for
from entrypoint.errors import AwsError, RolloutError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_ATTEMPTS = 10
"""How often a call may fail with a 5xx answer or a lost connection; throttles do not count."""
_SKEW = 60.0
"""Seconds by which a clock may differ from that of AWS before it is named as the cause."""
_TRUST = 2
"""How often an answer that is not from AWS is retried; a proxy would keep answering."""
_PATIENCE = 600.0
"""Seconds until a call is given up, time spent throttled included."""
_LONGEST_PAUSE = 20.0
_GET_FUNCTION_CALLS_PER_SECOND = 100
"""GetFunction has its own quota; all other calls share one."""
_ABSENT = {
    "404",
    "ApplicationDoesNotExistException",
    "DeploymentGroupDoesNotExistException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "ProvisionedConcurrencyConfigNotFoundException",
    "ResourceNotFoundException",
}
_CONFLICTS = {
    "ApplicationAlreadyExistsException",
    "DeploymentAlreadyCompletedException",
    "DeploymentGroupAlreadyExistsException",
    "ResourceConflictException",
}
_UPDATES = {
    "UpdateFunctionConfiguration",
    "PublishVersion",
    "UpdateAlias",
    "PutFunctionConcurrency",
    "DeleteFunctionConcurrency",
    "PutProvisionedConcurrencyConfig",
    "DeleteProvisionedConcurrencyConfig",
}
"""Updates of one function: where one fails, other functions may still be updated."""
_THROTTLES = {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
_DENIALS = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "403"}
_SIGNATURES = {
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
"""Usually the clock of this machine: AWS accepts a signature for five minutes."""
_STALE_CREDENTIALS = {
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_PREFIXES = {"resourcegroupstaggingapi": "tag", "service-quotas": "servicequotas"}
"""IAM's prefixes of services that differ from their endpoint names."""
_ACTIONS = {
    "DeleteObject": "DeleteObjectVersion",
    "HeadObject": "GetObjectVersion",
    "ListObjectVersions": "ListBucketVersions",
}
"""IAM's names of actions that differ from the operations; objects are named with their versions."""
_DENIED = re.compile(r"not authorized to perform: (\S+)(?: on resource: (\S+))?")


class DeniedError(AwsError):
    """The resource may not be used, or belongs to another account and does not exist."""

    is_denial = True


class LambdaCalls:
    """Calls Lambda through the client of one account and region. Threads may share it."""

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
        own = max(quota, _GET_FUNCTION_CALLS_PER_SECOND)
        self._own = {"get_function": Pace(own, clock, sleep, turn())}

    def __call__(self, operation: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the client, by its name, and return the answer.

        Raises:
            AwsError: AWS refuses, or keeps failing.
            UnclearAnswerError: a version of a layer may or may not have been published.
            UpdateInProgressError, StaleRevisionError: another update of the function is in the way.
            RolloutError: AWS refuses an update of a function.
        """
        pace = self._own.get(operation, self._shared)
        deadline = self._clock() + _PATIENCE
        failures = 0
        while failures < _ATTEMPTS and self._clock() < deadline:
            ticket = pace.wait()
            try:
                answer = of_lambda(getattr(self._client, operation), parameters)
            except (ClientError, BotoCoreError, ResponseParserError) as error:
                last = error
            else:
                pace.succeeded()
                return answer
            if is_throttle(last):
                pace.throttled(ticket, _retry_after(last))
            elif not _is_failure(last):
                explained = refusal(last, parameters) if isinstance(last, ClientError) else unreachable(last)
                raise explained from None
            elif operation == "publish_layer_version":
                raise UnclearAnswerError(str(last))
            elif isinstance(last, ResponseParserError) and failures > _TRUST:
                raise unreachable(last) from None
            else:
                failures += 1
                longest = min(_LONGEST_PAUSE, 0.1 * 2**failures)
                self._sleep(JITTER.uniform(0, longest))
        message = f"AWS does not answer {operation.replace('_', ' ')}: {last}"
        raise AwsError.of(message, "check the network and run again; completed work is kept")

    def if_present(self, operation: str, **parameters: object) -> dict[str, Any] | None:
        """Return the answer to a call; None where the resource does not exist."""
        try:
            return self(operation, **parameters)
        except AbsentError:
            return None


def answered(
    call: Callable[..., Any], parameters: Mapping[str, object], *arguments: object
) -> dict[str, Any]:
    """Call a method of botocore and return the answer.

    Raises:
        ResponseParserError: the answer is not from AWS; botocore itself fails on some such answers.
        ClientError, BotoCoreError: as botocore documents.
    """
    try:
        found: dict[str, Any] = call(*arguments, **parameters)
    except (KeyError, AttributeError, TypeError) as error:
        raise ResponseParserError(str(error)) from error
    except ClientError as error:
        if "Error" not in error.response:
            raise ResponseParserError(str(error)) from None
        raise
    return found


def of_lambda(call: Callable[..., Any], parameters: Mapping[str, object]) -> dict[str, Any]:
    """Call Lambda, whose answers have a request id and whose errors have a code in words."""
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
        raise ResponseParserError("the answer has no request id")
    return answer


def is_throttle(error: Exception) -> bool:
    """Return whether AWS refused a call because there were too many."""
    return isinstance(error, ClientError) and (
        error.response["Error"].get("Code") in _THROTTLES or _status(error) == HTTPStatus.TOO_MANY_REQUESTS
    )


def _is_failure(error: Exception) -> bool:
    """Return whether a retry may succeed: AWS failed, or the connection, or a proxy."""
    if isinstance(error, ClientError):
        return _status(error) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, NoConnectionError | HTTPClientError | ResponseParserError)


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _retry_after(error: Exception) -> float:
    """Return the seconds to wait that AWS asks for; 0 where there are none, or they are not a number."""
    try:
        return float(getattr(error, "response", {})["retryAfterSeconds"])
    except (KeyError, ValueError):
        return 0.0


def unreachable(error: Exception) -> AwsError:
    """Return the error for a call that could not be sent."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        hint = (
            "set AWS_PROFILE or the AWS_* variables; in a workflow use aws-actions/configure-aws-credentials"
        )
        return AwsError.of("there are no AWS credentials", hint)
    if isinstance(error, ResponseParserError):
        message = "AWS cannot be reached: the answer is not from AWS"
        return AwsError.of(message, "check the proxy and AWS_ENDPOINT_URL")
    return AwsError.of(f"AWS cannot be reached: {error}", "check the region, the network and the credentials")


def refusal(error: ClientError, parameters: dict[str, object], *, service: str = "lambda") -> Exception:
    """Return the error for a call that AWS refused."""
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    is_update = error.operation_name in _UPDATES
    if is_update and code == "ResourceConflictException":
        return UpdateInProgressError(text)
    if is_update and code == "PreconditionFailedException":
        return StaleRevisionError(text)
    subject = parameters.get("FunctionName") or parameters.get("LayerName")
    about = f" for {subject}" if subject else ""
    message = f"AWS refuses {error.operation_name}{about}: {text} ({code})"
    kinds = {
        **dict.fromkeys(_ABSENT, AbsentError),
        **dict.fromkeys(_DENIALS, DeniedError),
        **dict.fromkeys(_CONFLICTS, ConflictError),
    }
    kind = RolloutError if is_update or error.operation_name == "Invoke" else kinds.get(code, AwsError)
    if is_update and "alias with weights" in text.lower():
        return WeightsError.of(message, "run again when the shift of the alias's traffic has ended")
    if code in _SIGNATURES:
        return kind.of(message, _about_clock(error.response["ResponseMetadata"].get("HTTPHeaders", {})))
    action = _ACTIONS.get(error.operation_name, error.operation_name)
    return kind.of(message, _hint(code, text, f"{_PREFIXES.get(service, service)}:{action}"))


def _about_clock(headers: Mapping[str, str]) -> str:
    """Return what to do about a signature that AWS does not accept, with the time that AWS has."""
    try:
        ahead = (datetime.now(tz=UTC) - parsedate_to_datetime(headers["date"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return "check the clock of this machine, and then the secret access key"
    if abs(ahead) < _SKEW:
        return "check the secret access key; the clock of this machine agrees with AWS"
    side = "ahead of" if ahead > 0 else "behind"
    return f"set the clock of this machine: it is {abs(ahead):,.0f} s {side} AWS"


def _hint(code: str, text: str, action: str) -> str:
    if code in _DENIALS:
        # The missing action may differ from the call's, such as GetLayerVersion on each layer.
        denied = _DENIED.search(text)
        missing, resource = denied.groups() if denied else (action, None)
        return f"allow {missing} to the role of this run" + (f", on {resource}" if resource else "")
    if code in _STALE_CREDENTIALS:
        return "get fresh credentials"
    return hint_for(code)
