"""Results as the outputs of a workflow step: texts by name, most of them JSON.

GitHub drops a job's output that contains a secret, and a workflow may have masked its account number
(aws-actions/configure-aws-credentials, mask-aws-account-id). So ARNs have an output of their own, `arns`.
"""

import json
from collections.abc import Mapping
from typing import Any

from entrypoint.aws.accounts import Results
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.runtimes import Architecture
from entrypoint.manifest.targets import Target
from entrypoint.release.plan import RegionPlan
from entrypoint.release.result import Deployment
from entrypoint.report.diagnostics import named
from entrypoint.report.results import archives_as_json, planned_as_json

_RUNNERS = {Architecture.X86_64: "ubuntu-latest", Architecture.ARM64: "ubuntu-24.04-arm"}
"""GitHub's own runners by architecture."""
_JOBS_PER_MATRIX = 256
"""https://docs.github.com/en/actions/reference/limits"""


def plan_outputs(plans: Results[RegionPlan]) -> dict[str, str]:
    """Return plans as the outputs of a step: `changed`, `plan` without ARNs, `matrix` and `matrices`."""
    values, jobs = planned_as_json(plans.values), _jobs(plans.values)
    starts = range(0, len(jobs), _JOBS_PER_MATRIX)
    return {
        "changed": json.dumps(values["changed"]),
        "plan": json.dumps(_without_arns(values)),
        "matrix": json.dumps({"include": jobs}),
        "matrices": json.dumps([{"include": jobs[start : start + _JOBS_PER_MATRIX]} for start in starts]),
    }


def _without_arns(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {key: _without_arns(item) for key, item in value.items() if key != "arn"}
        case list():
            return [_without_arns(item) for item in value]
        case str():
            return named(value)
        case _:
            return value


def _jobs(plans: tuple[RegionPlan, ...]) -> list[dict[str, str]]:
    """Return the targets to build, each with a runner of its architecture, as those of a job's matrix."""
    targets = dict.fromkeys(
        target
        for plan in plans
        for change in plan.to_publish
        if change.origin is None
        for target in change.layer.targets
    )
    return [{"target": str(target), "runner": _RUNNERS[target.platform.architecture]} for target in targets]


def deployment_outputs(deployment: Deployment) -> dict[str, str]:
    """Return a deployment as a step's outputs: `changed`, `layers`, `arns`, `functions` and `archives`."""
    layers: dict[str, dict[str, Any]] = {}
    arns: dict[str, dict[str, str]] = {}
    for region in deployment.regions:
        for change in region.layers:
            for target in map(str, change.layer.targets):
                number = change.version.version if change.version else None
                version = {"name": change.layer.name, "version": number}
                layers.setdefault(target, {})[str(region.destination)] = version
                if change.version:
                    arns.setdefault(target, {})[str(region.destination)] = change.version.arn
    functions = {
        str(region.destination): [outcome.function for outcome in region.updated]
        for region in deployment.regions
    }
    return {
        "changed": json.dumps(deployment.changed),
        "layers": json.dumps(layers),
        "arns": json.dumps(arns),
        "functions": json.dumps(functions),
        **archive_outputs(deployment.archives),
    }


def archive_outputs(archives: Mapping[Target, BuiltArchive]) -> dict[str, str]:
    """Return built archives as the output `archives`."""
    return {"archives": json.dumps(archives_as_json(archives))}
