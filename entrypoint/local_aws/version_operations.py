"""Lambda's operations on published versions and aliases, in the same form as those on functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from entrypoint.local_aws import function_kinds as kinds
from entrypoint.local_aws import function_rules as rules
from entrypoint.local_aws.arns import LATEST, PUBLISHED, Scope
from entrypoint.local_aws.function_view import configuration
from entrypoint.local_aws.paging import page
from entrypoint.local_aws.refusals import (
    conflict,
    function_not_found,
    invalid_parameter,
    not_found,
    stale_revision,
)
from entrypoint.local_aws.state import (
    Cloud,
    FunctionVersion,
    StoredAlias,
    StoredFunction,
    UpdateStatus,
    new_revision,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


def publish_version(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Publish `$LATEST` as the next version, unless nothing changed since the last one."""
    function = rules.find_unqualified(cloud, caller, given)
    rules.refuse_when_busy(cloud, caller, function)
    rules.refuse_when_stale(function, given)
    current = function.latest.code.sha256
    if given.get("CodeSha256", current) != current:
        raise invalid_parameter(
            f"CodeSHA256 ({given['CodeSha256']}) is different from current CodeSHA256 in $LATEST "
            f"({current}). Please try again with the CodeSHA256 in $LATEST."
        )
    version = publish_to(cloud, caller, function, given)
    return configuration(cloud, caller, function, version, version.version)


def publish_to(cloud: Cloud, caller: Scope, function: StoredFunction, given: Json) -> FunctionVersion:
    """Publish as a request says: to a number, or to `$LATEST.PUBLISHED`, which it replaces."""
    description, is_managed = given.get("Description"), kinds.is_managed(function.latest)
    if "PublishTo" in given and not is_managed:
        raise invalid_parameter("PublishTo is only supported for functions with a capacity provider")
    if is_managed and not ("PublishTo" in given and function.published):
        kinds.refuse_full_provider(cloud.region(caller), function)
    if "PublishTo" not in given:
        return publish(cloud, function, description)
    function.published = _version_of(cloud, function, PUBLISHED, description)
    return function.published


def publish(cloud: Cloud, function: StoredFunction, description: str | None = None) -> FunctionVersion:
    """Return the version of the current `$LATEST`: the last one if it is equal, otherwise a new one."""
    last = function.versions.get(str(function.last_number))
    if last is not None and _is_equal(last, function.latest):
        return last
    function.last_number += 1
    version = _version_of(cloud, function, str(function.last_number), description)
    function.versions[version.version] = version
    return version


def _version_of(
    cloud: Cloud, function: StoredFunction, name: str, description: str | None
) -> FunctionVersion:
    settings: Mapping[str, Any] = function.latest.settings
    if description is not None:
        settings = {**settings, "Description": description}
    start, function.next_start = function.next_start, UpdateStatus()
    return replace(
        function.latest,
        version=name,
        settings=settings,
        revision_id=new_revision(),
        active_from=cloud.clock() + cloud.update_seconds,
        last_update=start,
    )


def _is_equal(published: FunctionVersion, latest: FunctionVersion) -> bool:
    """Whether code and configuration are equal; every version has its own description."""
    return _code_and_settings(published) == _code_and_settings(latest)


def _code_and_settings(version: FunctionVersion) -> tuple[object, ...]:
    settings = {key: value for key, value in version.settings.items() if key != "Description"}
    return settings, version.code, version.image_uri, version.architecture, version.layers


def create_alias(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Create an alias of an existing version."""
    function = rules.find_unqualified(cloud, caller, given)
    name = given["Name"]
    if name in function.aliases:
        raise conflict(f"Alias already exists: {caller.arn('function', function.name, name)}")
    function.aliases[name] = alias = StoredAlias(
        name=name,
        version=_existing(caller, function, given["FunctionVersion"]),
        description=given.get("Description", ""),
        weights=_weights(caller, function, given, given["FunctionVersion"]),
        revision_id=new_revision(),
    )
    return _shown(caller, function, alias)


def get_alias(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return an alias."""
    function, alias = _find_alias(cloud, caller, given)
    return _shown(caller, function, alias)


def list_aliases(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List the aliases of a function, or those that use one version."""
    function = rules.find_unqualified(cloud, caller, given)
    only = given.get("FunctionVersion")
    found = [
        _shown(caller, function, alias)
        for alias in function.aliases.values()
        if only in {None, alias.version, *alias.weights}
    ]
    shown, rest = page(found, given)
    return {"Aliases": shown, **rest}


def update_alias(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Change version, weights or description; what is not given is unchanged."""
    function, alias = _find_alias(cloud, caller, given)
    if given.get("RevisionId", alias.revision_id) != alias.revision_id:
        raise stale_revision("GetFunction/GetAlias")
    version = _existing(caller, function, given.get("FunctionVersion", alias.version))
    changed = replace(
        alias,
        version=version,
        description=given.get("Description", alias.description),
        weights=_weights(caller, function, given, version) if "RoutingConfig" in given else alias.weights,
        revision_id=new_revision(),
    )
    function.aliases[alias.name] = changed
    return _shown(caller, function, changed)


def _find_alias(cloud: Cloud, caller: Scope, given: Json) -> tuple[StoredFunction, StoredAlias]:
    function = rules.find_unqualified(cloud, caller, given)
    alias = function.aliases.get(given["Name"])
    if alias is None:
        raise not_found(f"Cannot find alias arn: {caller.arn('function', function.name, given['Name'])}")
    return function, alias


def _existing(caller: Scope, function: StoredFunction, version: str) -> str:
    if version == PUBLISHED and function.published is not None:
        return version
    if version != LATEST and version not in function.versions:
        raise function_not_found(caller.arn("function", function.name, version))
    return version


def _weights(caller: Scope, function: StoredFunction, given: Json, version: str) -> Mapping[str, float]:
    weights: Mapping[str, float] = given.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    if len(weights) > 1:
        raise invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other in weights:
        if LATEST in {other, version}:
            raise invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version")
        if other == version:
            raise invalid_parameter(
                f"Invalid function version {other}. It is the version of the alias itself."
            )
        _existing(caller, function, other)
    return dict(weights)


def _shown(caller: Scope, function: StoredFunction, alias: StoredAlias) -> Json:
    shown: Json = {
        "AliasArn": caller.arn("function", function.name, alias.name),
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return shown
