"""A function as in Lambda's responses (shape `FunctionConfiguration`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.arns import LATEST
from entrypoint.local_aws.function_kinds import is_managed

if TYPE_CHECKING:
    from entrypoint.local_aws.arns import Scope
    from entrypoint.local_aws.state import Cloud, FunctionVersion, StoredFunction

Json = dict[str, Any]


def configuration(
    cloud: Cloud,
    scope: Scope,
    function: StoredFunction,
    version: FunctionVersion,
    qualifier: str | None = None,
) -> Json:
    """Return the full configuration, with states; `qualifier` is the caller's name of the version."""
    return {**listed(scope, function, version, qualifier), **_states(cloud, version)}


def listed(
    scope: Scope, function: StoredFunction, version: FunctionVersion, qualifier: str | None = None
) -> Json:
    """Return the configuration as in lists, without State and LastUpdateStatus."""
    suffix = () if qualifier is None else (qualifier,)
    shown: Json = {
        **version.settings,
        "FunctionName": function.name,
        "FunctionArn": scope.arn("function", function.name, *suffix),
        "CodeSize": version.code.size,
        "CodeSha256": version.code.sha256,
        "Version": version.version,
        "LastModified": version.last_modified,
        "RevisionId": version.revision_id,
        "PackageType": version.package_type,
        "Architectures": [version.architecture],
    }
    if version.layers:
        shown["Layers"] = [{"Arn": layer.arn, "CodeSize": layer.size} for layer in version.layers]
    return shown


def _states(cloud: Cloud, version: FunctionVersion) -> Json:
    last = version.last_update
    shown = {"State": "Active", "LastUpdateStatus": last.status}
    if cloud.clock() < version.active_from:
        shown = {
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
            "LastUpdateStatus": last.status,
        }
    elif version.version != LATEST and last.status == "Failed":
        return {"State": "Failed", "StateReason": last.reason, "StateReasonCode": last.reason_code}
    elif version.version == LATEST and is_managed(version):
        shown["State"] = "ActiveNonInvocable"
    if last.reason_code is not None:
        shown["LastUpdateStatusReasonCode"] = last.reason_code
    if last.reason is not None:
        shown["LastUpdateStatusReason"] = last.reason
    return shown
