"""State + manifest -> where the two differ, in one account and region. Pure, from what a plan reads.

A plan says what a deployment would do, and refuses where it cannot; the status describes AWS even then.
So it also reports versions of other tools, deleted versions and missing functions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from entrypoint.aws.accounts import located
from entrypoint.aws.alarm_model import AlarmChange
from entrypoint.aws.model import Details, Function, LayerVersion
from entrypoint.errors import Diagnostic, Severity
from entrypoint.manifest.arn import Arn, short_name, without_version
from entrypoint.manifest.model import NONE, Destination, FunctionEntry
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.foreign import NOTHING_READ, Readable, foreign_problems
from entrypoint.release.function_change import Aspect, FunctionChange, Wanted
from entrypoint.release.function_plan import FunctionPlan, function_plans
from entrypoint.release.plan import LayerChange, plan_layer
from entrypoint.release.selection import Selection
from entrypoint.release.state import RegionState

RULE = "drift"


class DriftKind(StrEnum):
    """How AWS differs from the manifest."""

    NOT_DEPLOYED = "not deployed"
    """No version of a layer has the dependency hash of the locks here."""
    NOT_OURS = "not ours"
    """A layer's latest version was published by another tool: its description has no dependency hash."""
    OFF_VERSION = "off version"
    """A function does not have the version that it should have."""
    DELETED = "deleted"
    """A function uses a deleted layer version: it works, but cannot be given that version again."""
    UNLISTED = "unlisted"
    """A function uses a layer of the manifest that is not listed for it."""
    SETTINGS = "settings"
    """A function's VPC, concurrency or aliases, a layer's `share`, or an alarm differ from the manifest."""
    MISSING = "missing"
    """No function with an entry's name can be given layers."""
    FAILED = "failed"
    """AWS could not carry out the last update of a function."""
    UNFIT = "unfit"
    """A function cannot be given the layers that its entry lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One difference between AWS and the manifest."""

    kind: DriftKind
    #: The name of a layer, function or alarm, or an entry of the manifest.
    subject: str
    has: str
    wanted: str

    @property
    def diagnostic(self) -> Diagnostic:
        """The same for annotations and code scanning."""
        message = f"{self.subject} is {self.kind}: has {self.has}; expected: {self.wanted}"
        return Diagnostic(message, "run: lambda-layers plan", rule=RULE, severity=Severity.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionStatus:
    """The state of an account and region, compared with the manifest."""

    destination: Destination
    layers: tuple[LayerChange, ...]
    #: Every version of each layer, newest first, by the layer's name.
    versions: Mapping[str, tuple[LayerVersion, ...]]
    #: The functions of the manifest.
    functions: tuple[FunctionChange, ...]
    drift: tuple[Drift, ...]
    warnings: tuple[Diagnostic, ...] = ()


def drift_diagnostics(statuses: Iterable[RegionStatus]) -> tuple[Diagnostic, ...]:
    """Return all drift as warnings, each naming its accounts and regions."""
    return located(
        (status.destination, [*(drift.diagnostic for drift in status.drift), *status.warnings])
        for status in statuses
    )


def status_of(
    layers: Sequence[AwsLayer],
    hashes: Mapping[str, str],
    state: RegionState,
    selection: Selection,
    details: Mapping[str, Details],
    *,
    foreign: Readable = NOTHING_READ,
    alarms: Sequence[AlarmChange],
    today: date,
) -> RegionStatus:
    """Compare; `state` has every version of the layers, `alarms` are those that are missing or different."""
    changes = tuple(plan_layer(layer, hashes[layer.name], state) for layer in layers)
    plans = function_plans(selection, layers, details)
    versions = {name: layer.versions for name, layer in state.layers.items()}
    current = {change.layer.name: change.version.arn for change in changes if change.version}
    deleted = _Deleted(versions)
    return RegionStatus(
        destination=state.destination,
        layers=changes,
        versions=versions,
        functions=tuple(each.change() for each in plans),
        drift=(
            *(drift for change in changes for drift in (*_of_layer(change), *_of_grants(change))),
            *(_missing(entry.pattern, problem) for entry, problem in _named(selection)),
            *(drift for each in plans for drift in _of_function(each, current, deleted, today)),
            *(drift for each in plans for drift in _of_foreign(each.change(), current, foreign)),
            *_of_others(state.functions, {each.function.name for each in plans}, deleted),
            *(_setting(alarm.name, alarm.reason, "the recommended alarm") for alarm in alarms),
        ),
    )


class _Deleted:
    """Knows which layer versions of the manifest's layers exist no more."""

    def __init__(self, versions: Mapping[str, Sequence[LayerVersion]]) -> None:
        self._names = versions.keys()
        self._existing = {version.arn for found in versions.values() for version in found}

    def among(self, function: Function) -> tuple[str, ...]:
        """Return those that a function uses."""
        ours = {Arn.parse(function.arn).layer(name) for name in self._names}
        return tuple(
            arn for arn in function.layers if without_version(arn) in ours and arn not in self._existing
        )


def _of_layer(change: LayerChange) -> Iterator[Drift]:
    latest = f"version {change.latest.version}" if change.latest else "no version"
    if change.version is None:
        yield Drift(
            kind=DriftKind.NOT_DEPLOYED,
            subject=change.layer.name,
            has=latest,
            wanted="the packages of the locks here",
        )
    if change.latest and change.latest.dependency_hash is None:
        ours = f"version {change.version.version}" if change.version else "a version of this pipeline"
        has = f"{latest}, published outside lambda-layers"
        yield Drift(kind=DriftKind.NOT_OURS, subject=change.layer.name, has=has, wanted=ours)


def _of_grants(change: LayerChange) -> Iterator[Drift]:
    if change.version is None:
        return
    name, version = change.layer.name, f"version {change.version.version}"
    if change.granted:
        names = ", ".join(map(str, change.granted))
        yield _setting(name, f"{version} without access for {names}", "access for them")
    if change.revoked:
        names = ", ".join(map(str, change.revoked))
        yield _setting(name, f"{version} with access for {names}", "no access for them")


def _named(selection: Selection) -> Iterator[tuple[FunctionEntry, Diagnostic]]:
    return ((entry, problem) for entry, problem in selection.unmet if not entry.is_glob)


def _missing(entry: str, problem: Diagnostic) -> Drift:
    return Drift(kind=DriftKind.MISSING, subject=entry, has=problem.message, wanted=problem.hint)


def _of_function(
    function_plan: FunctionPlan, current: Mapping[str, str], gone: _Deleted, today: date
) -> Iterator[Drift]:
    change, name = function_plan.change(), function_plan.function.name
    for problem in function_plan.problems(today):
        yield Drift(kind=DriftKind.UNFIT, subject=name, has=problem.message, wanted=problem.hint)
    if reason := function_plan.function.failure:
        has = f"its last update failed: {reason}"
        yield Drift(kind=DriftKind.FAILED, subject=name, has=has, wanted="a successful update")
    deleted = gone.among(function_plan.function)
    for wanted in change.wanted:
        if drift := _off_version(function_plan.function, wanted, current, deleted):
            yield drift
    unlisted = set(function_plan.unlisted())
    for arn in function_plan.function.layers:
        if without_version(arn) in unlisted:
            has = _shown(arn, deleted)
            yield Drift(kind=DriftKind.UNLISTED, subject=name, has=has, wanted="not listed in its entry")
    after = change.layers_after(change.function.layers, current)
    if after != change.function.layers and set(after) == set(change.function.layers):
        has, wanted_order = (", ".join(map(short_name, layers)) for layers in (change.function.layers, after))
        yield _setting(name, f"the order of layers: {has}", wanted_order)
    yield from (
        _aspect(change, aspect, current) for aspect in change.aspects(current) if aspect != Aspect.LAYERS
    )


def _of_foreign(change: FunctionChange, current: Mapping[str, str], foreign: Readable) -> Iterator[Drift]:
    name = change.function.name
    for problem in foreign_problems([change], current, foreign):
        has = problem.message.removeprefix(f"{name} has ")
        yield Drift(kind=DriftKind.UNFIT, subject=name, has=has, wanted=problem.hint)


def _off_version(
    function: Function, wanted: Wanted, current: Mapping[str, str], deleted: Sequence[str]
) -> Drift | None:
    reference = wanted.reference
    if isinstance(reference, str):
        arn, text = reference, short_name(reference)
    else:
        arn = current.get(reference.name, "")
        text = short_name(arn) if arn else f"{reference.name}, not deployed yet"
    has = [arn for arn in function.layers if without_version(arn) in wanted.replaces]
    if has == [arn]:
        return None
    names = ", ".join(_shown(each, deleted) for each in has)
    kind = DriftKind.DELETED if set(has) & set(deleted) else DriftKind.OFF_VERSION
    return Drift(kind=kind, subject=function.name, has=names or "none", wanted=text)


def _of_others(functions: Sequence[Function], known: set[str], gone: _Deleted) -> Iterator[Drift]:
    """Yield the deleted layer versions that functions outside the manifest still use."""
    for function in functions:
        if function.name not in known:
            for arn in gone.among(function):
                has = _shown(arn, (arn,))
                yield Drift(
                    kind=DriftKind.DELETED, subject=function.name, has=has, wanted="an existing version"
                )


def _shown(arn: str, deleted: Sequence[str]) -> str:
    return f"{short_name(arn)}, which was deleted" if arn in deleted else short_name(arn)


def _aspect(change: FunctionChange, aspect: Aspect, versions: Mapping[str, str]) -> Drift:
    details, concurrency = change.details, change.concurrency
    has, wanted = {
        Aspect.VPC: (change.function.vpc or NONE, change.vpc),
        Aspect.PUBLISHED: _publication(change, versions),
        Aspect.RESERVED: (details and details.reserved, _or_none(change.reserved_after)),
        Aspect.PROVISIONED: (
            details and ", ".join(f"{name}: {number}" for name, number in details.provisioned.items()),
            concurrency.provisioned or NONE,
        ),
        Aspect.ALIASES: _routing(change),
    }[aspect]
    return _setting(change.function.name, f"{aspect}: {NONE if has in {None, ''} else has}", str(wanted))


def _publication(change: FunctionChange, versions: Mapping[str, str]) -> tuple[str, str]:
    """Return what callers of a function on managed instances reach, and what they should."""
    published = change.published
    if published is None:
        return NONE, NONE
    after = change.layers_after(change.function.layers, versions)
    has = ", ".join(map(short_name, published.layers)) or "no layers"
    return (
        f"{has}; it failed: {published.failure}" if published.failure else has,
        ", ".join(map(short_name, after)) or "no layers",
    )


def _routing(change: FunctionChange) -> tuple[str, str]:
    """Return the weights of unfinished canaries, if there are any, and what is wanted."""
    found = change.details.aliases.values() if change.details else ()
    weights = [
        f"{state.alias.name} has {share:.0%} of its traffic on version {version}, of an unfinished canary"
        for state in found
        for version, share in state.alias.weights.items()
    ]
    return "; ".join(weights) or "a version with other layers", ", ".join(change.aliases)


def _setting(subject: str, has: str, wanted: str) -> Drift:
    return Drift(kind=DriftKind.SETTINGS, subject=subject, has=has, wanted=wanted)


def _or_none(number: int | None) -> str:
    return NONE if number is None else str(number)
