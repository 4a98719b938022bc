"""Lambda's operations on functions. Each takes (cloud, caller, given) and returns the response body."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws import function_kinds as kinds
from entrypoint.local_aws import function_rules as rules
from entrypoint.local_aws.archive import LayerArchive, uploaded
from entrypoint.local_aws.arns import LATEST, Scope, function_name
from entrypoint.local_aws.custom_runtimes import refuse_blocked
from entrypoint.local_aws.function_view import configuration, listed
from entrypoint.local_aws.paging import page
from entrypoint.local_aws.refusals import conflict, invalid_parameter
from entrypoint.local_aws.state import Cloud, FunctionVersion, StoredFunction, new_revision
from entrypoint.local_aws.version_operations import publish_to

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")

# Settings that are returned as given. Layers, Code, RevisionId, ... have rules of their own.
_SETTINGS = (
    "Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "Environment", "DeadLetterConfig",
    "KMSKeyArn", "TracingConfig", "FileSystemConfigs", "EphemeralStorage", "LoggingConfig", "TenancyConfig",
    "CapacityProviderConfig", "DurableConfig", "RuntimeConfig",
)  # fmt: skip
_DEFAULTS: Mapping[str, Any] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "TracingConfig": {"Mode": "PassThrough"},
    "EphemeralStorage": {"Size": 512},
    "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
}


def create_function(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Create a function; it is Pending for `update_seconds`."""
    name, _ = function_name(caller, given["FunctionName"])
    region = cloud.region(caller)
    if _NAME.fullmatch(name) is None:
        raise invalid_parameter(f"Invalid function name: {name}")
    if name in region.functions:
        raise conflict(f"Function already exist: {name}")
    package_type = given.get("PackageType", "Zip")
    if package_type == "Zip" and not ("Runtime" in given and "Handler" in given):
        raise invalid_parameter("Runtime and Handler are mandatory parameters for functions created with Zip")
    kinds.refuse_kind(given)
    rules.refuse_layers_on_image(package_type, given.get("Layers"))
    layers = rules.attach_layers(cloud, caller, given.get("Layers", []))
    code, image_uri = _code(cloud, caller, package_type, given["Code"], "CreateFunction")
    rules.refuse_oversize(code, layers)
    latest = FunctionVersion(
        settings={**_DEFAULTS, **_settings(given)},
        code=code,
        image_uri=image_uri,
        architecture=given.get("Architectures", ["x86_64"])[0],
        package_type=package_type,
        layers=layers,
        last_modified=cloud.now(),
        revision_id=new_revision(),
        active_from=cloud.clock() + cloud.update_seconds,
    )
    function = StoredFunction(name=name, latest=latest, tags=dict(given.get("Tags", {})))
    region.functions[name] = function
    return _answer(cloud, caller, function, given)


