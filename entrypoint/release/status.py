"""State + manifest -> where the two do not agree, in one account and region. Pure, over what a plan reads.

A plan says what a deployment would do, and refuses where it cannot; this says how AWS stands, whatever is
wrong. So it tells besides of versions that are not ours, of those that are gone, and of what is missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from entrypoint.aws.model import Details, Function, LayerVersion
from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import Destination, FunctionEntry, Vpc
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.alarms import Alarm
from entrypoint.release.function_change import Aspect, FunctionChange, FunctionPlan, Wanted
from entrypoint.release.plan import LayerChange, plan_layer
from entrypoint.release.selection import Selection, without_version
from entrypoint.release.state import RegionState


class DriftKind(StrEnum):
    """How AWS differs from the manifest."""

    NOT_DEPLOYED = "not deployed"
    """No version of a layer holds what the locks here say."""
    NOT_OURS = "not ours"
    """A layer's latest version was published by another hand: no dependency hash is in its description."""
    OFF_VERSION = "off version"
    """A function lacks the version that it is to have, or has another one."""
    DELETED = "deleted"
    """A function has a layer version that was deleted: it works, and cannot be given it again."""
    UNLISTED = "unlisted"
    """A function has a layer of the manifest that is not listed for it."""
    SETTINGS = "settings"
    """A function's network, concurrency or aliases, or an alarm, are not as the manifest asks."""
    MISSING = "missing"
    """There is no function that could be given layers under an entry's name."""
    UNFIT = "unfit"
    """A function cannot be given what its entry lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One way in which AWS does not stand as the manifest asks."""

    kind: DriftKind
    #: The name of a layer, function or alarm, or an entry of the manifest.
    subject: str
    has: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionStatus:
    """How an account and region stands."""

    destination: Destination
    layers: tuple[LayerChange, ...]
    #: Every version of each layer, newest first, by the layer's name.
    versions: Mapping[str, tuple[LayerVersion, ...]]
    #: Those of the manifest.
    functions: tuple[FunctionChange, ...]
    drift: tuple[Drift, ...]


def status_of(
    layers: Sequence[AwsLayer],
    hashes: Mapping[str, str],
    state: RegionState,
    selection: Selection,
    details: Mapping[str, Details],
    *,
    alarms: Sequence[Alarm],
    today: date,
) -> RegionStatus:
    """Compare; `state` has every version of the layers, `alarms` are those that do not stand as asked."""
    changes = tuple(plan_layer(layer, hashes[layer.name], state) for layer in layers)
    function_plans = [
        FunctionPlan(entry, function, tuple(layers), details.get(function.name))
        for entry, function in selection.functions
    ]
    versions = {name: layer.versions for name, layer in state.layers.items()}
    standing = {change.layer.name: change.version.arn for change in changes if change.version}
    gone = _Gone(versions)
    return RegionStatus(
        destination=state.destination,
        layers=changes,
        versions=versions,
        functions=tuple(function_plan.change() for function_plan in function_plans),
        drift=(
            *(drift for change in changes for drift in _of_layer(change)),
            *(_missing(entry.pattern, problem) for entry, problem in _named(selection)),
            *(
                drift
                for function_plan in function_plans
                for drift in _of_function(function_plan, standing, gone, today)
            ),
            *_of_others(state.functions, {each.function.name for each in function_plans}, gone),
            *(_setting(alarm.name, "not as it should be", "the recommended alarm") for alarm in alarms),
        ),
    )


class _Gone:
    """Tells which layer versions are of the manifest's layers, and not there any more."""

    def __init__(self, versions: Mapping[str, Sequence[LayerVersion]]) -> None:
        self._names = versions.keys()
        self._standing = {version.arn for found in versions.values() for version in found}

    def among(self, function: Function) -> tuple[str, ...]:
        """Return those that a function has."""
        prefix = function.arn.rpartition(":function:")[0]
        ours = {f"{prefix}:layer:{name}" for name in self._names}
        return tuple(
            arn for arn in function.layers if without_version(arn) in ours and arn not in self._standing
        )


