"""Plans -> AWS, in every account and region at once: publish, share, roll out, export, prune.

Each account and region has its own pace and its own result. One that fails stops no other, and a run
that is repeated touches only what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from entrypoint.aws.model import ChangesLambda
from entrypoint.commands.run import Run
from entrypoint.errors import LayersError, PlanError, RolloutError
from entrypoint.files import write_text
from entrypoint.layer.archives import Files
from entrypoint.layer.dependency_hash import layer_hashes
from entrypoint.layer.describe import BuiltArchive
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.release import export
from entrypoint.release.alarms import alarms_to_put
from entrypoint.release.observe import observe
from entrypoint.release.owners import warn_of_owners
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan, make_plan
from entrypoint.release.prune import prune
from entrypoint.release.publish import publish
from entrypoint.release.result import RegionResult
from entrypoint.release.rollback import plan_rollback
from entrypoint.release.rollout import roll_out

_DESTINATIONS_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Plans:
    """What is to be done everywhere, and where AWS could not even be asked."""

    plans: tuple[RegionPlan, ...]
    failures: tuple[RegionResult, ...] = ()


def plan_everywhere(run: Run, locks: Mapping[Target, Lock], files: Files) -> Plans:
    """Compare the manifest with AWS; nothing is changed.

    Raises:
        PlanError: where what the manifest asks for does not fit what stands, anywhere.
        LayersError: where AWS could be asked nowhere.
    """
    layers = run.project.layers
    hashes = layer_hashes(layers, locks, files)

    def plan(destination: Destination) -> RegionPlan:
        aws = run.aws(destination)
        state, selection, details = observe(run, destination, hashes)
        today = datetime.now(tz=UTC).date()
        found = make_plan(layers, hashes, state, selection, details, today=today)
        owned = warn_of_owners(found, state.tags or _tags(aws, found))
        alarms = alarms_to_put(aws, selection.functions, details, destination.region)
        return replace(found, warnings=(*found.warnings, *owned), alarms=alarms)

    return _everywhere(run, plan)


def plan_rollbacks(run: Run, layers: Sequence[AwsLayer], version: int | None) -> Plans:
    """Find the earlier versions of these layers everywhere; nothing is changed."""

    def plan(destination: Destination) -> RegionPlan:
        aws = run.aws(destination)
        versions = dict(
            zip(
                (layer.name for layer in layers),
                for_each(layers, lambda layer: tuple(aws.layer_versions(layer.name))),
                strict=True,
            )
        )
        state, selection, details = observe(run, destination, {})
        return plan_rollback(layers, versions, state, selection, details, version=version)

    return _everywhere(run, plan)


def release_everywhere(
    run: Run, plans: Plans, archives: Mapping[Target, BuiltArchive]
) -> tuple[RegionResult, ...]:
    """Carry the plans out; what could not be done is in the results."""
    with run.console.releasing(plans.plans):
        released = for_each(
            plans.plans, lambda plan: _release(run, plan, archives), at_once=_DESTINATIONS_AT_ONCE
        )
    return (*released, *plans.failures)


def prune_everywhere(
    run: Run, locks: Mapping[Target, Lock], files: Files, keep: int | None
) -> tuple[RegionResult, ...]:
    """Delete the layer versions that nobody needs; `keep` overrides what the manifest says."""
    hashes = layer_hashes(run.project.layers, locks, files)

    def clear(destination: Destination) -> RegionResult:
        try:
            deleted = prune(run.aws(destination), _keep(run, keep), hashes)
        except LayersError as error:
            return RegionResult(destination=destination, error=error)
        return RegionResult(destination=destination, deleted=deleted)

    return for_each(_destinations(run), clear, at_once=_DESTINATIONS_AT_ONCE)


def _everywhere(run: Run, plan: Callable[[Destination], RegionPlan]) -> Plans:
    def attempt(destination: Destination) -> RegionPlan | RegionResult:
        try:
            return plan(destination)
        except PlanError:
            raise
        except LayersError as error:
            return RegionResult(destination=destination, error=error)

    found = for_each(_destinations(run), attempt, at_once=_DESTINATIONS_AT_ONCE)
    plans = tuple(each for each in found if isinstance(each, RegionPlan))
    failures = tuple(each for each in found if isinstance(each, RegionResult))
    if not plans and failures[0].error:
        kind = type(failures[0].error)
        raise kind(*dict.fromkeys(problem for failure in failures for problem in failure.problems))
    return Plans(plans=plans, failures=failures)


def _destinations(run: Run) -> tuple[Destination, ...]:
    return run.project.manifest.destinations(run.default_region)


def _tags(aws: ChangesLambda, plan: RegionPlan) -> Mapping[str, Mapping[str, str]]:
    """Return the functions' tags where some are to be updated, if we may: they only serve a warning."""
    try:
        return aws.tags() if plan.to_update else {}
    except LayersError:
        return {}


