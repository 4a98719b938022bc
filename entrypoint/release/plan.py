"""Manifest + state -> what is to be done in one region. Pure: nothing here calls AWS.

A function's list of layers is replaced whole by UpdateFunctionConfiguration, so the plan swaps single
entries in place: layers that the manifest does not name stay where they are, for later layers overlay
earlier ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from entrypoint.errors import PlanError, Problem
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest import FunctionEntry, Manifest
from entrypoint.release.aws_lambda import Function, LayerVersion
from entrypoint.release.state import RegionState
from entrypoint.targets import AwsLayer


class LayerAction(StrEnum):
    """What happens to a layer."""

    KEEP = "keep"
    """The latest version holds just what is wanted."""
    REUSE = "reuse"
    """An older version does."""
    PUBLISH = "publish"
    """No version does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """What happens to one layer of AWS in one region."""

    layer: AwsLayer
    dependency_hash: str
    action: LayerAction
    latest: LayerVersion | None
    #: The version to use; None until it is published.
    version: LayerVersion | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A layer that a function is to have: a version's ARN, or a layer whose version the run decides."""

    reference: str | AwsLayer
    #: The ARNs, without version, of the layers whose place it takes.
    replaces: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChange:
    """A function of the manifest and the layers it is to have; `unwanted` are taken off."""

    function: Function
    wanted: tuple[Wanted, ...]
    unwanted: frozenset[str] = frozenset()

    def layers_after(self, current: tuple[str, ...], versions: Mapping[str, str]) -> tuple[str, ...]:
        """Return the list to set, given the list that stands; `versions` maps layer names to ARNs.

        Where a layer's version is not known yet, its name followed by `:new` stands for it.
        """
        result: list[str | None] = list(current)
        for wanted in self.wanted:
            reference = wanted.reference
            arn = (
                reference
                if isinstance(reference, str)
                else versions.get(reference.name, f"{reference.name}:new")
            )
            places = [
                i for i, layer in enumerate(result) if layer and without_version(layer) in wanted.replaces
            ]
            for place in places:
                result[place] = None
            if places:
                result[places[0]] = arn
            else:
                result.append(arn)
        return tuple(arn for arn in result if arn and without_version(arn) not in self.unwanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """All that is to be done in one region, and what the user should know about it."""

    region: str
    layers: tuple[LayerChange, ...]
    functions: tuple[FunctionChange, ...]
    warnings: tuple[Problem, ...]

    @property
    def versions(self) -> dict[str, str]:
        """The ARNs of the layer versions that stand already, by layer name."""
        return {change.layer.name: change.version.arn for change in self.layers if change.version}

    @property
    def to_publish(self) -> tuple[LayerChange, ...]:
        """The layers that need a new version."""
        return tuple(change for change in self.layers if change.action is LayerAction.PUBLISH)

    @property
    def to_update(self) -> tuple[FunctionChange, ...]:
        """The functions whose list of layers is not yet what it is to be."""
        return tuple(
            change
            for change in self.functions
            if change.layers_after(change.function.layers, self.versions) != change.function.layers
        )

    @property
    def is_empty(self) -> bool:
        """Tell whether AWS agrees with the manifest."""
        return not self.to_publish and not self.to_update


def without_version(arn: str) -> str:
    """Return a layer version's ARN without its last part; other texts as they are."""
    return arn.rpartition(":")[0] if arn.startswith("arn:") else arn


def make_plan(
    manifest: Manifest, layers: tuple[AwsLayer, ...], hashes: Mapping[str, str], state: RegionState
) -> RegionPlan:
    """Compare what the manifest asks for with what stands in the region.

    Raises:
        PlanError: with every reason why it cannot be done, before anything is.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    functions: list[FunctionChange] = []
    taken: set[str] = set()
    for entry in manifest.functions:
        if not _is_in_region(entry, state.region):
            continue
        matching = [function for function in state.functions if entry.matches(function.name, function.arn)]
        if not matching:
            (warnings if entry.is_glob else problems).append(_unmatched(entry, state))
        for function in matching:
            if function.name not in taken:
                taken.add(function.name)
                found = _plan_function(entry, function, layers)
                if isinstance(found, FunctionChange):
                    functions.append(found)
                    warnings.extend(_drift(entry, function, layers))
                else:
                    problems.extend(found)
    if problems:
        raise PlanError(*problems)
    return RegionPlan(
        region=state.region,
        layers=tuple(_plan_layer(layer, hashes[layer.name], state) for layer in layers),
        functions=tuple(functions),
        warnings=tuple(warnings),
    )


def _plan_layer(layer: AwsLayer, dependency_hash: str, state: RegionState) -> LayerChange:
    stands = state.layers[layer.name]
    if stands.current is None:
        action = LayerAction.PUBLISH
    else:
        action = LayerAction.KEEP if stands.current == stands.latest else LayerAction.REUSE
    return LayerChange(
        layer=layer,
        dependency_hash=dependency_hash,
        action=action,
        latest=stands.latest,
        version=stands.current,
    )


def _is_in_region(entry: FunctionEntry, region: str) -> bool:
    return not entry.pattern.startswith("arn:") or entry.pattern.split(":")[3] == region


def _unmatched(entry: FunctionEntry, state: RegionState) -> Problem:
    if entry.is_glob:
        return Problem(f"no function in {state.region} matches {entry.pattern!r}", "", entry.place)
    close = get_close_matches(entry.pattern, [function.name for function in state.functions], n=1)
    remedy = f"did you mean {close[0]!r}?" if close else "create it first, or take it out of the manifest"
    return Problem(f"there is no function {entry.pattern!r} in {state.region}", remedy, entry.place)


def _plan_function(
    entry: FunctionEntry, function: Function, layers: tuple[AwsLayer, ...]
) -> FunctionChange | tuple[Problem, ...]:
    if function.package_type != "Zip":
        message = f"{function.name} is made of a container image, which takes no layers"
        return (Problem(message, "take it out of the manifest, or narrow the glob", entry.place),)
    wanted: list[Wanted] = []
    problems: list[Problem] = []
    for reference in entry.layers:
        if reference.startswith("arn:"):
            wanted.append(Wanted(str(reference), frozenset({without_version(reference)})))
        elif layer := _fitting(reference, function, layers):
            wanted.append(Wanted(layer, _arns_of(reference, function, layers)))
        else:
            problems.append(_no_fit(reference, entry, function, layers))
    unwanted = frozenset(_unlisted(entry, function, layers)) if entry.exclusive else frozenset()
    change = FunctionChange(function=function, wanted=tuple(wanted), unwanted=unwanted)
    after = change.layers_after(function.layers, {})
    if len(after) > LAYERS_PER_FUNCTION:
        message = f"{function.name} would have {len(after)} layers ({', '.join(after)})"
        problems.append(
            Problem(message, f"AWS takes at most {LAYERS_PER_FUNCTION}; take one off", entry.place)
        )
    return tuple(problems) or change


def _fitting(name: str, function: Function, layers: tuple[AwsLayer, ...]) -> AwsLayer | None:
    for layer in layers:
        for target in layer.targets:
            platform = target.platform
            if (target.layer.name, str(platform.runtime), platform.architecture) == (
                name,
                function.runtime,
                function.architecture,
            ):
                return layer
    return None


def _no_fit(name: str, entry: FunctionEntry, function: Function, layers: tuple[AwsLayer, ...]) -> Problem:
    built = ", ".join(str(t.platform) for layer in layers for t in layer.targets if t.layer.name == name)
    message = (
        f"{function.name} runs on {function.runtime}-{function.architecture}; {name!r} is built for {built}"
    )
    return Problem(message, f"add that runtime and architecture to the layer {name!r}", entry.place)


def _arns_of(name: str, function: Function, layers: tuple[AwsLayer, ...]) -> frozenset[str]:
    """Return the ARNs of all of a manifest layer's targets, in the function's account and region."""
    prefix = function.arn.rpartition(":function:")[0]
    return frozenset(
        f"{prefix}:layer:{layer.name}" for layer in layers if any(t.layer.name == name for t in layer.targets)
    )


def _unlisted(entry: FunctionEntry, function: Function, layers: tuple[AwsLayer, ...]) -> Iterator[str]:
    """Yield the ARNs of the manifest's layers that are on a function without being listed for it."""
    names = dict.fromkeys(target.layer.name for layer in layers for target in layer.targets)
    standing = {without_version(arn) for arn in function.layers}
    for name in names:
        if name not in entry.layers:
            yield from sorted(_arns_of(name, function, layers) & standing)


def _drift(entry: FunctionEntry, function: Function, layers: tuple[AwsLayer, ...]) -> Iterator[Problem]:
    for arn in () if entry.exclusive else _unlisted(entry, function, layers):
        message = f"{function.name} has {arn.rpartition(':')[2]}, which the manifest does not list for it"
        yield Problem(message, "list it, or write 'exclusive: true' to take it off", entry.place)
