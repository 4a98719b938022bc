"""What a deployment did, for reports and for later steps of a workflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from entrypoint.aws.accounts import Failure, located
from entrypoint.errors import Diagnostic, LayersError
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import Target
from entrypoint.release.difference import Difference
from entrypoint.release.outcome import Outcome, Status
from entrypoint.release.plan import LayerAction, LayerChange


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionResult:
    """What a deployment did in one account and region; `error` is what stopped it there."""

    destination: Destination
    layers: tuple[LayerChange, ...] = ()
    functions: tuple[Outcome, ...] = ()
    #: The names of the alarms that were put.
    alarms: tuple[str, ...] = ()
    #: What prune deleted, as NAME:VERSION.
    deleted: tuple[str, ...] = ()
    #: The URLs of the archives in S3 that prune deleted.
    deleted_archives: tuple[str, ...] = ()
    #: The function versions that were deleted, as NAME:VERSION.
    deleted_versions: tuple[str, ...] = ()
    #: The names of the alarms that were deleted.
    deleted_alarms: tuple[str, ...] = ()
    #: What prune kept although nothing in the account uses it, and why.
    kept: tuple[str, ...] = ()
    error: LayersError | None = None

    @property
    def published(self) -> tuple[LayerChange, ...]:
        """The layers that got a new version."""
        return tuple(change for change in self.layers if change.action is LayerAction.PUBLISH)

    @property
    def shared(self) -> tuple[LayerChange, ...]:
        """The existing layer versions to which other accounts got or lost access."""
        return tuple(change for change in self.layers if change.is_shared)

    @property
    def updated(self) -> tuple[Outcome, ...]:
        """The functions that were changed."""
        return tuple(outcome for outcome in self.functions if outcome.changed)

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """What could not be done here."""
        errors = [self.error, *(outcome.error for outcome in self.functions)]
        return tuple(problem for error in errors if error for problem in error.problems)

    def having(self, status: Status) -> tuple[Outcome, ...]:
        """Return the functions whose update ended so."""
        return tuple(outcome for outcome in self.functions if outcome.status is status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployment did in all accounts and regions."""

    regions: tuple[RegionResult, ...]
    #: The accounts and regions for which there was no plan.
    failures: tuple[Failure, ...] = ()
    #: The archives that were built for it.
    archives: Mapping[Target, BuiltArchive] = field(default_factory=dict)
    #: The package changes, if they were requested.
    differences: tuple[Difference, ...] = ()

    @property
    def changed(self) -> bool:
        """Return whether AWS is different from before."""
        return any(
            region.published or region.shared or region.updated or region.alarms for region in self.regions
        )

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """What could not be done, each naming its accounts and regions."""
        failed = ((each.destination, each.error.problems) for each in self.failures)
        return located([*((each.destination, each.problems) for each in self.regions), *failed])
