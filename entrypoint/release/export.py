"""Layer versions -> SSM parameters and a JSON file for tools that manage functions. Pure."""

import json
from collections.abc import Iterable, Mapping

from entrypoint.manifest.arn import Arn
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
        filled(export.ssm, destination.region, Arn.parse(arn).account).replace("{target}", target): arn
        for target, arn in found.items()
    }


def file_name(export: Export, found: Mapping[str, str], destination: Destination) -> str | None:
    """Return the path of the file for an account and region; None without one, or with nothing to write."""
    if export.file is None or not found:
        return None
    return filled(export.file, destination.region, Arn.parse(next(iter(found.values()))).account)


def document(found: Mapping[str, str], current: str | None, targets: Iterable[str]) -> str:
    """Return the file's new text: `{"lambda_layers": {TARGET: ARN}}`, which Terraform reads as tfvars.

    A rollback changes some layers only; the manifest's other targets keep their ARNs.
    """
    before = _read(current)
    kept = {target: found.get(target) or before.get(target) for target in targets}
    return json.dumps({_KEY: {target: arn for target, arn in kept.items() if arn}}, indent=2) + "\n"


def filled(template: str, region: str, account: str) -> str:
    """Fill in `{region}` and `{account}`."""
    return template.replace("{region}", region).replace("{account}", account)


def _read(text: str | None) -> Mapping[str, str]:
    try:
        values = json.loads(text or "{}")
    except ValueError:  # not written by this tool; it is replaced
        return {}
    held = values.get(_KEY) if isinstance(values, dict) else None
    return {key: arn for key, arn in held.items() if isinstance(arn, str)} if isinstance(held, dict) else {}
