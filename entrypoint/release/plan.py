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
from entrypoint.manifest import FunctionEntry, Layer, Manifest
from entrypoint.release.aws_lambda import Function, LayerVersion
from entrypoint.release.state import RegionState
from entrypoint.runtimes import RUNTIMES, Architecture
from entrypoint.schema import DEFAULT_NAME
from entrypoint.targets import AwsLayer

_DEFAULT_NAMES = {"{layer}", DEFAULT_NAME}


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
            problems.extend(_nowhere(entry, manifest))
            continue
        matching = [function for function in state.functions if entry.matches(function.name, function.arn)]
        if not matching:
            (warnings if entry.is_glob else problems).append(_unmatched(entry, state))
        for function in matching:
            if function.name in taken:
                continue
            taken.add(function.name)
            if function.package_type != "Zip":
                (warnings if entry.is_glob else problems).append(_image(entry, function))
                continue
            pairing = _Pairing(entry, function, layers)
            problems.extend(pairing.problems())
            warnings.extend(pairing.drift())
            functions.append(pairing.change())
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


def _region_of(arn: str) -> str:
    return arn.split(":")[3]


def _is_in_region(entry: FunctionEntry, region: str) -> bool:
    return not entry.pattern.startswith("arn:") or _region_of(entry.pattern) == region


def _nowhere(entry: FunctionEntry, manifest: Manifest) -> Iterator[Problem]:
    region = _region_of(entry.pattern)
    if manifest.regions and region not in manifest.regions:
        message = f"{entry.pattern} is in {region}, where this manifest publishes nothing"
        yield Problem(message, "add the region to 'regions', or take the function out", entry.place)


def _unmatched(entry: FunctionEntry, state: RegionState) -> Problem:
    if entry.is_glob:
        return Problem(f"no function in {state.region} matches {entry.pattern!r}", "", entry.place)
    close = get_close_matches(entry.pattern, [function.name for function in state.functions], n=1)
    remedy = f"did you mean {close[0]!r}?" if close else "create it first, or take it out of the manifest"
    return Problem(f"there is no function {entry.pattern!r} in {state.region}", remedy, entry.place)


def _image(entry: FunctionEntry, function: Function) -> Problem:
    message = f"{function.name} is made of a container image, which takes no layers"
    remedy = "it is left alone" if entry.is_glob else "take it out of the manifest"
    return Problem(message, remedy, entry.place)


@dataclass(frozen=True, slots=True)
class _Pairing:
    """A function, the entry that decides about it, and the layers of the manifest."""

    entry: FunctionEntry
    function: Function
    layers: tuple[AwsLayer, ...]

    def change(self) -> FunctionChange:
        unwanted = frozenset(self._unlisted()) if self.entry.exclusive else frozenset[str]()
        return FunctionChange(function=self.function, wanted=tuple(self._wanted()), unwanted=unwanted)

    def problems(self) -> Iterator[Problem]:
        """Yield what AWS would refuse, or what would fail in the function."""
        function, place = self.function, self.entry.place
        for reference in self.entry.layers:
            if not reference.startswith("arn:"):
                if not self._fitting(reference):
                    yield self._no_fit(reference)
            elif _region_of(reference) != _region_of(function.arn):
                message = f"{function.name} is in {_region_of(function.arn)}, {reference} is not"
                yield Problem(message, "write an entry for each region, with the functions' ARNs", place)
        after = self.change().layers_after(function.layers, {})
        if len(after) > LAYERS_PER_FUNCTION:
            message = f"{function.name} would have {len(after)} layers ({', '.join(after)})"
            yield Problem(message, f"AWS takes at most {LAYERS_PER_FUNCTION}; take one off", place)

    def drift(self) -> Iterator[Problem]:
        """Yield a warning for each layer of the manifest that the function has and should not have."""
        for arn in () if self.entry.exclusive else self._unlisted():
            name = arn.rpartition(":")[2]
            message = f"{self.function.name} has {name}, which the manifest does not list for it"
            yield Problem(message, "list it, or write 'exclusive: true' to take it off", self.entry.place)

    def _wanted(self) -> Iterator[Wanted]:
        for reference in self.entry.layers:
            if reference.startswith("arn:"):
                yield Wanted(str(reference), frozenset({without_version(reference)}))
            elif layer := self._fitting(reference):
                yield Wanted(layer, self._arns_of(reference))

    def _fitting(self, name: str) -> AwsLayer | None:
        """Return the AWS layer that is built for the function's own runtime and architecture."""
        wanted = (name, self.function.runtime, self.function.architecture)
        for layer in self.layers:
            for target in layer.targets:
                platform = target.platform
                if wanted == (target.layer.name, str(platform.runtime), platform.architecture):
                    return layer
        return None

    def _no_fit(self, name: str) -> Problem:
        function = self.function
        targets = (target for layer in self.layers for target in layer.targets)
        built = ", ".join(str(target.platform) for target in targets if target.layer.name == name)
        runs_on = f"{function.runtime}-{function.architecture}"
        message = f"{function.name} runs on {runs_on}; {name!r} is built for {built}"
        remedy = f"add that runtime and architecture to the layer {name!r}"
        return Problem(message, remedy, self.entry.place)

    def _unlisted(self) -> Iterator[str]:
        """Yield the ARNs of the manifest's layers that are on the function without being listed for it."""
        names = dict.fromkeys(target.layer.name for layer in self.layers for target in layer.targets)
        listed = {arn for wanted in self._wanted() for arn in wanted.replaces}
        standing = {without_version(arn) for arn in self.function.layers}
        for name in names:
            if name not in self.entry.layers:
                yield from sorted((self._arns_of(name) & standing) - listed)

    def _arns_of(self, name: str) -> frozenset[str]:
        """Return the ARNs under which a manifest layer stands, or stood, in the function's region.

        Whatever build of it a function has is replaced: one for the runtime that it had before, or one
        from when the manifest named other runtimes and the layer's name came out differently.
        """
        others = {layer.name for layer in self.layers if layer.targets[0].layer.name != name}
        known = next(layer.targets[0].layer for layer in self.layers if layer.targets[0].layer.name == name)
        prefix = self.function.arn.rpartition(":function:")[0]
        return frozenset(f"{prefix}:layer:{layer}" for layer in _names(known) if layer not in others)


def _names(layer: Layer) -> Iterator[str]:
    """Yield a layer's names in AWS for any choice of runtimes and architectures."""
    template = layer.name_template
    for name in _DEFAULT_NAMES if template in _DEFAULT_NAMES else (template,):
        for runtime in RUNTIMES:
            for architecture in Architecture:
                yield name.format(
                    layer=layer.name, runtime=runtime.replace(".", ""), architecture=architecture
                )
