"""Whether a bucket's policy lets Lambda read an object, for layers that refer to it.

It knows what buckets for Lambda have: statements with actions, resources, services, and the account and ARN
of the layer. A statement with anything else allows nothing.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrypoint.local_aws.arns import Scope

_LAMBDA = "lambda.amazonaws.com"
_ACTIONS = ("s3:GetObject", "s3:GetObjectVersion")
_OPERATORS = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}


def reading_policy(resource: str) -> dict[str, Any]:
    """Return a policy that lets Lambda read objects for any account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": _LAMBDA},
        "Action": list(_ACTIONS),
        "Resource": resource,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def lambda_may_read(policy: Mapping[str, Any], scope: Scope, arn: str) -> bool:
    """Return whether Lambda may read an object, and versions of it, for an account and region."""
    statements = policy.get("Statement", ())
    return all(_allowed(statements, action, scope, arn) for action in _ACTIONS)


def _allowed(statements: Any, action: str, scope: Scope, arn: str) -> bool:  # noqa: ANN401 - of JSON
    effects = {
        statement["Effect"]
        for statement in statements
        if _LAMBDA in _texts(_services(statement))
        and any(fnmatchcase(action, pattern) for pattern in _texts(statement.get("Action", ())))
        and any(fnmatchcase(arn, pattern) for pattern in _texts(statement.get("Resource", ())))
        and _holds(statement.get("Condition", {}), scope)
    }
    return effects == {"Allow"}


def _services(statement: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of JSON
    principal = statement.get("Principal", {})
    return _LAMBDA if principal == "*" else principal.get("Service", ())


def _holds(condition: Mapping[str, Mapping[str, Any]], scope: Scope) -> bool:
    values = {"aws:sourceaccount": scope.account, "aws:sourcearn": scope.arn("layer", "any", "1")}
    return all(
        operator in _OPERATORS
        and any(fnmatchcase(values.get(key.lower(), ""), pattern) for pattern in _texts(patterns))
        for operator, wanted in condition.items()
        for key, patterns in wanted.items()
    )


def _texts(value: Any) -> list[str]:  # noqa: ANN401 - of JSON
    return [value] if isinstance(value, str) else list(value)
