"""The executions of durable functions, in the same form as the operations on functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from entrypoint.local_aws import function_rules as rules
from entrypoint.local_aws.paging import page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrypoint.local_aws.arns import Scope
    from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]


def list_durable_executions_by_function(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List executions, of one version and in some states only if these are given."""
    function, qualifier = rules.find_function(cloud, caller, given)
    version = rules.find_version_of(caller, function, qualifier).version if qualifier else None
    found = [
        _shown(caller.arn("function", function.name, each["Version"]), each)
        for each in function.executions
        if version in {None, each["Version"]} and each["Status"] in given.get("Statuses", [each["Status"]])
    ]
    shown, rest = page(found, given, most=100)  # AWS may return fewer than MaxItems too
    return {"DurableExecutions": shown, **rest}


def _shown(arn: str, execution: Mapping[str, str]) -> Json:
    name = execution["Name"]
    return {
        "DurableExecutionArn": f"{arn}/durable-execution/{name}/1",
        "DurableExecutionName": name,
        "FunctionArn": arn,
        "Status": execution["Status"],
        "StartTimestamp": 1_796_000_000,
    }
