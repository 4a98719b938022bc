"""Results as JSON, for `--json` and for the action's outputs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from entrypoint.aws.accounts import Failure, Results
from entrypoint.aws.alarm_model import Alarm
from entrypoint.aws.model import LayerVersion
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import NONE, Destination
from entrypoint.manifest.targets import Target
from entrypoint.release.difference import Difference, Package
from entrypoint.release.findings import Diagnosis
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.outcome import Outcome
from entrypoint.release.plan import LayerChange, Origin, RegionPlan
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.status import RegionStatus
from entrypoint.report.diagnostics import diagnostic_as_json


def plans_as_json(plans: Results[RegionPlan]) -> dict[str, Any]:
    """Return the plans everywhere, and why there is none for some accounts and regions."""
    values = planned_as_json(plans.values)
    return values | {"regions": [*values["regions"], *_failures(plans.failures)]}


def statuses_as_json(statuses: Results[RegionStatus]) -> dict[str, Any]:
    """Return the state of AWS everywhere, and why some accounts and regions could not be read."""
    return {
        "drift": any(status.drift for status in statuses.values),
        "regions": [
            {
                **_destination(status.destination),
                "layers": [_layer(change) for change in status.layers],
                "functions": [
                    {"name": each.function.name, "arn": each.function.arn, "layers": each.function.layers}
                    for each in status.functions
                ],
                "drift": [asdict(drift) for drift in status.drift],
            }
            for status in statuses.values
        ]
        + _failures(statuses.failures),
    }


def diagnoses_as_json(diagnoses: Results[Diagnosis]) -> dict[str, Any]:
    """Return the findings everywhere, the worst first."""
    return {
        "sound": all(diagnosis.is_sound for diagnosis in diagnoses.values),
        "regions": [
            {
                **_destination(diagnosis.destination),
                "findings": [diagnostic_as_json(finding) for finding in diagnosis.findings],
            }
            for diagnosis in diagnoses.values
        ]
        + _failures(diagnoses.failures),
    }


def differences_as_json(differences: Iterable[Difference]) -> dict[str, Any]:
    """Return the package changes of each target; sizes are zipped bytes, null where they are unknown."""
    found = tuple(differences)
    return {
        "changed": any(difference.changes for difference in found),
        "targets": [_difference(difference) for difference in found],
    }


def pruned_as_json(pruned: Results[RegionResult]) -> dict[str, Any]:
    """Return the deleted layer versions everywhere."""
    return {
        "regions": [
            {
                **_destination(region.destination),
                "deleted": list(region.deleted),
                "deletedVersions": list(region.deleted_versions),
                "deletedArchives": list(region.deleted_archives),
                "deletedAlarms": list(region.deleted_alarms),
                "kept": list(region.kept),
            }
            for region in pruned.values
        ]
        + _failures(pruned.failures),
    }


def deployment_as_json(deployment: Deployment) -> dict[str, Any]:
    """Return what a deployment did everywhere, and what it could not do."""
    return {
        "changed": deployment.changed,
        "regions": [
            {
                **_destination(region.destination),
                "layers": [_layer(change) for change in region.layers],
                "functions": [_outcome(outcome) for outcome in region.functions],
                "alarms": list(region.alarms),
                "deleted": list(region.deleted),
                "deletedVersions": list(region.deleted_versions),
                "deletedArchives": list(region.deleted_archives),
                "kept": list(region.kept),
                "problems": [diagnostic_as_json(problem) for problem in region.problems],
            }
            for region in deployment.regions
        ]
        + _failures(deployment.failures),
        "archives": archives_as_json(deployment.archives),
    }


def _failures(failures: Iterable[Failure]) -> list[dict[str, Any]]:
    return [
        {
            **_destination(failure.destination),
            "problems": [diagnostic_as_json(problem) for problem in failure.error.problems],
        }
        for failure in failures
    ]


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.function,
        "time": outcome.time.isoformat(timespec="seconds"),
        "status": outcome.status,
        "before": list(outcome.before),
        "after": list(outcome.layers),
    }


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


def planned_as_json(plans: tuple[RegionPlan, ...]) -> dict[str, Any]:
    """Return the plans of the accounts and regions that have one."""
    return {
        "changed": not all(plan.is_empty for plan in plans),
        "regions": [
            {
                **_destination(plan.destination),
                "layers": [_layer(change) for change in plan.layers],
                "functions": [_function(change, plan) for change in plan.functions],
                "alarms": [alarm.name for alarm in plan.alarms],
                "alarmSettings": {each.name: _alarm(each.alarm) for each in plan.alarms},
                "keep": {each.layer: each.keep for each in plan.retention},
                "keepVersions": {each.function: each.keep for each in plan.version_retention},
                "warnings": [diagnostic_as_json(warning) for warning in plan.warnings],
            }
            for plan in plans
        ],
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(alarm).items()}


def _destination(destination: Destination) -> dict[str, str]:
    account = destination.account
    return {"region": destination.region, **({"account": account} if account else {})}


def _layer(change: LayerChange) -> dict[str, Any]:
    return {
        "name": change.layer.name,
        "targets": [str(target) for target in change.layer.targets],
        "action": change.action,
        "dependencyHash": f"sha256:{change.dependency_hash}",
        "latest": _version(change.latest),
        "version": _version(change.version),
        "granted": list(map(str, change.granted)),
        "revoked": list(map(str, change.revoked)),
        **({"origin": _origin(change.origin)} if change.origin else {}),
    }


def _origin(origin: Origin) -> dict[str, Any]:
    return {**_destination(origin.destination), "name": origin.name, "version": origin.version.version}


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
        "settings": _settings(change),
        "codeSha256": change.function.code_sha256,
    }


def _settings(change: FunctionChange) -> dict[str, Any]:
    """Return what the manifest configures of a function beside its layers."""
    vpc, concurrency = change.vpc, change.concurrency
    settings = {
        "aliases": list(change.aliases) or None,
        "subnets": list(vpc.subnets) if vpc else None,
        "securityGroups": list(vpc.security_groups) if vpc else None,
        "ipv6": vpc.ipv6 if vpc else None,
        "reserved": NONE if concurrency.releases else concurrency.reserved,
        "provisioned": NONE if concurrency.provisioned == 0 else concurrency.provisioned,
    }
    return {name: value for name, value in settings.items() if value is not None}


def archives_as_json(archives: Mapping[Target, BuiltArchive]) -> dict[str, Any]:
    """Return built archives by target; files are relative to the current folder, `sha256` is hex."""
    here = Path.cwd()
    values = {}
    for target, archive in archives.items():
        path = archive.path.relative_to(here) if archive.path.is_relative_to(here) else archive.path
        about = {"file": path.as_posix(), "sha256": archive.sha256, "bytes": archive.compressed_size}
        values[str(target)] = about
    return values
