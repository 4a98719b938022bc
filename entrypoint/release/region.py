"""The plan of one account and region -> AWS: publish, share, roll out, put alarms, export, prune."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from entrypoint.errors import LayersError, ManifestError, RolloutError
from entrypoint.files import write_text
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import Destination, Rollout
from entrypoint.manifest.paths import OUTSIDE_HINT, is_inside
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import Target
from entrypoint.release import export
from entrypoint.release.ancestry import head
from entrypoint.release.function_versions import prune_versions
from entrypoint.release.outcome import Outcome
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan
from entrypoint.release.prune import prune
from entrypoint.release.publish import publish
from entrypoint.release.result import RegionResult
from entrypoint.release.rollout import roll_out

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRelease:
    """Carries out the plan of one account and region: publish all layers, then update functions."""

    project: Project
    aws: "Aws"
    plan: RegionPlan
    archives: Mapping[Target, BuiltArchive]
    report: Callable[[Destination, LayerChange | Outcome], None]
    rollout: Rollout
    going_back: bool
    say: Callable[[str], None]

    def run(self) -> RegionResult:
        """Return what was done, and what stopped it, if anything did."""
        plan, aws = self.plan, self.aws
        result = RegionResult(destination=plan.destination)
        try:
            for change in plan.layers:  # recorded one by one: the next may fail
                published = self._publish(change)
                result = replace(result, layers=(*result.layers, published))
                self._share(published)
            released = replace(plan, layers=result.layers)
            rolled = roll_out(
                aws,
                released.to_update,
                released.versions,
                lambda outcome: self.report(plan.destination, outcome),
                rollout=self.rollout,
                going_back=self.going_back,
                say=self._say,
            )
            result = replace(result, functions=rolled.functions)
            if rolled.trouble:
                raise RolloutError.of(rolled.trouble, "fix the cause, and run again for what is left")
            aws.alarms.put([change.alarm for change in plan.alarms])
            result = replace(result, alarms=tuple(alarm.name for alarm in plan.alarms))
            if not result.problems:
                self._export(result.layers)
                result = replace(result, deleted_versions=prune_versions(aws, plan.version_retention))
                pruned = prune(aws, plan.retention)
                result = replace(
                    result, deleted=pruned.deleted, deleted_archives=pruned.archives, kept=pruned.kept
                )
        except LayersError as failure:
            return replace(result, error=failure)
        return result

    def _publish(self, change: LayerChange) -> LayerChange:
        if change.action is LayerAction.PUBLISH:
            archive = self.archives[change.layer.targets[0]]
            change = publish(self.aws, change, archive, revision=head(self.project.folder))
            self.report(self.plan.destination, change)
        return change

    def _share(self, change: LayerChange) -> None:
        """Grant and revoke access to the version that functions get."""
        name, version = change.layer.name, change.version
        if version is None or not (change.granted or change.revoked):
            return
        self.aws.layers.share(name, version.version, change.layer.targets[0].layer.share)
        for verb, grants in (
            ("shared {} with", change.granted),
            ("{} is no longer shared with", change.revoked),
        ):
            if grants:
                self._say(f"{verb.format(f'{name}:{version.version}')} {', '.join(map(str, grants))}")

    def _export(self, layers: Sequence[LayerChange]) -> None:
        """Write the ARNs where the manifest's `export` says, unless they are there already."""
        project, found = self.project, export.arns(layers)
        wanted, destination = project.manifest.export, self.plan.destination
        if wanted is None:
            return
        for name in self.aws.parameters.put(export.parameters(wanted, found, destination)):
            self._say(f"wrote the parameter {name}")
        if file := export.file_name(wanted, found, destination):
            path = project.folder / file
            if not is_inside(path, project.roots):  # a link that appeared since the manifest was checked
                raise ManifestError.of(f"{file} of 'export' is outside the repository", OUTSIDE_HINT)
            current = path.read_text("utf-8", "replace") if path.is_file() else None
            text = export.document(found, current, map(str, project.targets))
            if text != current:
                write_text(path, text)
                self._say(f"wrote {file}")

    def _say(self, text: str) -> None:
        self.say(f"{self.plan.destination}: {text}")
