"""What a deployment did, for reports and for the steps that come after it in a workflow."""

from dataclasses import dataclass

from entrypoint.errors import Problem
from entrypoint.release.plan import LayerAction, LayerChange
from entrypoint.release.rollout import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionResult:
    """What a deployment did in one region."""

    region: str
    layers: tuple[LayerChange, ...]
    functions: tuple[Outcome, ...]

    @property
    def published(self) -> tuple[LayerChange, ...]:
        """The layers that got a new version."""
        return tuple(change for change in self.layers if change.action is LayerAction.PUBLISH)

    @property
    def updated(self) -> tuple[Outcome, ...]:
        """The functions whose layers are other ones than before."""
        return tuple(outcome for outcome in self.functions if outcome.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment did in all regions."""

    regions: tuple[RegionResult, ...]

    @property
    def changed(self) -> bool:
        """Tell whether AWS is different from before."""
        return any(region.published or region.updated for region in self.regions)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why functions could not be updated."""
        outcomes = (outcome for region in self.regions for outcome in region.functions)
        return tuple(problem for outcome in outcomes if outcome.error for problem in outcome.error.problems)
