"""A plan as JSON: `lambda-layers plan --json` and the action's `plan` output."""

from collections.abc import Iterable
from typing import Any

from entrypoint.release.aws_lambda import LayerVersion
from entrypoint.release.plan import FunctionChange, LayerChange, RegionPlan


def plans_as_json(plans: Iterable[RegionPlan]) -> dict[str, Any]:
    """Return the plans of all regions as plain values."""
    plans = tuple(plans)
    return {
        "changed": not all(plan.is_empty for plan in plans),
        "regions": [
            {
                "region": plan.region,
                "layers": [layer_as_json(change) for change in plan.layers],
                "functions": [_function(change, plan) for change in plan.functions],
                "warnings": [str(warning) for warning in plan.warnings],
            }
            for plan in plans
        ],
    }


def layer_as_json(change: LayerChange) -> dict[str, Any]:
    """Return a layer's change as plain values; `version` is null until it is published."""
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
