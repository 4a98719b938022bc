"""Functions -> the layer versions that a git revision asks for, or a version of one layer. Pure.

The plan is that of a deployment of the revision, but nothing is published, and what a newer manifest gave
functions beside it is taken away. A later deployment goes forward again, as the manifest has not changed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from entrypoint.aws.model import Details, Function, LayerVersion
from entrypoint.errors import Diagnostic, PlanError
from entrypoint.manifest.arn import Arn, is_arn, without_version
from entrypoint.manifest.model import NO_CONCURRENCY
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.function_change import FunctionChange, Wanted, different_settings
from entrypoint.release.function_plan import FunctionPlan, function_plans
from entrypoint.release.history import Revision
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan, plan_layer
from entrypoint.release.selection import Selection
from entrypoint.release.state import RegionState


def plan_revision(
    revision: Revision,
    only: Collection[str],
    state: RegionState,
    selections: tuple[Selection, Selection],
    details: Mapping[str, Details],
    *,
    newer: Sequence[AwsLayer],
    today: date,
) -> RegionPlan:
    """Plan to give functions what a revision asks for.

    Args:
        revision: the revision to go back to.
        only: the names in AWS of the layers to change; nothing else of a function is changed then.
        state: the state of the account and region, with the layers of the revision.
        selections: the functions that the revision's manifest selects, and those of the current one.
        details: the details of all of these functions, by name.
        newer: the layers of the current manifest.
        today: for the runtimes that AWS no longer updates.

    Raises:
        PlanError: AWS does not have the version of a layer that a function needs.
    """
    old, current = selections
    layers, warnings = revision.project.layers, [*old.warnings]
    given = {each.function.name: each for each in function_plans(current, newer, details)}
    changes: list[FunctionChange] = []
    for each in function_plans(old, layers, details):
        if problems := list(each.problems(today)):
            warnings += [problem._replace(hint="it is not rolled back") for problem in problems]
        else:
            changes.append(_without_additions(each.change(), given.pop(each.function.name, None)))
        given.pop(each.function.name, None)
    changes += [_swapped(each, layers) for each in given.values()]
    if only:
        changes = [_restricted(change, only) for change in changes]
    planned = tuple(plan_layer(layer, revision.hashes[layer.name], state) for layer in layers)
    references = (wanted.reference for change in changes for wanted in change.wanted)
    used = {reference.name for reference in references if isinstance(reference, AwsLayer)}
    planned = tuple(change for change in planned if change.layer.name in used)
    if problems := [_missing(change, revision) for change in planned if change.version is None]:
        raise PlanError(*problems)
    return RegionPlan(
        destination=state.destination,
        layers=planned,
        functions=tuple(changes),
        warnings=tuple(each.as_warning() for each in warnings),
    )


def plan_version(
    layer: AwsLayer,
    versions: Sequence[LayerVersion],
    number: int,
    *,
    state: RegionState,
    selection: Selection,
    details: Mapping[str, Details],
) -> RegionPlan:
    """Plan to give the functions that use a layer one of its versions, which are newest first.

    Raises:
        PlanError: there is no such version, or another tool published it.
    """
    found = next((each for each in versions if each.version == number), None)
    if found is None or found.dependency_hash is None:
        ours = ", ".join(str(each.version) for each in versions if each.dependency_hash) or "none"
        problem = "does not exist" if found is None else "was published outside lambda-layers"
        raise PlanError.of(f"{layer.name}:{number} {problem}", f"the versions of lambda-layers are {ours}")
    change = LayerChange(
        layer=layer,
        dependency_hash=found.dependency_hash,
        action=LayerAction.REUSE if found != versions[0] else LayerAction.KEEP,
        latest=versions[0],
        version=found,
    )
    functions = []
    for each in function_plans(selection, [layer], details):
        function, arn = each.function, Arn.parse(each.function.arn).layer(layer.name)
        has = {without_version(used) for used in function.layers}
        wanted = (Wanted(found.arn, frozenset({arn})),) if arn in has else ()
        functions.append(
            FunctionChange(
                function=function,
                wanted=wanted,
                aliases=_existing(each),
                details=each.details,
                location=each.entry.location,
            )
        )
    return RegionPlan(
        destination=state.destination,
        layers=(change,),
        functions=tuple(functions),
        warnings=tuple(each.as_warning() for each in selection.warnings),
    )


def with_published_versions(
    change: FunctionChange, versions: Mapping[str, str], published: Sequence[Function]
) -> FunctionChange:
    """Return the change with the versions to which its aliases can go back, without publishing.

    Such a version has the wanted layers, and the code and settings that the alias has now. `published` are
    all versions of the function, newest first.
    """
    returns = {}
    for name in change.aliases:
        now = change.details.aliases[name].main if change.details else change.function
        wanted = change.layers_after(now.layers, versions)
        for version in published:
            same = (version.layers, version.code_sha256, version.vpc) == (wanted, now.code_sha256, now.vpc)
            if same and not different_settings(version, now):
                returns[name] = version.version
                break
    return replace(change, returns=returns)


def _without_additions(change: FunctionChange, given: FunctionPlan | None) -> FunctionChange:
    """Remove the layers that the current manifest gives a function, and the revision did not."""
    if given is None:
        return change
    kept = {arn for wanted in change.wanted for arn in wanted.replaces}
    added = {arn for wanted in given.change().wanted for arn in wanted.replaces} - kept
    return replace(change, unwanted=change.unwanted | added)


def _swapped(plan: FunctionPlan, layers: Sequence[AwsLayer]) -> FunctionChange:
    """Give a function that only the current manifest selects the revision's builds of the layers it has."""
    names = {target.layer.name for layer in layers for target in layer.targets}
    listed = tuple(name for name in plan.entry.layers if not is_arn(name) and name in names)
    entry = plan.entry._replace(
        layers=listed, aliases=_existing(plan), exclusive=False, vpc=None, concurrency=NO_CONCURRENCY
    )
    change = FunctionPlan(entry, plan.function, tuple(layers), plan.details).change()
    has = {without_version(arn) for arn in plan.function.layers}
    return replace(change, wanted=tuple(wanted for wanted in change.wanted if wanted.replaces & has))


def _existing(plan: FunctionPlan) -> tuple[str, ...]:
    """Return the aliases of an entry that the function has."""
    return tuple(name for name in plan.entry.aliases if plan.details and name in plan.details.aliases)


def _restricted(change: FunctionChange, only: Collection[str]) -> FunctionChange:
    return replace(
        change,
        wanted=tuple(
            wanted
            for wanted in change.wanted
            if isinstance(wanted.reference, AwsLayer) and wanted.reference.name in only
        ),
        unwanted=frozenset(arn for arn in change.unwanted if Arn.parse(arn).name in only),
        vpc=None,
        concurrency=NO_CONCURRENCY,
    )


def _missing(change: LayerChange, revision: Revision) -> Diagnostic:
    message = f"AWS has no version of {change.layer.name} with the packages of {revision.commit}"
    sha = revision.commit.sha[:12]
    hint = f"to build it, deploy that commit: git worktree add ../{sha} {sha}"
    return Diagnostic(message, hint)


def layers_used(functions: Sequence[Function], layers: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the name and the ARN of each version of these layers that functions use."""
    for function in functions:
        own = Arn.parse(function.arn)
        names = {own.layer(name): name for name in layers}
        for arn in function.layers:
            if name := names.get(without_version(arn)):
                yield name, arn
