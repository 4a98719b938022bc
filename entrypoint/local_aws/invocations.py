"""Invokes functions: this AWS runs no code, so a handler of the test answers instead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws import function_kinds as kinds
from entrypoint.local_aws import function_rules as rules
from entrypoint.local_aws.arns import LATEST
from entrypoint.local_aws.refusals import conflict, invalid_parameter

if TYPE_CHECKING:
    from entrypoint.local_aws.arns import Scope
    from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRequest:
    """What a handler receives: the invoked version, its layers and the payload."""

    kind: str
    function_arn: str
    version: str
    layers: tuple[str, ...]
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationOutcome:
    """What the caller receives; `error` is the value of X-Amz-Function-Error."""

    status: int
    payload: bytes = b""
    error: str | None = None


def begin(cloud: Cloud, caller: Scope, given: Json) -> InvocationRequest:
    """Find the invoked version; the second version of an alias is never invoked here."""
    function, qualifier = rules.find_function(cloud, caller, given)
    version = kinds.invoked(function, qualifier) or rules.find_version_of(caller, function, qualifier)
    if cloud.clock() < version.active_from:
        raise conflict(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Pending"
        )
    if version.version != LATEST and version.last_update.status == "Failed":
        raise conflict("The function is currently in the following state: Failed")
    if "TenancyConfig" in version.settings and "TenantId" not in given:
        raise invalid_parameter("The function is tenant isolated: the invocation requires a tenant ID")
    if function.update is not None and version is function.latest:
        version = function.update.before  # the previous version is invoked until the update ends
    return InvocationRequest(
        kind=given.get("InvocationType", "RequestResponse"),
        function_arn=caller.arn("function", function.name),
        version=version.version,
        layers=tuple(layer.arn for layer in version.layers),
        payload=given.get("Payload", b""),
    )


def run(cloud: Cloud, invocation: InvocationRequest) -> InvocationOutcome:
    """Call the function's handler; without one, the answer is null."""
    if invocation.kind == "DryRun":
        return InvocationOutcome(status=204)
    handler = cloud.handlers.get(invocation.function_arn)
    try:
        payload = b"null" if handler is None else handler(invocation)
    except Exception as error:  # noqa: BLE001 - any exception of a function is its answer
        content = {"errorMessage": str(error), "errorType": type(error).__name__}
        failed = InvocationOutcome(status=200, payload=json.dumps(content).encode(), error="Unhandled")
        return failed if invocation.kind == "RequestResponse" else InvocationOutcome(status=202)
    return (
        InvocationOutcome(status=200, payload=payload)
        if invocation.kind == "RequestResponse"
        else InvocationOutcome(status=202)
    )