def get_function(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return configuration, code location, tags and reserved concurrency."""
    function, qualifier = rules.find_function(cloud, caller, given)
    version = rules.find_version_of(caller, function, qualifier)
    code: Json = {"RepositoryType": "S3", "Location": f"https://awslambda-{caller.region}-tasks.invalid/"}
    if version.image_uri is not None:
        code = {"RepositoryType": "ECR", "ImageUri": version.image_uri, "ResolvedImageUri": version.image_uri}
    answer: Json = {
        "Configuration": configuration(cloud, caller, function, version, qualifier),
        "Code": code,
    }
    if function.tags:
        answer["Tags"] = function.tags
    if function.reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return answer


def get_function_configuration(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return the configuration of one version."""
    function, qualifier = rules.find_function(cloud, caller, given)
    version = rules.find_version_of(caller, function, qualifier)
    return configuration(cloud, caller, function, version, qualifier)


def list_functions(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List functions by name; with FunctionVersion=ALL, their published versions too."""
    items: list[Json] = []
    every_version = given.get("FunctionVersion") == "ALL"
    for _, function in sorted(cloud.region(caller).functions.items()):
        rules.settle(cloud, function)
        items.append(listed(caller, function, function.latest, LATEST if every_version else None))
        if every_version:
            items += [listed(caller, function, each, each.version) for each in function.versions.values()]
    shown, rest = page(items, given)
    return {"Functions": shown, **rest}


def list_versions_by_function(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List `$LATEST` and the published versions of a function, oldest first."""
    function = rules.find_unqualified(cloud, caller, given)
    versions = [(LATEST, function.latest), *function.versions.items()]
    shown, rest = page([listed(caller, function, each, name) for name, each in versions], given)
    return {"Versions": shown, **rest}


def update_function_configuration(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Update `$LATEST`; a given list of layers replaces the whole list."""
    function = rules.find_unqualified(cloud, caller, given)
    rules.refuse_when_busy(cloud, caller, function)
    rules.refuse_when_stale(function, given)
    latest = function.latest
    kinds.refuse_other_kind(latest.settings, given)
    refuse_blocked(cloud, caller, latest.settings)
    changed = replace(latest, settings={**latest.settings, **_settings(given)})
    if "Layers" in given:
        rules.refuse_layers_on_image(latest.package_type, given["Layers"])
        changed = replace(changed, layers=rules.attach_layers(cloud, caller, given["Layers"]))
        rules.refuse_oversize(changed.code, changed.layers)
    rules.begin_update(cloud, function, changed)
    return configuration(cloud, caller, function, function.latest)


def update_function_code(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Update the code of `$LATEST`; its layers are unchanged."""
    function = rules.find_unqualified(cloud, caller, given)
    rules.refuse_when_busy(cloud, caller, function)
    rules.refuse_when_stale(function, given)
    latest = function.latest
    code, image_uri = _code(cloud, caller, latest.package_type, given, "UpdateFunctionCode")
    rules.refuse_oversize(code, latest.layers)
    architecture = given.get("Architectures", [latest.architecture])[0]
    changed = replace(latest, code=code, image_uri=image_uri, architecture=architecture)
    if given.get("DryRun"):
        return configuration(cloud, caller, function, changed)
    rules.begin_update(cloud, function, changed)
    return _answer(cloud, caller, function, given)


def delete_function(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Delete the whole function, or one version that no alias uses."""
    function, qualifier = rules.find_function(cloud, caller, given)
    if qualifier is None:
        del cloud.region(caller).functions[function.name]
        return {}
    if qualifier == LATEST:
        raise invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
    if qualifier in function.aliases:
        raise invalid_parameter("Deletion of aliases is not currently supported.")
    users = [a.name for a in function.aliases.values() if qualifier == a.version or qualifier in a.weights]
    if users:
        arn = caller.arn("function", function.name, qualifier)
        raise conflict(f"Unable to delete version {arn} because the following aliases reference it: {users}")
    function.versions.pop(qualifier, None)
    return {}


def _answer(cloud: Cloud, caller: Scope, function: StoredFunction, given: Json) -> Json:
    if not (given.get("Publish") or "PublishTo" in given):
        return configuration(cloud, caller, function, function.latest)
    version = publish_to(cloud, caller, function, given)
    return configuration(cloud, caller, function, version, version.version)


def _settings(given: Json) -> Json:
    settings = {key: given[key] for key in _SETTINGS if key in given}
    if "VpcConfig" in given:
        vpc = given["VpcConfig"]
        subnets, groups = vpc.get("SubnetIds", []), vpc.get("SecurityGroupIds", [])
        settings["VpcConfig"] = {"SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": ""}
        if subnets:
            settings["VpcConfig"]["VpcId"] = "vpc-" + hashlib.sha256(subnets[0].encode()).hexdigest()[:17]
        if "Ipv6AllowedForDualStack" in vpc:
            settings["VpcConfig"]["Ipv6AllowedForDualStack"] = vpc["Ipv6AllowedForDualStack"]
    if "SnapStart" in given:
        apply_on = given["SnapStart"].get("ApplyOn", "None")
        settings["SnapStart"] = {"ApplyOn": apply_on, "OptimizationStatus": "Off"}
    if "ImageConfig" in given:
        settings["ImageConfigResponse"] = {"ImageConfig": given["ImageConfig"]}
    return settings


def _code(
    cloud: Cloud, caller: Scope, package_type: str, given: Json, operation: str
) -> tuple[LayerArchive, str | None]:
    """Return the code of a request: a zip, or an image and its URI."""
    if package_type == "Zip":
        return LayerArchive.of(uploaded(caller, given, cloud.read_object, operation)), None
    if "ImageUri" not in given:
        raise invalid_parameter("Please provide ImageUri when the packageType is Image")
    uri = given["ImageUri"]
    return LayerArchive(sha256=hashlib.sha256(uri.encode()).hexdigest(), size=0, unzipped_size=0), uri
