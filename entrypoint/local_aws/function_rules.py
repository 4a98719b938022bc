"""The rules for functions: how they are found, their states, and their list of layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from entrypoint.local_aws.archive import UNZIPPED_LIMIT, LayerArchive, unreadable_object
from entrypoint.local_aws.arns import LATEST, PUBLISHED, LayerVersionName, Scope, function_name
from entrypoint.local_aws.layer_operations import find_version, readable_version
from entrypoint.local_aws.refusals import conflict, function_not_found, invalid_parameter, stale_revision
from entrypoint.local_aws.state import (
    AttachedLayer,
    Cloud,
    FunctionVersion,
    StoredFunction,
    Update,
    UpdateStatus,
    new_revision,
)

Json = dict[str, Any]

LAYER_LIMIT = 5  # docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html


def find_function(cloud: Cloud, caller: Scope, given: Json) -> tuple[StoredFunction, str | None]:
    """Return the function of a request, with its current state, and the qualifier if there is one."""
    name, in_name = function_name(caller, given["FunctionName"])
    qualifier = given.get("Qualifier") or in_name
    if in_name is not None and in_name != qualifier:
        raise invalid_parameter(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    function = cloud.region(caller).functions.get(name)
    if function is None:
        suffix = () if qualifier is None else (qualifier,)
        raise function_not_found(caller.arn("function", name, *suffix))
    settle(cloud, function)
    return function, qualifier


def find_unqualified(cloud: Cloud, caller: Scope, given: Json) -> StoredFunction:
    """Return the function of a request that only allows the whole function, or `$LATEST`."""
    function, qualifier = find_function(cloud, caller, given)
    if qualifier not in {None, LATEST}:
        raise invalid_parameter(
            "This operation is permitted on Lambda functions only. Aliases and versions do not support this "
            "operation. Please specify either a function name or an unqualified function ARN."
        )
    return function


def find_version_of(caller: Scope, function: StoredFunction, qualifier: str | None) -> FunctionVersion:
    """Return `$LATEST`, `$LATEST.PUBLISHED`, a published version, or the version of an alias."""
    alias = function.aliases.get(str(qualifier))
    name = alias.version if alias else qualifier
    if name in {None, LATEST}:
        return function.latest
    version = function.published if name == PUBLISHED else function.versions.get(str(name))
    if version is None:
        raise function_not_found(caller.arn("function", function.name, str(qualifier)))
    return version


def settle(cloud: Cloud, function: StoredFunction) -> None:
    """Finish an update that has reached its end: it takes effect, or the previous version stays.

    The RevisionId changes again with the status, so the one in the response to the update is stale.
    """
    update = function.update
    if update is None or cloud.clock() < update.ends:
        return
    function.update = None
    kept = function.latest if update.outcome.status == "Successful" else update.before
    function.latest = replace(kept, last_update=update.outcome, revision_id=new_revision())


def refuse_when_busy(cloud: Cloud, caller: Scope, function: StoredFunction) -> None:
    """Refuse a change while the function is being created or updated."""
    cannot = "The operation cannot be performed at this time."
    arn = caller.arn("function", function.name)
    if cloud.clock() < function.latest.active_from:
        raise conflict(f"{cannot} The function is currently in the following state: Pending")
    if function.update is not None:
        raise conflict(f"{cannot} An update is in progress for resource: {arn}")


def refuse_when_stale(function: StoredFunction, given: Json) -> None:
    """Refuse a change if the given RevisionId is not the current one of `$LATEST`."""
    if given.get("RevisionId", function.latest.revision_id) != function.latest.revision_id:
        raise stale_revision("GetFunction/GetAlias")


def begin_update(cloud: Cloud, function: StoredFunction, changed: FunctionVersion) -> None:
    """Start an update, with the new version InProgress; `settle` finishes it."""
    outcome, function.next_outcome = function.next_outcome, UpdateStatus()
    function.update = Update(
        ends=cloud.clock() + cloud.update_seconds, before=function.latest, outcome=outcome
    )
    function.latest = replace(
        changed,
        last_update=UpdateStatus(status="InProgress"),
        revision_id=new_revision(),
        last_modified=cloud.now(),
    )


def attach_layers(cloud: Cloud, caller: Scope, arns: list[str]) -> tuple[AttachedLayer, ...]:
    """Return the layers of a request; refuse them if the caller may not attach all of them."""
    if len(arns) > LAYER_LIMIT:
        raise invalid_parameter(f"Cannot reference more than {LAYER_LIMIT} layers.")
    names = [LayerVersionName.from_arn(arn) for arn in arns]
    seen: dict[str, LayerVersionName] = {}
    for name in names:
        other = seen.setdefault(name.layer_arn, name)
        if other is not name:
            raise invalid_parameter(
                "Two different versions of the same layer are not allowed to be referenced in the same "
                f"function. {other.arn} and {name.arn} versions are referenced."
            )
    return tuple(_attach(cloud, caller, name) for name in names)


def _attach(cloud: Cloud, caller: Scope, name: LayerVersionName) -> AttachedLayer:
    if name.scope.region != caller.region:
        raise invalid_parameter(
            "Layers are not in the same region as the function. "
            f"Layers are expected to be in region {caller.region}."
        )
    if name.scope.account == caller.account and find_version(cloud, name) is None:
        raise invalid_parameter(f"Layer version {name.arn} does not exist.")
    version = readable_version(cloud, caller, name)
    archive = version.archive
    if referred := version.object:
        # What AWS answers is not documented, only that it refuses.
        try:
            cloud.refer_to(name.scope, referred.bucket, referred.key, referred.version)
        except LookupError as missing:
            raise unreadable_object(missing) from missing
    return AttachedLayer(arn=name.arn, size=archive.size, unzipped_size=archive.unzipped_size)


def refuse_oversize(code: LayerArchive, layers: tuple[AttachedLayer, ...]) -> None:
    """Refuse code and layers that together exceed the limit."""
    total = code.unzipped_size + sum(layer.unzipped_size for layer in layers)
    if total > UNZIPPED_LIMIT:
        raise invalid_parameter(
            "Function code combined with layers exceeds the maximum allowed size of "
            f"{UNZIPPED_LIMIT} bytes. The actual size is {total} bytes."
        )


def refuse_layers_on_image(package_type: str, layers: list[str] | None) -> None:
    """Refuse layers on a function with a container image."""
    if package_type == "Image" and layers:
        raise invalid_parameter(
            "Please don't provide handler or runtime or layer when the packageType is Image"
        )
