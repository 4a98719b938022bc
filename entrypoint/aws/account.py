"""The limits of an account and region, and what its roles are allowed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import AccountLimits
from entrypoint.aws.network_model import Denial


class AccountSettings:
    """Reads Lambda's account settings and simulates IAM policies."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def limits(self) -> AccountLimits:
        """Return the limits of the account and region; claimed concurrency is a metric and left empty."""
        answer = self._connection.call("get_account_settings")
        limit = answer["AccountLimit"]
        return AccountLimits(
            concurrency=limit["ConcurrentExecutions"],
            unreserved=limit["UnreservedConcurrentExecutions"],
            code_used=answer["AccountUsage"]["TotalCodeSize"],
            code_limit=limit["TotalCodeSize"],
            claimed={},
        )

    def denied(
        self, role: str, actions: Sequence[str], resources: Sequence[str], context: Mapping[str, str]
    ) -> tuple[Denial, ...]:
        """Return which of the actions a role is not allowed on all of these resources.

        `context` are condition keys with their values.

        Raises:
            AbsentError: the role does not exist.
        """
        entries = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ]
        pages = self._connection.paginate(
            "iam",
            "simulate_principal_policy",
            PolicySourceArn=role,
            ActionNames=list(actions),
            ResourceArns=list(resources),
            ContextEntries=entries,
        )
        results = [result for page in pages for result in page["EvaluationResults"]]
        return tuple(dict.fromkeys(denial for result in results for denial in _denials(result)))


def _denials(result: Mapping[str, Any]) -> Iterator[Denial]:
    """Yield why a role is not allowed an action; a result is about one resource, or about several."""
    organization = result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)
    specific = result.get("ResourceSpecificResults", ())
    for each in (result, *specific):
        decision = each.get("EvalResourceDecision") or each.get("EvalDecision")
        if decision == "allowed" or (each is result and specific):
            continue
        boundary = each.get("PermissionsBoundaryDecisionDetail", {})
        yield Denial(
            action=result["EvalActionName"],
            is_explicit=decision == "explicitDeny",
            by_boundary=not boundary.get("AllowedByPermissionsBoundary", True),
            by_organization=not organization,
            missing_keys=frozenset(each.get("MissingContextValues", ())),
        )
