"""Earlier states of AWS -> plans that lead back to them: those of a layer version, or of a git revision."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from entrypoint.aws.accounts import Accounts, Results
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import AwsLayer
from entrypoint.parallel import for_each
from entrypoint.release.durable import running_executions
from entrypoint.release.foreign import refuse_unreadable
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.git import Commit
from entrypoint.release.history import History, Revision, previous
from entrypoint.release.plan import RegionPlan
from entrypoint.release.rollback import layers_used, plan_revision, plan_version, with_published_versions
from entrypoint.release.selection import select
from entrypoint.release.stage import planned
from entrypoint.release.state import observe, read_details, read_state

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """Plans the ways back; `release.stage.Release` goes them."""

    project: Project
    accounts: Accounts

    def plan_version(self, layer: AwsLayer, number: int) -> Results[RegionPlan]:
        """Compare functions with a version of a layer; changes nothing.

        Raises:
            PlanError: the layer has no such version.
            LayersError: no account or region could be read.
        """

        def plan(aws: "Aws") -> RegionPlan:
            versions = tuple(aws.layers.versions(layer.name))
            state, selection, details = observe(aws, self.project.manifest, self.project.layers, {})
            return plan_version(layer, versions, number, state=state, selection=selection, details=details)

        return planned(self.accounts.in_each(lambda aws: _with_published_versions(aws, plan(aws))))

    def previous(self, history: History, only: Collection[str]) -> tuple[Revision, tuple[Commit, ...]]:
        """Return the revision before the newest one that functions use, and the commits that were skipped.

        Only the layers with the names in `only` count, if there are any.

        Raises:
            UsageError: there is none.
            LayersError: no account or region could be read.
        """
        names = [layer.name for layer in self.project.layers if not only or layer.name in only]

        def read(aws: "Aws") -> tuple[dict[str, set[str | None]], dict[str, set[str]]]:
            state, selection, _ = observe(
                aws, self.project.manifest, self.project.layers, dict.fromkeys(names, ""), every_version=True
            )
            versions = {each.arn: each for layer in state.layers.values() for each in layer.versions}
            used: dict[str, set[str | None]] = {}
            for name, arn in layers_used([function for _, function in selection.functions], names):
                used.setdefault(name, set()).add(versions[arn].dependency_hash if arn in versions else None)
            hashes = {
                name: {each.dependency_hash for each in found.versions if each.dependency_hash}
                for name, found in state.layers.items()
            }
            return used, hashes

        found = self.accounts.in_each(read).required().values
        used: dict[str, set[str | None]] = {}
        for here, _ in found:
            for name, digests in here.items():
                used.setdefault(name, set()).update(digests)
        return previous(history.revisions(), used, [hashes for _, hashes in found])

    def plan_revision(self, revision: Revision, only: Collection[str]) -> Results[RegionPlan]:
        """Compare AWS with what a revision asks for; changes nothing.

        Raises:
            PlanError: AWS does not have a layer version that a function needs.
            LayersError: no account or region could be read.
        """
        old, current = revision.project, self.project

        def plan(aws: "Aws") -> RegionPlan:
            entries = (*old.manifest.functions, *current.manifest.functions)
            state = read_state(aws, revision.hashes, entries)
            selections = tuple(
                select(each.manifest, each.layers, state.functions, state.tags, aws.destination)
                for each in (old, current)
            )
            details = read_details(aws, [item for each in selections for item in each.functions])
            before, now = selections
            today = datetime.now(tz=UTC).date()
            return plan_revision(
                revision,
                only,
                state,
                (before, now),
                details,
                newer=current.layers,
                today=today,
            )

        return planned(self.accounts.in_each(lambda aws: _with_published_versions(aws, plan(aws))))


def _with_published_versions(aws: "Aws", plan: RegionPlan) -> RegionPlan:
    """Let aliases go back to versions that exist, if AWS would accept the layers of all functions."""
    refuse_unreadable(aws, plan)

    def with_versions(change: FunctionChange) -> FunctionChange:
        if not change.aliases or not change.aspects(plan.versions):
            return change
        return with_published_versions(change, plan.versions, aws.functions.versions(change.function.name))

    running = (each.as_warning() for each in running_executions(aws, plan.functions, plan.versions))
    functions = for_each(plan.functions, with_versions)
    return replace(plan, functions=functions, warnings=(*plan.warnings, *running))
