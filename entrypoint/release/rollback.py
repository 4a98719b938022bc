"""Functions -> the layer versions that they had before. Pure.

AWS is the only memory: the previous version is the newest one that is older than what functions use. A
later deployment goes forward again, as the manifest has not changed.
"""

from collections.abc import Mapping, Sequence

from entrypoint.aws.model import Details, Function, LayerVersion
from entrypoint.errors import Diagnostic, PlanError
from entrypoint.manifest.arn import Arn, without_version
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.function_change import FunctionChange, Wanted
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan
from entrypoint.release.selection import Selection
from entrypoint.release.state import RegionState


def plan_rollback(
    layers: Sequence[AwsLayer],
    versions: Mapping[str, Sequence[LayerVersion]],
    state: RegionState,
    selection: Selection,
    details: Mapping[str, Details],
    *,
    version: int | None = None,
) -> RegionPlan:
    """Plan to give functions an earlier version of these layers.

    Args:
        layers: the layers to roll back.
        versions: all versions of each layer, newest first.
        state: the state of the account and region.
        selection: the functions of the manifest.
        details: their details, by name.
        version: the version to roll back to; by default the one before the newest that a function uses.

    Raises:
        PlanError: a layer has no such version.
    """
    functions = [function for _, function in selection.functions]
    problems: list[Diagnostic] = []
    changes: list[LayerChange] = []
    for layer in layers:
        used = _newest_used(layer, functions)
        if used is None:
            continue
        earlier = _earlier(versions[layer.name], used, version)
        if earlier is None:
            message = f"{layer.name} has no version {version or f'before {used}'}"
            existing = ", ".join(str(each.version) for each in versions[layer.name]) or "none"
            problems.append(Diagnostic(message, f"its versions are {existing}"))
        else:
            newest = versions[layer.name][0]
            changes.append(
                LayerChange(
                    layer=layer,
                    dependency_hash=earlier.dependency_hash or "",
                    action=LayerAction.REUSE,
                    latest=newest,
                    version=earlier,
                )
            )
    if problems:
        raise PlanError(*problems)
    return RegionPlan(
        destination=state.destination,
        layers=tuple(changes),
        functions=tuple(
            FunctionChange(
                function=function,
                wanted=tuple(_wanted(function, changes)),
                aliases=entry.aliases,
                details=details.get(function.name),
            )
            for entry, function in selection.functions
        ),
        warnings=tuple(each.as_warning() for each in selection.warnings),
    )


def _newest_used(layer: AwsLayer, functions: Sequence[Function]) -> int | None:
    """Return the newest version of a layer that a function uses."""
    numbers = [
        Arn.parse(arn).version
        for function in functions
        for arn in function.layers
        if without_version(arn) == Arn.parse(function.arn).layer(layer.name)
    ]
    return max(numbers, default=None)


def _earlier(versions: Sequence[LayerVersion], used: int, wanted: int | None) -> LayerVersion | None:
    fits = (each for each in versions if (each.version < used if wanted is None else each.version == wanted))
    return next(fits, None)


def _wanted(function: Function, changes: Sequence[LayerChange]) -> list[Wanted]:
    """Return the layers to swap: only those of which the function uses this very build."""
    own = Arn.parse(function.arn)
    current = {without_version(arn) for arn in function.layers}
    return [
        Wanted(change.version.arn, frozenset({arn}))
        for change in changes
        if change.version and (arn := own.layer(change.layer.name)) in current
    ]
