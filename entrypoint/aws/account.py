"""The limits of an account and region, and what its roles are allowed."""

from collections.abc import Sequence

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import AccountLimits


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

    def denied(self, role: str, actions: Sequence[str]) -> tuple[str, ...]:
        """Return the actions that a role is not allowed."""
        answer = self._connection.ask(
            "iam", "simulate_principal_policy", PolicySourceArn=role, ActionNames=list(actions)
        )
        results = answer["EvaluationResults"]
        return tuple(each["EvalActionName"] for each in results if each["EvalDecision"] != "allowed")
