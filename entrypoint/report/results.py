"""Plans and deployments as JSON: `lambda-layers plan --json` and the action's outputs."""

import json
from collections.abc import Iterable
from typing import Any

from entrypoint.release.aws_lambda import LayerVersion
from entrypoint.release.plan import FunctionChange, LayerChange, RegionPlan
from entrypoint.release.result import Deployment


def plans_as_json(plans: Iterable[RegionPlan]) -> str:
    """Return the plans of all regions as JSON for people and scripts."""
    return json.dumps(_plans(tuple(plans)), indent=2)


def plan_outputs(plans: Iterable[RegionPlan]) -> dict[str, str]:
    """Return plans as the outputs of a workflow step: `changed` and `plan`."""
    values = _plans(tuple(plans))
    return {"changed": json.dumps(values["changed"]), "plan": json.dumps(values)}


def _plans(plans: tuple[RegionPlan, ...]) -> dict[str, Any]:
    return {
        "changed": not all(plan.is_empty for plan in plans),
        "regions": [
            {
                "region": plan.region,
                "layers": [_layer(change) for change in plan.layers],
                "functions": [_function(change, plan) for change in plan.functions],
                "warnings": [str(warning) for warning in plan.warnings],
            }
            for plan in plans
        ],
    }


def _layer(change: LayerChange) -> dict[str, Any]:
    return {
        "name": change.layer.name,
        "targets": [str(target) for target in change.layer.targets],
        "action": change.action,
        "dependencyHash": f"sha256:{change.dependency_hash}",
        "latest": _version(change.latest),
        "version": _version(change.version),
    }


def _version(version: LayerVersion | None) -> dict[str, Any] | None:
    return {"version": version.version, "arn": version.arn} if version else None


def _function(change: FunctionChange, plan: RegionPlan) -> dict[str, Any]:
    before = change.function.layers
    after = change.layers_after(before, plan.versions)
    return {
        "name": change.function.name,
        "arn": change.function.arn,
        "action": "keep" if before == after else "update",
        "before": list(before),
        "after": list(after),
    }


def deployment_outputs(deployment: Deployment) -> dict[str, str]:
    """Return a deployment as the outputs of a workflow step: `changed`, `layers` and `functions`."""
    layers: dict[str, dict[str, Any]] = {}
    for region in deployment.regions:
        for change in region.layers:
            for target in change.layer.targets:
                version = {"name": change.layer.name, **(_version(change.version) or {})}
                layers.setdefault(str(target), {})[region.region] = version
    return {
        "changed": json.dumps(deployment.changed),
        "layers": json.dumps(layers),
        "functions": json.dumps(
            {region.region: [outcome.function for outcome in region.updated] for region in deployment.regions}
        ),
    }
