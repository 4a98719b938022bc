"""Archives -> AWS, in every account and region at once: plan, publish, share, roll out, export, prune.

Each account and region has its own pace and its own result. A failure in one stops no other, and a run
that is repeated does only what is left.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from entrypoint.aws.accounts import Accounts, Results, located
from entrypoint.errors import Diagnostic, LayersError, PlanError
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import Destination, Rollout
from entrypoint.manifest.project import OUTPUT_FOLDER, Project
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.release.alarms import alarms_to_put, unwanted_alarms
from entrypoint.release.alias_shifts import deployments_in_progress
from entrypoint.release.ancestry import overtaken
from entrypoint.release.built_here import warn_of_other_bytes
from entrypoint.release.doctor import examine
from entrypoint.release.durable import running_executions
from entrypoint.release.findings import Diagnosis, error, warning
from entrypoint.release.first_run import suggest_functions
from entrypoint.release.foreign import Readable, read_foreign
from entrypoint.release.foresight import foresee
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.function_plan import function_plans
from entrypoint.release.function_versions import VersionRetention, prune_versions, version_retention
from entrypoint.release.outcome import Outcome
from entrypoint.release.owners import warn_of_owners
from entrypoint.release.plan import LayerChange, RegionPlan, make_plan
from entrypoint.release.prune import Retention, prune
from entrypoint.release.region import RegionRelease
from entrypoint.release.result import RegionResult
from entrypoint.release.selection import select
from entrypoint.release.sizes import warn_of_size
from entrypoint.release.stages import in_order
from entrypoint.release.state import Observed, observe, read_state
from entrypoint.release.status import RegionStatus, status_of

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

Hashes = Mapping[str, str]
"""The dependency hashes that the manifest and its locks lead to, by the layers' names in AWS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Compares the manifest with AWS, and makes AWS match it."""

    project: Project
    accounts: Accounts
    say: Callable[[str], None]

    def plan(self, hashes: Hashes) -> Results[RegionPlan]:
        """Compare the manifest with AWS; changes nothing.

        Raises:
            PlanError: AWS would refuse what the manifest requires, in any account or region.
            LayersError: no account or region could be read.
        """
        layers = self.project.layers

        def plan(aws: "Aws") -> RegionPlan:
            observed = self._observe(aws, hashes)
            state, selection, details = observed
            foreign = _foreign(aws, observed, layers)
            found = make_plan(layers, hashes, state, selection, details, foreign=foreign, today=_today())
            found = foresee(aws, found)
            owned = warn_of_owners(found, state.tags or _tags(aws, found))
            old = tuple(overtaken(self.project.folder, found.layers))
            other = self._other_bytes(aws, found.layers)
            shifts = self._deployments(aws, found.functions)
            running = running_executions(aws, found.functions, found.versions)
            first = tuple(suggest_functions(aws, self.project, found))
            warnings = (
                *found.warnings,
                *first,
                *owned,
                *other,
                *shifts,
                *running,
                *warn_of_size(found, foreign),
            )
            return replace(
                found,
                warnings=tuple(each.as_warning() for each in (*warnings, *old)),
                alarms=alarms_to_put(aws, selection.functions, details, layers),
                retention=self._retention(hashes),
                version_retention=version_retention(selection.functions),
            )

        return planned(self.accounts.in_each(plan))

    def status(self, hashes: Hashes) -> Results[RegionStatus]:
        """Find where AWS differs from the manifest; changes nothing."""

        def look(aws: "Aws") -> RegionStatus:
            state, selection, details = observed = self._observe(aws, hashes, every_version=True)
            layers = self.project.layers
            alarms = alarms_to_put(aws, selection.functions, details, layers)
            foreign = _foreign(aws, observed, layers)
            found = status_of(
                layers, hashes, state, selection, details, foreign=foreign, alarms=alarms, today=_today()
            )
            other = self._other_bytes(aws, found.layers)
            shifts = self._deployments(aws, found.functions)
            return replace(found, warnings=tuple(each.as_warning() for each in (*other, *shifts)))

        return self.accounts.in_each(look)

    def doctor(self) -> Results[Diagnosis]:
        """Examine what the manifest's functions need in AWS; changes nothing."""

        def diagnose(aws: "Aws") -> Diagnosis:
            project = self.project
            state = read_state(aws, {}, project.manifest.functions)
            selection = select(
                project.manifest, project.layers, state.functions, state.tags, state.destination
            )
            missing = [error(problem.message, problem.hint) for problem in selection.problems]
            odd = [warning(problem.message, problem.hint) for problem in selection.warnings]
            layers = [layer.name for layer in project.layers]
            found = examine(aws, layers, selection.functions, datetime.now(tz=UTC))
            return Diagnosis.of(aws.destination, [*missing, *odd, *found])

        return self.accounts.in_each(diagnose)

    def carry_out(
        self,
        plans: Sequence[RegionPlan],
        archives: Mapping[Target, BuiltArchive],
        report: Callable[[Destination, LayerChange | Outcome], None],
        *,
        rollout: Rollout | None = None,
        going_back: bool = False,
    ) -> Results[RegionResult]:
        """Do what the plans say; what could not be done is in the results.

        `rollout` replaces the settings of the manifest. `going_back` ignores alarms that are in state ALARM.

        `report` is called with each layer version that was published, and with each function when its
        update has ended, and again when it was rolled back.
        """
        by_destination = {plan.destination: plan for plan in plans}

        settings = rollout or self.project.manifest.rollout

        def release(aws: "Aws") -> RegionResult:
            plan = by_destination[aws.destination]
            release = RegionRelease(
                project=self.project,
                aws=aws,
                plan=plan,
                archives=archives,
                report=report,
                rollout=settings,
                going_back=going_back,
                say=self.say,
            )
            return release.run()

        def work(destinations: Iterable[Destination]) -> Results[RegionResult]:
            return self.accounts.in_each(release, destinations)

        return in_order(settings.destinations, self.accounts.destinations, plans, work)

    def prune(
        self, hashes: Hashes, keep: int | None, *, dry_run: bool, alarms: bool = False
    ) -> Results[RegionResult]:
        """Delete the layer versions that nothing needs, or only find them; `keep` overrides the manifest.

        With `alarms`, also the alarms of functions that the manifest no longer leads to.
        """
        retention = self._retention(hashes, keep)

        def act(aws: "Aws") -> RegionResult:
            versions = prune_versions(aws, self._version_retention(aws), dry_run=dry_run)
            pruned = prune(aws, retention, dry_run=dry_run, without=versions)
            return RegionResult(
                destination=aws.destination,
                deleted=pruned.deleted,
                deleted_versions=versions,
                deleted_archives=pruned.archives,
                deleted_alarms=self._prune_alarms(aws, dry_run=dry_run) if alarms else (),
                kept=pruned.kept,
            )

        return self.accounts.in_each(act)

    def _prune_alarms(self, aws: "Aws", *, dry_run: bool) -> tuple[str, ...]:
        _, selection, details = self._observe(aws, {})
        names = unwanted_alarms(aws, selection.functions, details, self.project.layers)
        if names and not dry_run:
            aws.alarms.delete(names)
        return names

    def _observe(self, aws: "Aws", hashes: Hashes, *, every_version: bool = False) -> Observed:
        return observe(aws, self.project.manifest, self.project.layers, hashes, every_version=every_version)

    def _deployments(self, aws: "Aws", changes: Sequence[FunctionChange]) -> tuple[Diagnostic, ...]:
        return tuple(deployments_in_progress(aws, changes)) if self.project.manifest.rollout.shift else ()

    def _other_bytes(self, aws: "Aws", changes: Sequence[LayerChange]) -> tuple[Diagnostic, ...]:
        return warn_of_other_bytes(aws, self.project.folder / OUTPUT_FOLDER / "build", changes)

    def _version_retention(self, aws: "Aws") -> tuple[VersionRetention, ...]:
        """Return how many versions to keep of each function that does not keep all."""
        project = self.project
        entries = project.manifest.functions
        if all(entry.keep_versions is None for entry in entries):
            return ()
        state = read_state(aws, {}, entries)
        found = select(project.manifest, project.layers, state.functions, state.tags, aws.destination)
        return version_retention(found.functions)

    def _retention(self, hashes: Hashes, keep: int | None = None) -> tuple[Retention, ...]:
        """Return how many versions to keep of each layer that does not keep all."""
        return tuple(
            Retention(layer.name, number, hashes[layer.name])
            for layer in self.project.layers
            if (number := layer.targets[0].layer.keep if keep is None else keep) is not None
        )


def planned(results: Results[RegionPlan]) -> Results[RegionPlan]:
    """Refuse to go on where AWS would refuse, anywhere; and where nothing could be read."""
    refused = [failure for failure in results.failures if isinstance(failure.error, PlanError)]
    if refused:
        raise PlanError(*located((each.destination, each.error.problems) for each in refused))
    return results.required()


def _foreign(aws: "Aws", observed: Observed, layers: Sequence[AwsLayer]) -> Readable:
    """Read the layer versions of others that updates of functions would send."""
    plans = function_plans(observed.selection, layers, observed.details)
    return read_foreign(aws, [each.change() for each in plans], observed.state.versions)


def _tags(aws: "Aws", plan: RegionPlan) -> Mapping[str, Mapping[str, str]]:
    """Return the functions' tags, if any are to be updated and if allowed: only a warning uses them."""
    try:
        return aws.functions.tags() if plan.to_update else {}
    except LayersError:
        return {}


def _today() -> date:
    return datetime.now(tz=UTC).date()
