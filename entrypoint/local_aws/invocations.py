"""Invoking a function: this AWS runs no code, so a handler of the test's own answers in its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws import function_rules as rules
from entrypoint.local_aws.refusals import conflict

if TYPE_CHECKING:
    from entrypoint.local_aws.arns import Scope
    from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationRequest:
    """What a handler gets: which version is asked, with which layers, and the payload."""

    kind: str
    function_arn: str
    version: str
    layers: tuple[str, ...]
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationOutcome:
    """What the caller gets: `error` is Lambda's word for whose fault a failure is."""

    status: int
    payload: bytes = b""
    error: str | None = None


def begin(cloud: Cloud, caller: Scope, given: Json) -> InvocationRequest:
    """The version that answers; an alias's second version never gets its share here."""
    function, qualifier = rules.find_function(cloud, caller, given)
    version = rules.find_version_of(caller, function, qualifier)
    if cloud.clock() < version.active_from:
        raise conflict(
            "The operation cannot be performed at this time. "
            "The function is currently in the following state: Pending"
        )
    if function.update is not None and version is function.latest:
        version = function.update.before  # what was there serves until the update has ended
    return InvocationRequest(
        kind=given.get("InvocationType", "RequestResponse"),
        function_arn=caller.arn("function", function.name),
        version=version.version,
        layers=tuple(layer.arn for layer in version.layers),
        payload=given.get("Payload", b""),
    )


def run(cloud: Cloud, invocation: InvocationRequest) -> InvocationOutcome:
    """Let the function's handler answer, if a test gave it one; else the answer is null."""
    if invocation.kind == "DryRun":
        return InvocationOutcome(status=204)
    handler = cloud.handlers.get(invocation.function_arn)
    try:
        payload = b"null" if handler is None else handler(invocation)
    except Exception as error:  # noqa: BLE001 - whatever a function raises is its answer
        content = {"errorMessage": str(error), "errorType": type(error).__name__}
        failed = InvocationOutcome(status=200, payload=json.dumps(content).encode(), error="Unhandled")
        return failed if invocation.kind == "RequestResponse" else InvocationOutcome(status=202)
    return (
        InvocationOutcome(status=200, payload=payload)
        if invocation.kind == "RequestResponse"
        else InvocationOutcome(status=202)
    )
