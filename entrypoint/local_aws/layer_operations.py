"""Lambda's operations on layers. Each takes (cloud, caller, given) and returns the response body.

`given` is validated against the service model; the operations check what the model does not have.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.archive import LayerArchive, unreadable_object, uploaded
from entrypoint.local_aws.arns import LayerVersionName, Scope, layer_name
from entrypoint.local_aws.paging import page
from entrypoint.local_aws.refusals import (
    Refusal,
    access_denied,
    conflict,
    invalid_parameter,
    not_found,
    stale_revision,
)
from entrypoint.local_aws.state import (
    Cloud,
    ReferredObject,
    StoredLayer,
    StoredLayerVersion,
    new_revision,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

ORGANIZATION = "o-localawsorg0"  # the organization of every account of a LocalAws
POLICY_LIMIT = 20_480  # bytes; docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
READ = "lambda:GetLayerVersion"


def publish_layer_version(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Publish a new version, even if its bytes are those of the last one."""
    owner, name = layer_name(caller, given["LayerName"])
    _only_owner(caller, owner, "lambda:PublishLayerVersion", name)
    content = uploaded(caller, given["Content"], cloud.read_object, "PublishLayerVersion")
    referred = _referred(cloud, caller, given["Content"])
    archive = LayerArchive.of(content)
    cloud.archives.keep(archive.sha256, content)
    layer = cloud.region(owner).layers.setdefault(name, StoredLayer(name=name))
    layer.last_number += 1
    version = StoredLayerVersion(
        number=layer.last_number,
        archive=archive,
        object=referred,
        created=cloud.now(),
        description=given.get("Description"),
        license_info=given.get("LicenseInfo"),
        runtimes=_optional_tuple(given.get("CompatibleRuntimes")),
        architectures=_optional_tuple(given.get("CompatibleArchitectures")),
    )
    layer.versions[version.number] = version
    return _full(cloud, LayerVersionName(owner, name, version.number), version)


