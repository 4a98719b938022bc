"""Customer-managed runtimes, by Lambda's core API (botocore's service `lambda-core`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.arns import Scope
from entrypoint.local_aws.refusals import invalid_parameter, not_found

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]


def get_runtime_alias(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return an alias of a runtime and its lifecycle; a runtime of another account is not shared."""
    scope, name = _named(caller, given["RuntimeName"])
    found = cloud.region(scope).runtimes.get(f"{name}:{given['Name']}") if scope == caller else None
    if found is None:
        raise not_found(f"Runtime alias not found: {name}:{given['Name']}")
    arn = f"arn:{scope.partition}:lambda:{scope.region}:{scope.account}:runtime/{name}"
    return {
        "Name": given["Name"],
        "Arn": f"{arn}/alias/{given['Name']}",
        "RuntimeVersion": "1",
        "RuntimeVersionArn": f"{arn}/version/1",
        "State": "ACTIVE",
        "ReleaseLifecycle": found,
        "Created": cloud.now(),
        "LastModified": cloud.now(),
    }


def refuse_blocked(cloud: Cloud, caller: Scope, settings: Mapping[str, Any]) -> None:
    """Refuse an update of a function from the day on that its runtime's owner has set."""
    if "RuntimeConfig" not in settings:
        return
    runtime = settings["RuntimeConfig"]
    scope, name = _named(caller, runtime["RuntimeArn"])
    lifecycle = cloud.region(scope).runtimes.get(f"{name}:{runtime['RuntimeAlias']}", {})
    if lifecycle.get("FunctionUpdateBlockDate", "9999-12-31") <= cloud.now()[:10]:
        raise invalid_parameter(f"The runtime {name} no longer supports updates of functions")


def _named(caller: Scope, name_or_arn: str) -> tuple[Scope, str]:
    if not name_or_arn.startswith("arn:"):
        return caller, name_or_arn
    _, _, _, region, account, resource = name_or_arn.split(":", 5)
    return Scope(account, region), resource.removeprefix("runtime/")
