"""Manifest + state -> what is to be done in one account and region. Pure: nothing here calls AWS."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from entrypoint.aws.model import Details, LayerVersion
from entrypoint.errors import Diagnostic, PlanError
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.alarms import Alarm
from entrypoint.release.function_change import FunctionChange, FunctionPlan
from entrypoint.release.selection import Selection
from entrypoint.release.state import RegionState


class LayerAction(StrEnum):
    """What happens to a layer."""

    KEEP = "keep"
    """The latest version holds just what is wanted."""
    REUSE = "reuse"
    """An older version does."""
    PUBLISH = "publish"
    """No version does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """What happens to one layer of AWS in one region."""

    layer: AwsLayer
    dependency_hash: str
    action: LayerAction
    latest: LayerVersion | None
    #: The version to use; None until it is published.
    version: LayerVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """All that is to be done in one account and region, and what the user should know about it."""

    destination: Destination
    layers: tuple[LayerChange, ...]
    functions: tuple[FunctionChange, ...]
    warnings: tuple[Diagnostic, ...]
    #: Those that do not stand as the manifest asks.
    alarms: tuple[Alarm, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """The ARNs of the layer versions that stand already, by layer name."""
        return {change.layer.name: change.version.arn for change in self.layers if change.version}

    @property
    def to_publish(self) -> tuple[LayerChange, ...]:
        """The layers that need a new version."""
        return tuple(change for change in self.layers if change.action is LayerAction.PUBLISH)

    @property
    def to_update(self) -> tuple[FunctionChange, ...]:
        """The functions that are not yet what they are to be."""
        return tuple(change for change in self.functions if change.aspects(self.versions))

    @property
    def is_empty(self) -> bool:
        """Tell whether AWS agrees with the manifest."""
        return not (self.to_publish or self.to_update or self.alarms)


def make_plan(
    layers: tuple[AwsLayer, ...],
    hashes: Mapping[str, str],
    state: RegionState,
    selection: Selection,
    details: Mapping[str, Details],
    *,
    today: date,
) -> RegionPlan:
    """Compare what the manifest asks for with what stands; `details` are of functions, by name.

    Raises:
        PlanError: with every reason why it cannot be done, before anything is.
    """
    function_plans = [
        FunctionPlan(entry, function, layers, details.get(function.name))
        for entry, function in selection.functions
    ]
    problems = [
        *selection.problems,
        *(problem for each in function_plans for problem in each.problems(today)),
    ]
    if problems:
        raise PlanError(*problems)
    return RegionPlan(
        destination=state.destination,
        layers=tuple(plan_layer(layer, hashes[layer.name], state) for layer in layers),
        functions=tuple(function_plan.change() for function_plan in function_plans),
        warnings=(*selection.warnings, *(warning for each in function_plans for warning in each.warnings())),
    )


def plan_layer(layer: AwsLayer, dependency_hash: str, state: RegionState) -> LayerChange:
    """Return what is to happen to a layer."""
    stands = state.layers[layer.name]
    if stands.current is None:
        action = LayerAction.PUBLISH
    else:
        action = LayerAction.KEEP if stands.current == stands.latest else LayerAction.REUSE
    return LayerChange(
        layer=layer,
        dependency_hash=dependency_hash,
        action=action,
        latest=stands.latest,
        version=stands.current,
    )
