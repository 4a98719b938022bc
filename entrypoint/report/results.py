"""Plans and deployments as JSON: `lambda-layers plan --json` and the action's outputs.

GitHub drops a job's output that contains a secret, and a workflow may have made one of its account's number
(aws-actions/configure-aws-credentials, mask-aws-account-id). So ARNs have an output of their own, `arns`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from entrypoint.aws.model import LayerVersion
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import Destination
from entrypoint.manifest.runtimes import Architecture
from entrypoint.manifest.targets import Target
from entrypoint.release.difference import Difference, Package
from entrypoint.release.findings import Diagnosis
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.plan import LayerChange, RegionPlan
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.status import RegionStatus

_RUNNERS = {Architecture.X86_64: "ubuntu-latest", Architecture.ARM64: "ubuntu-24.04-arm"}
"""GitHub's own runners by architecture."""
_OF_AN_ACCOUNT = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:\d{12}:(?:layer:|function:)?")


def plans_as_json(plans: Iterable[RegionPlan]) -> str:
    """Return the plans of all regions as JSON for people and scripts."""
    return json.dumps(_plans(tuple(plans)), indent=2)


def plan_outputs(plans: Iterable[RegionPlan]) -> dict[str, str]:
    """Return plans as the outputs of a workflow step: `changed`, `plan` without ARNs, and `matrix`."""
    plans = tuple(plans)
    values = _plans(plans)
    return {
        "changed": json.dumps(values["changed"]),
        "plan": json.dumps(_without_arns(values)),
        "matrix": json.dumps(_matrix(plans)),
    }


def named(text: str) -> str:
    """Return a text with names, such as web:3, where it has ARNs."""
    return _OF_AN_ACCOUNT.sub("", text)


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


def statuses_as_json(regions: Iterable[RegionStatus], failures: Iterable[RegionResult]) -> str:
    """Return how AWS stands everywhere as JSON; where it could not be asked, `problems` says why."""
    regions = tuple(regions)
    values = {
        "drift": any(region.drift for region in regions),
        "regions": [
            {
                **_place(region.destination),
                "layers": [_layer(change) for change in region.layers],
                "functions": [
                    {"name": each.function.name, "arn": each.function.arn, "layers": each.function.layers}
                    for each in region.functions
                ],
                "drift": [asdict(drift) for drift in region.drift],
            }
            for region in regions
        ]
        + [
            {**_place(failure.destination), "problems": [str(problem) for problem in failure.problems]}
            for failure in failures
        ],
    }
    return json.dumps(values, indent=2)


def diagnoses_as_json(diagnoses: Iterable[Diagnosis]) -> str:
    """Return what was found everywhere as JSON, the worst first."""
    found = tuple(diagnoses)
    values = {
        "sound": all(diagnosis.is_sound for diagnosis in found),
        "regions": [
            {
                "region": str(diagnosis.destination),
                "findings": [finding._asdict() for finding in diagnosis.findings],
            }
            for diagnosis in found
        ],
    }
    return json.dumps(values, indent=2)


def differences_as_json(differences: Iterable[Difference]) -> str:
    """Return what changed in each target as JSON; sizes are zipped bytes, null where they are not known."""
    found = tuple(differences)
    values = {
        "changed": any(difference.changes for difference in found),
        "targets": [_difference(difference) for difference in found],
    }
    return json.dumps(values, indent=2)


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "target": difference.target,
        "before": difference.before,
        "after": difference.after,
        "size": difference.growth,
        "packages": [
            {
                "name": change.name,
                "change": change.kind,
                "before": _package(change.before),
                "after": _package(change.after),
                "size": change.growth,
            }
            for change in difference.changes
        ],
        "notes": list(difference.notes),
    }


def _package(package: Package | None) -> dict[str, Any] | None:
    return {"version": package.version, "size": package.size} if package else None


def _plans(plans: tuple[RegionPlan, ...]) -> dict[str, Any]:
    return {
        "changed": not all(plan.is_empty for plan in plans),
        "regions": [
            {
                **_place(plan.destination),
                "layers": [_layer(change) for change in plan.layers],
                "functions": [_function(change, plan) for change in plan.functions],
                "alarms": [alarm.name for alarm in plan.alarms],
                "warnings": [str(warning) for warning in plan.warnings],
            }
            for plan in plans
        ],
    }


def _place(destination: Destination) -> dict[str, str]:
    account = destination.account
    return {"region": destination.region, **({"account": account} if account else {})}


def _matrix(plans: tuple[RegionPlan, ...]) -> dict[str, list[dict[str, str]]]:
    """Return the targets to build, each with the runner that has its architecture, as a job's matrix."""
    targets = dict.fromkeys(
        target for plan in plans for change in plan.to_publish for target in change.layer.targets
    )
    return {
        "include": [
            {"target": str(target), "runner": _RUNNERS[target.platform.architecture]} for target in targets
        ]
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
    aspects = change.aspects(plan.versions)
    return {
        "name": change.function.name,
        "arn": change.function.arn,
        "action": "update" if aspects else "keep",
        "changes": list(aspects),
        "before": list(before),
        "after": list(after),
    }


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
    """Return built archives as the output `archives`; files as seen from this folder, `sha256` in hex."""
    here = Path.cwd()
    values = {}
    for target, archive in archives.items():
        path = archive.path.relative_to(here) if archive.path.is_relative_to(here) else archive.path
        about = {"file": path.as_posix(), "sha256": archive.sha256, "bytes": archive.compressed_size}
        values[str(target)] = about
    return {"archives": json.dumps(values)}
