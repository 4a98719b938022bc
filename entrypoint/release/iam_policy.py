"""Manifest -> the least IAM policy that its deployment needs. Pure.

The resource types of actions: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from entrypoint.aws.alarm_model import ALARM_PREFIX
from entrypoint.aws.model import CODE_DEPLOY_APPLICATION as APPLICATION
from entrypoint.manifest.model import Bucket, FunctionEntry, Manifest
from entrypoint.manifest.targets import AwsLayer
from entrypoint.partitions import partition_of
from entrypoint.release.export import filled

_VERSION = "2012-10-17"
_EVERY = ("*",)
# CreateDeployment needs those for configurations and revisions too.
# https://docs.aws.amazon.com/codedeploy/latest/userguide/auth-and-access-control-permissions-reference.html
_DEPLOYMENTS = [
    *("codedeploy:CreateApplication", "codedeploy:CreateDeployment", "codedeploy:CreateDeploymentGroup"),
    *("codedeploy:GetApplicationRevision", "codedeploy:GetDeployment", "codedeploy:GetDeploymentConfig"),
    *(
        "codedeploy:GetDeploymentGroup",
        "codedeploy:ListDeployments",
        "codedeploy:RegisterApplicationRevision",
    ),
    *("codedeploy:StopDeployment", "codedeploy:UpdateDeploymentGroup"),
]


def iam_policy(
    manifest: Manifest, layers: Iterable[AwsLayer], *, regions: Iterable[str], account: str
) -> dict[str, Any]:
    """Return the policy document; `account` is a number, or `*` where it is not known."""
    layers = tuple(layers)
    resources = _Resources(tuple(regions), account)
    statements = [
        *_of_layers(manifest, layers, resources),
        *_of_functions(manifest, resources),
        *_of_rollout(manifest, resources),
        *_of_export(manifest, layers, resources),
    ]
    if manifest.accounts:
        statements.append(_allow("AssumeRoles", ["sts:AssumeRole"], manifest.accounts))
    return {"Version": _VERSION, "Statement": statements}


class _Resources:
    """ARNs for each region; an account that is not known is a wildcard."""

    def __init__(self, regions: tuple[str, ...], account: str) -> None:
        self._regions = regions
        self.account = account

    def __call__(self, service: str, *paths: str) -> tuple[str, ...]:
        return tuple(
            f"arn:{partition_of(region)}:{service}:{region}:{self.account}:{path}"
            for region in self._regions
            for path in paths
        )

    def layers_of_all_accounts(self) -> tuple[str, ...]:
        return tuple(f"arn:{partition_of(region)}:lambda:{region}:*:layer:*" for region in self._regions)

    def parameters(self, template: str, targets: Iterable[str]) -> tuple[str, ...]:
        return tuple(
            f"arn:{partition_of(region)}:ssm:{region}:{self.account}:parameter/"
            + filled(template, region, self.account).removeprefix("/").replace("{target}", target)
            for region in self._regions
            for target in targets
        )

    def buckets(self, bucket: Bucket) -> tuple[str, ...]:
        arns = (
            f"arn:{partition_of(region)}:s3:::{bucket.name_in(region, self.account)}"
            for region in self._regions
        )
        return tuple(dict.fromkeys(arns))


def _of_layers(
    manifest: Manifest, layers: tuple[AwsLayer, ...], resources: _Resources
) -> Iterator[dict[str, Any]]:
    names = [f"layer:{layer.name}" for layer in layers]
    versions = [f"{name}:*" for name in names]
    publish = ["lambda:ListLayerVersions", "lambda:PublishLayerVersion"]
    yield _allow("PublishLayers", publish, resources("lambda", *names))
    # To set a function's layers, reading each of them must be allowed, the unchanged ones included.
    # So with functions, all layers that are shared with this account: theirs are not in the manifest.
    read = resources.layers_of_all_accounts() if manifest.functions else resources("lambda", *versions)
    yield _allow("ReadLayers", ["lambda:GetLayerVersion"], read)
    # Grants are removed when `share` is, so their permissions do not depend on that key.
    unshare = ["lambda:GetLayerVersionPolicy", "lambda:RemoveLayerVersionPermission"]
    yield _allow("UnshareLayers", unshare, resources("lambda", *versions))
    shared = [f"layer:{layer.name}:*" for layer in layers if layer.targets[0].layer.share]
    if shared:
        actions = ["lambda:AddLayerVersionPermission"]
        yield _allow("ShareLayers", actions, resources("lambda", *shared))
    pruned = [f"layer:{layer.name}:*" for layer in layers if layer.targets[0].layer.keep]
    if pruned:
        yield _allow("PruneLayers", ["lambda:DeleteLayerVersion"], resources("lambda", *pruned))
    if manifest.bucket:
        yield from _of_bucket(manifest.bucket, resources, prunes=bool(pruned))


def _of_bucket(bucket: Bucket, resources: _Resources, *, prunes: bool) -> Iterator[dict[str, Any]]:
    buckets = resources.buckets(bucket)
    upload = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    # What was copied is deleted, and so are archives that no layer version refers to any more.
    if prunes or not bucket.is_referenced:
        upload.append("s3:DeleteObjectVersion")
    yield _allow("UploadLayers", upload, [f"{each}/{bucket.prefix}*" for each in buckets])
    if bucket.is_referenced:
        look = ["s3:GetBucketPolicy", "s3:GetBucketVersioning"]
        yield _allow("LookAtBucket", [*look, "s3:ListBucketVersions"] if prunes else look, buckets)


def _of_functions(manifest: Manifest, resources: _Resources) -> Iterator[dict[str, Any]]:
    if not manifest.functions:
        return
    yield _allow("FindFunctions", ["lambda:ListFunctions", "tag:GetResources"], _EVERY)
    every = manifest.functions
    # The manifest does not say which functions run on managed instances, which are published at each update,
    # nor which ones are durable, whose executions are counted.
    update = (
        *("GetFunction", "ListDurableExecutionsByFunction"),
        *("PublishVersion", "UpdateFunctionConfiguration"),
    )
    yield from _on("UpdateFunctions", update, every, resources)
    if manifest.custom_runtimes:
        yield _allow("KnowRuntimes", ["lambda:GetRuntimeAlias"], _EVERY)
    aliased = [entry for entry in every if entry.aliases]
    yield from _on(
        "MoveAliases",
        ("GetAlias", "ListVersionsByFunction", "UpdateAlias"),
        aliased,
        resources,
    )
    kept = [entry for entry in every if entry.keep_versions is not None]
    look = ("ListAliases", "ListProvisionedConcurrencyConfigs", "ListVersionsByFunction")
    yield from _on("FindVersions", look, kept, resources)
    # Without a version, DeleteFunction deletes the whole function: that is not allowed.
    yield from _on("PruneVersions", ("DeleteFunction",), kept, resources, only_versions=True)
    reserved = [entry for entry in every if entry.concurrency.changes_reservation]
    reserve = (
        "DeleteFunctionConcurrency",
        "ListProvisionedConcurrencyConfigs",
        "PutFunctionConcurrency",
    )
    yield from _on("ReserveConcurrency", reserve, reserved, resources)
    provisioned = [entry for entry in every if entry.concurrency.provisioned is not None]
    about = "ProvisionedConcurrencyConfig"
    actions = tuple(f"{verb}{about}" for verb in ("Delete", "Get", "Put"))
    yield from _on("ProvisionConcurrency", actions, provisioned, resources)
    if reserved or provisioned:
        yield _allow("KnowConcurrency", ["lambda:GetAccountSettings"], _EVERY)
    if any(entry.vpc for entry in every):
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html: what the caller needs
        ec2 = ("DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs", "GetSecurityGroupsForVpc")
        yield _allow("AttachToVpcs", [f"ec2:{action}" for action in ec2], _EVERY)
        # Only plans use it, to say that a function's own role may not be attached.
        yield _allow("ForeseeRoles", ["iam:SimulatePrincipalPolicy"], _EVERY)


def _of_rollout(manifest: Manifest, resources: _Resources) -> Iterator[dict[str, Any]]:
    rollout = manifest.rollout
    watched = any(entry.alarm_actions for entry in manifest.functions)
    if watched:
        know = ["lambda:GetAccountSettings", "lambda:ListEventSourceMappings"]
        yield _allow("KnowLimits", know, _EVERY)
        arns = resources("cloudwatch", f"alarm:{ALARM_PREFIX}*")
        yield _allow("PutAlarms", ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"], arns)
    if rollout.shift:
        config = f"deploymentconfig:{rollout.shift.codedeploy}"
        paths = (f"application:{APPLICATION}", f"deploymentgroup:{APPLICATION}/*", config)
        yield _allow("ShiftAliases", _DEPLOYMENTS, resources("codedeploy", *paths))
        passed = {"StringEquals": {"iam:PassedToService": "codedeploy.amazonaws.com"}}
        role = rollout.shift.in_account(resources.account).role
        yield _allow("PassRoleToCodeDeploy", ["iam:PassRole"], [role]) | {"Condition": passed}
    if rollout.alarms or watched:
        yield _allow("LookAtAlarms", ["cloudwatch:DescribeAlarms"], _EVERY)
    if rollout.invoke:
        name, _, alias = rollout.invoke.function.partition(":")
        # Durable functions are invoked with the name of $LATEST, or of what is published.
        whole = (f"function:{name}", f"function:{name}:$LATEST*")
        invoked = resources("lambda", *((f"function:{name}:*",) if alias else whole))
        yield _allow("InvokeForHealth", ["lambda:GetFunction", "lambda:InvokeFunction"], invoked)


def _of_export(
    manifest: Manifest, layers: tuple[AwsLayer, ...], resources: _Resources
) -> Iterator[dict[str, Any]]:
    if manifest.export and manifest.export.ssm:
        targets = [str(target) for layer in layers for target in layer.targets]
        named = resources.parameters(manifest.export.ssm, targets)
        yield _allow("ExportLayers", ["ssm:GetParameters", "ssm:PutParameter"], named)


def _on(
    name: str,
    actions: tuple[str, ...],
    entries: Iterable[FunctionEntry],
    resources: _Resources,
    *,
    only_versions: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield statements that allow actions on the functions of some entries, or only on their versions."""
    named: list[str] = []
    tagged: list[Mapping[str, str]] = []
    every = resources("lambda", "function:*:*" if only_versions else "function:*")
    for entry in entries:
        if entry.tag:
            tagged.append(dict(entry.tag))
        elif entry.using:
            named += every
        else:
            pattern, is_whole = entry.pattern, entry.pattern.startswith("arn:")
            whole = (pattern,) if is_whole else resources("lambda", f"function:{_iam_glob(pattern)}")
            for arn in whole:
                named += [f"{arn}:*"] if only_versions else [arn, f"{arn}:*"]
    allowed = [f"lambda:{action}" for action in actions]
    if named:
        yield _allow(name, allowed, named)
    for number, tags in enumerate(tagged, start=1):
        condition = {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in tags.items()}}
        yield _allow(f"{name}ByTag{number}", allowed, every) | {"Condition": condition}


def _iam_glob(pattern: str) -> str:
    """Return a glob in IAM's form: it has `*` and `?`, and no character sets."""
    result, rest = "", pattern
    while rest:
        if rest.startswith("[") and "]" in rest[2:]:
            result, rest = f"{result}?", rest[rest.index("]", 2) + 1 :]
        else:
            result, rest = result + rest[0], rest[1:]
    return result


def _allow(name: str, actions: Iterable[str], resources: Iterable[str]) -> dict[str, Any]:
    return {
        "Sid": name,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": list(dict.fromkeys(resources)),
    }