def _of_layer(change: LayerChange) -> Iterator[Drift]:
    latest = f"version {change.latest.version}" if change.latest else "no version"
    if change.version is None:
        yield Drift(
            kind=DriftKind.NOT_DEPLOYED,
            subject=change.layer.name,
            has=latest,
            wanted="what the locks here say",
        )
    if change.latest and change.latest.dependency_hash is None:
        ours = f"version {change.version.version}" if change.version else "a version of ours"
        has = f"{latest}, by another hand"
        yield Drift(kind=DriftKind.NOT_OURS, subject=change.layer.name, has=has, wanted=ours)


def _named(selection: Selection) -> Iterator[tuple[FunctionEntry, Diagnostic]]:
    return ((entry, problem) for entry, problem in selection.unmet if not entry.is_glob)


def _missing(entry: str, problem: Diagnostic) -> Drift:
    return Drift(kind=DriftKind.MISSING, subject=entry, has=problem.message, wanted=problem.hint)


def _of_function(
    function_plan: FunctionPlan, standing: Mapping[str, str], gone: _Gone, today: date
) -> Iterator[Drift]:
    change, name = function_plan.change(), function_plan.function.name
    for problem in function_plan.problems(today):
        yield Drift(kind=DriftKind.UNFIT, subject=name, has=problem.message, wanted=problem.hint)
    deleted = gone.among(function_plan.function)
    for wanted in change.wanted:
        if drift := _off_version(function_plan.function, wanted, standing, deleted):
            yield drift
    unlisted = set(function_plan.unlisted())
    for arn in function_plan.function.layers:
        if without_version(arn) in unlisted:
            has = _told(arn, deleted)
            yield Drift(kind=DriftKind.UNLISTED, subject=name, has=has, wanted="it is not listed here")
    yield from (_aspect(change, aspect) for aspect in change.aspects(standing) if aspect != Aspect.LAYERS)


def _off_version(
    function: Function, wanted: Wanted, standing: Mapping[str, str], deleted: Sequence[str]
) -> Drift | None:
    reference = wanted.reference
    if isinstance(reference, str):
        arn, text = reference, short(reference)
    else:
        arn = standing.get(reference.name, "")
        text = short(arn) if arn else f"{reference.name}, not deployed yet"
    has = [arn for arn in function.layers if without_version(arn) in wanted.replaces]
    if has == [arn]:
        return None
    told = ", ".join(_told(each, deleted) for each in has)
    kind = DriftKind.DELETED if set(has) & set(deleted) else DriftKind.OFF_VERSION
    return Drift(kind=kind, subject=function.name, has=told or "none", wanted=text)


def _of_others(functions: Sequence[Function], known: set[str], gone: _Gone) -> Iterator[Drift]:
    """Yield what functions that the manifest does not name still have of its layers, and cannot keep."""
    for function in functions:
        if function.name not in known:
            for arn in gone.among(function):
                has = _told(arn, (arn,))
                yield Drift(
                    kind=DriftKind.DELETED, subject=function.name, has=has, wanted="a version that stands"
                )


def _told(arn: str, deleted: Sequence[str]) -> str:
    return f"{short(arn)}, which was deleted" if arn in deleted else short(arn)


def _aspect(change: FunctionChange, aspect: Aspect) -> Drift:
    details, concurrency = change.details, change.concurrency
    has, wanted = {
        Aspect.VPC: (_network(change.function.vpc), _network(change.vpc)),
        Aspect.RESERVED: (details and details.reserved, concurrency.reserved),
        Aspect.PROVISIONED: (
            details and ", ".join(f"{name}: {number}" for name, number in details.provisioned.items()),
            concurrency.provisioned,
        ),
        Aspect.ALIASES: ("a version with other layers", ", ".join(change.aliases)),
    }[aspect]
    return _setting(change.function.name, f"{aspect}: {'none' if has in {None, ''} else has}", str(wanted))


def _setting(subject: str, has: str, wanted: str) -> Drift:
    return Drift(kind=DriftKind.SETTINGS, subject=subject, has=has, wanted=wanted)


def _network(vpc: Vpc | None) -> str:
    return ", ".join((*vpc.subnets, *vpc.security_groups)) if vpc else "none"


def short(arn: str) -> str:
    """Return a layer version as name:version."""
    return ":".join(arn.split(":")[-2:])