def get_layer_version(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return one version, with the hash and size of its content."""
    owner, name = layer_name(caller, given["LayerName"])
    named = LayerVersionName(owner, name, given["VersionNumber"])
    return _full(cloud, named, readable_version(cloud, caller, named))


def get_layer_version_by_arn(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return one version by its ARN, also of another account that shares it."""
    named = LayerVersionName.from_arn(given["Arn"])
    return _full(cloud, named, readable_version(cloud, caller, named))


def list_layer_versions(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List versions, newest first, without content; an unknown layer has none."""
    owner, name = layer_name(caller, given["LayerName"])
    _only_owner(caller, owner, "lambda:ListLayerVersions", name)
    layer = cloud.region(owner).layers.get(name, StoredLayer(name=name))
    items = [
        _item(LayerVersionName(owner, name, version.number), version) for version in _matching(layer, given)
    ]
    shown, rest = page(items, given)
    return {"LayerVersions": shown, **rest}


def delete_layer_version(cloud: Cloud, caller: Scope, given: Json) -> None:
    """Delete a version; functions keep their copy, and the number is not reused."""
    owner, name = layer_name(caller, given["LayerName"])
    _only_owner(caller, owner, "lambda:DeleteLayerVersion", name)
    layer = cloud.region(owner).layers.get(name)
    if layer is not None:
        layer.versions.pop(given["VersionNumber"], None)


def add_layer_version_permission(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Let other accounts read one version; the next version has no permissions."""
    layer, version, arn = _own_version(cloud, caller, given, "lambda:AddLayerVersionPermission")
    _check_policy_revision(version, given)
    if "OrganizationId" in given and given["Principal"] != "*":
        raise invalid_parameter("OrganizationId can only be given with the principal *")
    if any(statement["Sid"] == given["StatementId"] for statement in version.policy):
        raise conflict(
            f"The statement id ({given['StatementId']}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    statement = _statement(given, arn)
    changed = replace(version, policy=(*version.policy, statement), policy_revision=new_revision())
    if len(_policy_text(changed)) > POLICY_LIMIT:
        raise Refusal(
            400, "PolicyLengthExceededException", "The final policy size is bigger than the limit (20480)."
        )
    layer.versions[version.number] = changed
    return {"Statement": json.dumps(statement), "RevisionId": changed.policy_revision}


def remove_layer_version_permission(cloud: Cloud, caller: Scope, given: Json) -> None:
    """Remove a statement; functions that have the version keep it."""
    layer, version, _ = _own_version(cloud, caller, given, "lambda:RemoveLayerVersionPermission")
    _check_policy_revision(version, given)
    kept = tuple(statement for statement in version.policy if statement["Sid"] != given["StatementId"])
    if len(kept) == len(version.policy):
        raise not_found(f"Statement {given['StatementId']} is not found in resource policy.")
    layer.versions[version.number] = replace(version, policy=kept, policy_revision=new_revision())


def get_layer_version_policy(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return the permissions of one version as a policy document."""
    _, version, _ = _own_version(cloud, caller, given, "lambda:GetLayerVersionPolicy")
    if not version.policy:
        raise not_found("No policy is associated with the given resource.")
    return {"Policy": _policy_text(version), "RevisionId": version.policy_revision}


def readable_version(cloud: Cloud, caller: Scope, named: LayerVersionName) -> StoredLayerVersion:
    """Return the version; refuse it if it does not exist or the caller may not read it."""
    if named.scope.region != caller.region:
        raise not_found("The resource you requested does not exist.")
    version = find_version(cloud, named)
    if named.scope.account != caller.account and (version is None or not _granted(version, caller.account)):
        raise access_denied(account=caller.account, action=READ, arn=named.arn)
    if version is None:
        raise not_found("The resource you requested does not exist.")
    return version


def find_version(cloud: Cloud, named: LayerVersionName) -> StoredLayerVersion | None:
    """Return the version without checking permissions; None if it does not exist."""
    layer = cloud.region(named.scope).layers.get(named.name)
    return None if layer is None else layer.versions.get(named.version)


def _referred(cloud: Cloud, caller: Scope, content: Json) -> ReferredObject | None:
    """Return the object that a new version refers to; None if Lambda is to copy it."""
    if content.get("S3ObjectStorageMode") != "REFERENCE":
        return None
    try:
        return cloud.refer_to(caller, content["S3Bucket"], content["S3Key"], content.get("S3ObjectVersion"))
    except LookupError as missing:
        raise unreadable_object(missing) from missing


def _granted(version: StoredLayerVersion, account: str) -> bool:
    for statement in version.policy:
        organization = (
            statement.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalOrgID", ORGANIZATION)
        )
        principal = statement["Principal"]
        if organization == ORGANIZATION and (principal == "*" or f":{account}:" in principal["AWS"]):
            return True
    return False


def _statement(given: Json, arn: str) -> Json:
    principal = given["Principal"]
    if principal.isdigit():
        principal = f"arn:{arn.split(':')[1]}:iam::{principal}:root"
    statement: Json = {
        "Sid": given["StatementId"],
        "Effect": "Allow",
        "Principal": principal if principal == "*" else {"AWS": principal},
        "Action": given["Action"],
        "Resource": arn,
    }
    if "OrganizationId" in given:
        statement["Condition"] = {"StringEquals": {"aws:PrincipalOrgID": given["OrganizationId"]}}
    return statement


def _policy_text(version: StoredLayerVersion) -> str:
    return json.dumps({"Version": "2012-10-17", "Id": "default", "Statement": list(version.policy)})


def _check_policy_revision(version: StoredLayerVersion, given: Json) -> None:
    if given.get("RevisionId", version.policy_revision) != version.policy_revision:
        raise stale_revision("GetLayerVersionPolicy")


def _own_version(
    cloud: Cloud, caller: Scope, given: Json, action: str
) -> tuple[StoredLayer, StoredLayerVersion, str]:
    owner, name = layer_name(caller, given["LayerName"])
    _only_owner(caller, owner, action, name)
    named = LayerVersionName(owner, name, given["VersionNumber"])
    version = find_version(cloud, named)
    if version is None:
        raise not_found(f"Layer version {named.arn} does not exist.")
    return cloud.region(owner).layers[name], version, named.arn


def _only_owner(caller: Scope, owner: Scope, action: str, name: str) -> None:
    if owner.account != caller.account:
        raise access_denied(account=caller.account, action=action, arn=owner.arn("layer", name))
    if owner.region != caller.region:
        raise not_found("The resource you requested does not exist.")


def _matching(layer: StoredLayer, given: Json) -> list[StoredLayerVersion]:
    """Return matching versions, newest first; one without runtimes matches no runtime filter, and so on."""
    runtime, architecture = given.get("CompatibleRuntime"), given.get("CompatibleArchitecture")
    return [
        version
        for _, version in sorted(layer.versions.items(), reverse=True)
        if (runtime is None or runtime in (version.runtimes or ()))
        and (architecture is None or architecture in (version.architectures or ()))
    ]


def _full(cloud: Cloud, name: LayerVersionName, version: StoredLayerVersion) -> Json:
    content: Json = {"CodeSha256": version.archive.sha256, "CodeSize": version.archive.size}
    if referred := version.object:
        content["ResolvedS3Object"] = {
            "S3Bucket": referred.bucket,
            "S3Key": referred.key,
            "S3ObjectVersion": referred.version,
        }
    else:
        content["Location"] = cloud.endpoint_url + cloud.archives.path_of(version.archive.sha256)
    return {"Content": content, "LayerArn": name.layer_arn, **_item(name, version)}


def _item(name: LayerVersionName, version: StoredLayerVersion) -> Json:
    optional: Mapping[str, Any] = {
        "CompatibleRuntimes": None if version.runtimes is None else list(version.runtimes),
        "CompatibleArchitectures": None if version.architectures is None else list(version.architectures),
        "Description": version.description,
        "LicenseInfo": version.license_info,
    }
    given = {key: value for key, value in optional.items() if value is not None}
    return {"LayerVersionArn": name.arn, "Version": name.version, "CreatedDate": version.created, **given}


def _optional_tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