def _release(run: Run, plan: RegionPlan, archives: Mapping[Target, BuiltArchive]) -> RegionResult:
    """Publish the layers of an account and region, all of them, and only then update its functions."""
    destination, aws = plan.destination, run.aws(plan.destination)
    result = RegionResult(destination=destination)
    try:
        for change in plan.layers:  # one by one: what was published stands, whatever comes of the next
            result = replace(result, layers=(*result.layers, _published(run, aws, change, plan, archives)))
        released = replace(plan, layers=result.layers)
        rolled = roll_out(
            aws,
            released.to_update,
            released.versions,
            lambda outcome: run.console.updated(destination, outcome),
            rollout=run.project.manifest.rollout,
            say=lambda text: run.console.say(f"{destination}: {text}"),
        )
        result = replace(result, functions=rolled.functions)
        if rolled.trouble:
            raise RolloutError.of(
                f"{destination}: {rolled.trouble}", "mend it, and run again for what is left"
            )
        aws.put_alarms(plan.alarms)
        result = replace(result, alarms=tuple(alarm.name for alarm in plan.alarms))
        if not result.problems:
            _export(run, aws, destination, result.layers)
            hashes = {change.layer.name: change.dependency_hash for change in result.layers}
            result = replace(result, deleted=prune(aws, _keep(run), hashes))
    except LayersError as error:
        return replace(result, error=error)
    return result


def _published(
    run: Run,
    aws: ChangesLambda,
    change: LayerChange,
    plan: RegionPlan,
    archives: Mapping[Target, BuiltArchive],
) -> LayerChange:
    layer = change.layer.targets[0].layer
    if change.action is LayerAction.PUBLISH:
        change = publish(aws, change, archives[change.layer.targets[0]])
        run.console.published(plan.destination, change)
    if layer.share and change.version:
        aws.share(change.layer.name, change.version.version, layer.share)
    return change


def _export(run: Run, aws: ChangesLambda, destination: Destination, layers: Sequence[LayerChange]) -> None:
    """Leave the ARNs where the manifest asks for that; what says so already is not written again."""
    wanted, project = run.project.manifest.export, run.project
    found = export.arns(layers)
    if wanted is None:
        return
    for name in aws.put_parameters(export.parameters(wanted, found, destination)):
        run.console.say(f"{destination}: wrote the parameter {name}")
    if file := export.file_name(wanted, found, destination):
        path = project.folder / file
        standing = path.read_text("utf-8", "replace") if path.is_file() else None
        text = export.document(found, standing, map(str, project.targets))
        if text != standing:
            write_text(path, text)
            run.console.say(f"{destination}: wrote {file}")


def _keep(run: Run, keep: int | None = None) -> dict[str, int]:
    """Return how many versions each layer of AWS keeps; layers that keep all are not in it."""
    asked = ((layer.name, keep or layer.targets[0].layer.keep) for layer in run.project.layers)
    return {name: number for name, number in asked if number}
