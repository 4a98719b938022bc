"""Layer versions -> what tools that own functions read: SSM parameters and a JSON file. Pure."""

import json
from collections.abc import Iterable, Mapping

from entrypoint.manifest.model import Destination, Export
from entrypoint.release.plan import LayerChange

_KEY = "lambda_layers"


def arns(layers: Iterable[LayerChange]) -> dict[str, str]:
    """Return the ARN of each target's current layer version."""
    return {
        str(target): change.version.arn
        for change in layers
        if change.version
        for target in change.layer.targets
    }


def parameters(export: Export, found: Mapping[str, str], destination: Destination) -> dict[str, str]:
    """Return the SSM parameters of an account and region: ARNs by the parameters' names."""
    if export.ssm is None:
        return {}
    return {
        filled(export.ssm, destination.region, _account(arn)).replace("{target}", target): arn
        for target, arn in found.items()
    }


def file_name(export: Export, found: Mapping[str, str], destination: Destination) -> str | None:
    """Return the path of an account and region's file; None where there is none, or nothing to write."""
    if export.file is None or not found:
        return None
    return filled(export.file, destination.region, _account(next(iter(found.values()))))


def document(found: Mapping[str, str], standing: str | None, targets: Iterable[str]) -> str:
    """Return the file's new text: `{"lambda_layers": {TARGET: ARN}}`, which Terraform reads as tfvars.

    A rollback speaks of some layers only; what the file says of the manifest's other targets stays.
    """
    before = _read(standing)
    kept = {target: found.get(target) or before.get(target) for target in targets}
    return json.dumps({_KEY: {target: arn for target, arn in kept.items() if arn}}, indent=2) + "\n"


def filled(template: str, region: str, account: str) -> str:
    """Fill in `{region}` and `{account}`."""
    return template.replace("{region}", region).replace("{account}", account)


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _read(text: str | None) -> Mapping[str, str]:
    try:
        values = json.loads(text or "{}")
    except ValueError:  # somebody else's doing; it is written anew
        return {}
    held = values.get(_KEY) if isinstance(values, dict) else None
    return {key: arn for key, arn in held.items() if isinstance(arn, str)} if isinstance(held, dict) else {}
