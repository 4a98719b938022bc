"""The kinds of functions that differ: on managed instances, durable, on customer-managed runtimes.

From Lambda's service model and https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html.
Where AWS's text is not known, the message is in its style.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.arns import LATEST
from entrypoint.local_aws.refusals import Refusal, conflict, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrypoint.local_aws.state import FunctionVersion, StoredFunction, StoredRegion

VERSIONS_PER_PROVIDER = 100
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html
_TOO_OLD = tuple(f"python3.{minor}" for minor in range(6, 13))


def is_managed(version: FunctionVersion) -> bool:
    """Whether it runs on Lambda managed instances."""
    return "CapacityProviderConfig" in version.settings


def refuse_kind(given: Mapping[str, Any]) -> None:
    """Refuse to create what AWS would not create."""
    runtime = given.get("Runtime", "")
    if (runtime == "custom") != ("RuntimeConfig" in given):
        raise invalid_parameter("RuntimeConfig is required for the runtime custom, and only allowed for it")
    if "CapacityProviderConfig" in given and runtime in _TOO_OLD:
        raise invalid_parameter(f"The runtime {runtime} is not supported with a capacity provider")


def refuse_other_kind(settings: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse an update that would make a function one of another kind."""
    for key in ("CapacityProviderConfig", "DurableConfig", "TenancyConfig"):
        if key in given and key not in settings:
            raise invalid_parameter(f"{key} can only be set when the function is created")
    runtime = given.get("Runtime", settings.get("Runtime"))
    if "RuntimeConfig" in given and runtime != "custom":
        raise invalid_parameter("RuntimeConfig is only allowed for the runtime custom")


def refuse_concurrency(latest: FunctionVersion) -> None:
    """Refuse to reserve or provision concurrency of a function on managed instances."""
    if is_managed(latest):
        raise invalid_parameter("Functions with a capacity provider have no own concurrency settings")


def refuse_full_provider(region: StoredRegion, function: StoredFunction) -> None:
    """Refuse one more version if the function's capacity provider has all that it may have."""
    provider = _provider(function)
    used = sum(
        len(each.versions) + (each.published is not None)
        for each in region.functions.values()
        if is_managed(each.latest) and _provider(each) == provider
    )
    if used >= VERSIONS_PER_PROVIDER:
        code = "FunctionVersionsPerCapacityProviderLimitExceededException"
        raise Refusal(400, code, f"The capacity provider {provider} has {used} function versions")


def _provider(function: StoredFunction) -> str:
    settings = function.latest.settings["CapacityProviderConfig"]
    arn: str = settings["LambdaManagedInstancesCapacityProviderConfig"]["CapacityProviderArn"]
    return arn


def invoked(function: StoredFunction, qualifier: str | None) -> FunctionVersion | None:
    """Return what an invocation reaches, where the kind of the function decides that."""
    if qualifier is None and "DurableConfig" in function.latest.settings:
        raise invalid_parameter("You cannot invoke a durable function using an unqualified ARN.")
    if not is_managed(function.latest):
        return None
    if qualifier == LATEST:
        cannot = "The operation cannot be performed at this time."
        raise conflict(f"{cannot} The function is currently in the following state: ActiveNonInvocable")
    if qualifier is not None:
        return None
    if function.published is None:
        raise Refusal(400, "NoPublishedVersionException", f"{function.name} has no published version")
    return function.published
