"""Error responses of AWS: the exception, and the refusals that several operations share.

The texts are close to AWS's, because tools and people match on them.
"""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - a response of the service, not an error in this code
    """An error response: HTTP status, error code and message, as the caller sees them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid_parameter(message: str) -> Refusal:
    """Return the refusal of a well-formed request with an invalid value."""
    return Refusal(400, "InvalidParameterValueException", message)


def validation_failed(problems: list[str]) -> Refusal:
    """Return the refusal of the API front end for values outside the model's limits.

    No operation's model lists `ValidationException`, but AWS returns it:
    https://github.com/mooyoul/serverless-latest-layer-version/issues/10
    """
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
    return Refusal(400, "ValidationException", count + "; ".join(problems))


def not_found(message: str) -> Refusal:
    """Return the refusal for a resource that does not exist or that the caller may not see."""
    return Refusal(404, "ResourceNotFoundException", message)


def function_not_found(arn: str) -> Refusal:
    """Return the refusal for an unknown function, version or alias."""
    return not_found(f"Function not found: {arn}")


def conflict(message: str) -> Refusal:
    """Return the refusal for a resource that already exists or is being changed."""
    return Refusal(409, "ResourceConflictException", message)


def access_denied(*, account: str, action: str, arn: str) -> Refusal:
    """Return the refusal for a resource of another account whose policy does not allow the caller."""
    partition = arn.split(":")[1] if arn.startswith("arn:") else "aws"
    user = f"arn:{partition}:iam::{account}:root"
    return Refusal(
        403,
        "AccessDeniedException",
        f"User: {user} is not authorized to perform: {action} on resource: {arn} "
        f"because no resource-based policy allows the {action} action",
    )


def stale_revision(kind: str) -> Refusal:
    """Return the refusal for a resource that was changed since the caller read it."""
    return Refusal(
        412,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {kind} API to retrieve the latest Revision Id",
    )


def not_json(problem: object) -> Refusal:
    """Return the refusal for a body that the API front end cannot parse."""
    return Refusal(
        400, "InvalidRequestContentException", f"Could not parse request body into json: {problem}"
    )


def too_large(limit: int, operation: str) -> Refusal:
    """Return the refusal for a body above the API front end's limit (a code that the model does not list)."""
    return Refusal(
        413,
        "RequestEntityTooLargeException",
        f"Request must be smaller than {limit} bytes for the {operation} operation",
    )
