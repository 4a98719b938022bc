"""Declares resources of the embedded AWS directly, instead of creating them with API calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from entrypoint.local_aws.archive import LayerArchive
from entrypoint.local_aws.arns import LayerVersionName, Scope
from entrypoint.local_aws.function_kinds import refuse_kind
from entrypoint.local_aws.function_rules import attach_layers
from entrypoint.local_aws.state import (
    Cloud,
    FunctionVersion,
    StoredAlias,
    StoredFunction,
    StoredLayer,
    StoredLayerVersion,
    new_revision,
)
from entrypoint.local_aws.version_operations import publish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def declare_function(
    cloud: Cloud,
    scope: Scope,
    name: str,
    *,
    runtime: str,
    architecture: str,
    layers: Sequence[str],
    package_type: str,
    code_size_unzipped: int,
    vpc: Mapping[str, Any] | None,
    tags: Mapping[str, str] | None,
    more: Mapping[str, Any] | None,
) -> None:
    """Add an active function, unless it exists."""
    functions = cloud.region(scope).functions
    if name in functions:
        return
    settings: dict[str, Any] = {"Description": "", "Timeout": 3, "MemorySize": 128}
    settings["Role"] = f"arn:{scope.partition}:iam::{scope.account}:role/{name}"
    settings |= {"Runtime": runtime, "Handler": "app.handler"} if package_type == "Zip" else {}
    settings |= {"VpcConfig": dict(vpc)} if vpc is not None else {}
    settings |= more or {}
    refuse_kind(settings)
    latest = FunctionVersion(
        settings=settings,
        code=LayerArchive.declared(name=name, size=code_size_unzipped // 3, unzipped_size=code_size_unzipped),
        architecture=architecture,
        package_type=package_type,
        layers=attach_layers(cloud, scope, list(layers)),
        last_modified=cloud.now(),
        revision_id=new_revision(),
        active_from=cloud.clock(),
        image_uri=None
        if package_type == "Zip"
        else f"{scope.account}.dkr.ecr.{scope.region}.amazonaws.com/{name}:1",
    )
    functions[name] = StoredFunction(name=name, latest=latest, tags=dict(tags or {}))


def declare_alias(cloud: Cloud, scope: Scope, function: str, name: str) -> None:
    """Add an alias of a function, and a published version for it, unless the alias exists."""
    declared = cloud.region(scope).functions[function]
    if name not in declared.aliases:
        version = publish(cloud, declared).version
        declared.aliases[name] = StoredAlias(
            name=name, version=version, description="", weights={}, revision_id=new_revision()
        )


def declare_layer_version(
    cloud: Cloud,
    scope: Scope,
    name: str,
    *,
    number: int,
    shared_with: Sequence[str],
    runtimes: Sequence[str] | None,
    architectures: Sequence[str] | None,
    size_unzipped: int,
    description: str | None,
) -> str:
    """Add a layer version that accounts (or `*`) may read, unless it exists; return its ARN."""
    named = LayerVersionName(scope, name, number)
    layer = cloud.region(scope).layers.setdefault(name, StoredLayer(name=name))
    if number in layer.versions:
        return named.arn
    layer.last_number = max(layer.last_number, number)
    layer.versions[number] = StoredLayerVersion(
        number=number,
        archive=LayerArchive.declared(name=named.arn, size=size_unzipped // 3, unzipped_size=size_unzipped),
        created=cloud.now(),
        description=description,
        runtimes=None if runtimes is None else tuple(runtimes),
        architectures=None if architectures is None else tuple(architectures),
        policy=tuple(_grant(named.arn, account) for account in shared_with),
        policy_revision=new_revision(),
    )
    return named.arn


def _grant(arn: str, account: str) -> dict[str, Any]:
    return {
        "Sid": "everybody" if account == "*" else f"account-{account}",
        "Effect": "Allow",
        "Principal": "*" if account == "*" else {"AWS": f"arn:{arn.split(':')[1]}:iam::{account}:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }
