"""What AWS says when it will not: one exception, and the refusals Lambda gives from several places.

The texts are near AWS's own, because tools and people match on them.
"""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - a refusal is the service's answer, not an error of ours
    """An error answer of the service: HTTP status, error code and message, as the caller will see them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid_parameter(message: str) -> Refusal:
    """Lambda's answer to a request that is well formed and wrong."""
    return Refusal(400, "InvalidParameterValueException", message)


def validation_failed(problems: list[str]) -> Refusal:
    """The API front's answer to a value outside the model's limits; the operation never sees it.

    `ValidationException` is in no operation's modelled errors, yet AWS answers with it:
    https://github.com/mooyoul/serverless-latest-layer-version/issues/10
    """
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
    return Refusal(400, "ValidationException", count + "; ".join(problems))


def not_found(message: str) -> Refusal:
    """No such resource, or none that this caller may know of."""
    return Refusal(404, "ResourceNotFoundException", message)


def function_not_found(arn: str) -> Refusal:
    """No such function, version or alias."""
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> Refusal:
    """The resource exists already, or is busy."""
    return Refusal(409, "ResourceConflictException", message)


def access_denied(*, account: str, action: str, arn: str) -> Refusal:
    """A resource of another account whose policy does not name the caller."""
    return Refusal(
        403,
        "AccessDeniedException",
        f"User: arn:aws:iam::{account}:root is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action",
    )


def stale_revision(kind: str) -> Refusal:
    """The optimistic lock: somebody changed the resource since the caller read it."""
    return Refusal(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {kind} API to retrieve the latest Revision Id",
    )


def not_json(problem: object) -> Refusal:
    """A body that the API front cannot read."""
    return Refusal(
        400, "InvalidRequestContentException", f"Could not parse request body into json: {problem}"
    )


def too_large(limit: int, operation: str) -> Refusal:
    """A request body over the front door's cap (a code that the model does not list)."""
    return Refusal(
        413,
        "RequestEntityTooLargeException",
        f"Request must be smaller than {limit} bytes for the {operation} operation",
    )
