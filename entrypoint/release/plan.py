"""Manifest + state -> what to do in one account and region. Pure: nothing here calls AWS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from entrypoint.aws.accounts import located
from entrypoint.aws.alarm_model import AlarmChange
from entrypoint.aws.grants import Grant, grants_of, to_revoke
from entrypoint.aws.model import Details, LayerVersion
from entrypoint.errors import Diagnostic, PlanError
from entrypoint.manifest.arn import Arn
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.foreign import NOTHING_READ, Readable, foreign_problems
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.function_plan import function_plans
from entrypoint.release.function_versions import VersionRetention
from entrypoint.release.prune import Retention
from entrypoint.release.selection import Selection
from entrypoint.release.state import RegionState


class LayerAction(StrEnum):
    """What happens to a layer."""

    KEEP = "keep"
    """The latest version has the wanted dependency hash."""
    REUSE = "reuse"
    """An older version has it."""
    PUBLISH = "publish"
    """No version has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A layer version of another deployment, which is published again unchanged."""

    destination: Destination
    version: LayerVersion
    #: Whether a function uses it there.
    is_used: bool

    @property
    def name(self) -> str:
        """The layer's name there."""
        return Arn.parse(self.version.arn).name

    def __str__(self) -> str:
        return f"{self.name}:{self.version.version} in {self.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """What happens to one layer of AWS in one region."""

    layer: AwsLayer
    dependency_hash: str
    action: LayerAction
    latest: LayerVersion | None
    #: The version to use; None until it is published.
    version: LayerVersion | None
    #: Who is to get access to the version, and who is to lose it.
    granted: tuple[Grant, ...] = ()
    revoked: tuple[Grant, ...] = ()
    #: Where the archive to publish is taken from; None if it is built.
    origin: Origin | None = None

    @property
    def is_shared(self) -> bool:
        """Whether access to an existing version changes."""
        return self.action is not LayerAction.PUBLISH and bool(self.granted or self.revoked)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """Everything to do in one account and region, and what the user should know about it."""

    destination: Destination
    layers: tuple[LayerChange, ...]
    functions: tuple[FunctionChange, ...]
    warnings: tuple[Diagnostic, ...]
    #: Those that are missing or different in AWS.
    alarms: tuple[AlarmChange, ...] = ()
    #: The layers whose old versions are deleted when all else is done.
    retention: tuple[Retention, ...] = ()
    #: The functions whose old versions are deleted before that.
    version_retention: tuple[VersionRetention, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """The ARNs of the layer versions that exist already, by layer name."""
        return {change.layer.name: change.version.arn for change in self.layers if change.version}

    @property
    def to_publish(self) -> tuple[LayerChange, ...]:
        """The layers that need a new version."""
        return tuple(change for change in self.layers if change.action is LayerAction.PUBLISH)

    @property
    def to_share(self) -> tuple[LayerChange, ...]:
        """The layers with an existing version to which other accounts get or lose access."""
        return tuple(change for change in self.layers if change.is_shared)

    @property
    def to_update(self) -> tuple[FunctionChange, ...]:
        """The functions that differ from the manifest."""
        return tuple(change for change in self.functions if change.aspects(self.versions))

    @property
    def is_empty(self) -> bool:
        """Return whether AWS matches the manifest."""
        return not (self.to_publish or self.to_share or self.to_update or self.alarms)


def warnings_of(plans: Sequence[RegionPlan]) -> tuple[Diagnostic, ...]:
    """Return the warnings of plans; those of several name their accounts and regions."""
    if len(plans) == 1:
        return plans[0].warnings
    return located((plan.destination, plan.warnings) for plan in plans)


def make_plan(
    layers: tuple[AwsLayer, ...],
    hashes: Mapping[str, str],
    state: RegionState,
    selection: Selection,
    details: Mapping[str, Details],
    *,
    foreign: Readable = NOTHING_READ,
    today: date,
) -> RegionPlan:
    """Compare the manifest with the state of AWS; `details` are of functions, by name.

    `foreign` are the layer versions of others that updates would send.

    Raises:
        PlanError: with every reason why it cannot be done.
    """
    plans = function_plans(selection, layers, details)
    changes = tuple(each.change() for each in plans)
    problems = [
        *selection.problems,
        *(problem for each in plans for problem in each.problems(today)),
        *foreign_problems(changes, state.versions, foreign),
    ]
    if problems:
        raise PlanError(*problems)
    plan = RegionPlan(
        destination=state.destination,
        layers=tuple(plan_layer(layer, hashes[layer.name], state) for layer in layers),
        functions=changes,
        warnings=selection.warnings,
    )
    about_functions = (warning for each in plans for warning in each.warnings(plan.versions))
    return replace(plan, warnings=(*plan.warnings, *about_functions))


def plan_layer(layer: AwsLayer, dependency_hash: str, state: RegionState) -> LayerChange:
    """Return what happens to a layer."""
    found = state.layers[layer.name]
    if found.current is None:
        action = LayerAction.PUBLISH
    else:
        action = LayerAction.KEEP if found.current == found.latest else LayerAction.REUSE
    share, has = layer.targets[0].layer.share, found.grants or frozenset()
    statements = {grant.statement for grant in has}
    return LayerChange(
        layer=layer,
        dependency_hash=dependency_hash,
        action=action,
        latest=found.latest,
        version=found.current,
        granted=tuple(grant for grant in grants_of(share) if grant.statement not in statements),
        revoked=to_revoke(share, has),
    )
