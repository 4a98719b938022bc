"""Entries of the manifest -> functions of one account and region. Pure.

An entry means functions by name, ARN or glob, by their tags, or by a layer that they use. A function
belongs to the first entry that means it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from entrypoint.aws.model import Function
from entrypoint.errors import Diagnostic
from entrypoint.manifest.layer_schema import DEFAULT_NAME
from entrypoint.manifest.model import Destination, FunctionEntry, Layer, Manifest
from entrypoint.manifest.runtimes import RUNTIMES, Architecture
from entrypoint.manifest.targets import AwsLayer

_DEFAULT_NAMES = {"{layer}", DEFAULT_NAME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The functions that the manifest means, each with its entry, and what is odd about the entries."""

    functions: tuple[tuple[FunctionEntry, Function], ...]
    #: Entries that mean nothing that could be given layers here, and why.
    unmet: tuple[tuple[FunctionEntry, Diagnostic], ...]

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """What is wrong with entries that name one function."""
        return tuple(problem for entry, problem in self.unmet if not entry.is_glob)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """What is odd about those that may mean several, or none."""
        return tuple(problem for entry, problem in self.unmet if entry.is_glob)


def select(
    manifest: Manifest,
    layers: tuple[AwsLayer, ...],
    functions: Iterable[Function],
    tags: Mapping[str, Mapping[str, str]],
    destination: Destination,
) -> Selection:
    """Find the functions of each entry; `tags` are those of functions by ARN."""
    functions = tuple(functions)
    selected: dict[str, tuple[FunctionEntry, Function]] = {}
    unmet: list[tuple[FunctionEntry, Diagnostic]] = []
    for entry in manifest.functions:
        if not _is_in(entry, destination):
            unmet.extend((entry, problem) for problem in _nowhere(entry, manifest))
            continue
        meant = [function for function in functions if _means(entry, function, layers, tags)]
        if not meant:
            unmet.append((entry, _unmatched(entry, functions, destination)))
        for function in meant:
            if function.name in selected:
                continue
            if function.package_type != "Zip":
                unmet.append((entry, _image(entry, function)))
            else:
                selected[function.name] = (entry, function)
    return Selection(functions=tuple(selected.values()), unmet=tuple(unmet))


def arns_of(name: str, layers: tuple[AwsLayer, ...], function: Function) -> frozenset[str]:
    """Return the ARNs under which a manifest layer stands, or stood, in a function's account and region.

    Whatever build of it a function has is meant: one for the runtime that it had before, or one from
    when the manifest named other runtimes and the layer's name came out differently.
    """
    others = {layer.name for layer in layers if layer.targets[0].layer.name != name}
    known = next(layer.targets[0].layer for layer in layers if layer.targets[0].layer.name == name)
    prefix = function.arn.rpartition(":function:")[0]
    return frozenset(f"{prefix}:layer:{layer}" for layer in _names(known) if layer not in others)


def without_version(arn: str) -> str:
    """Return a layer version's ARN without its last part; other texts as they are."""
    return arn.rpartition(":")[0] if arn.startswith("arn:") else arn


def region_of(arn: str) -> str:
    """Return the region that an ARN names."""
    return arn.split(":")[3]


def _names(layer: Layer) -> Iterator[str]:
    """Yield a layer's names in AWS for any choice of runtimes and architectures."""
    template = layer.name_template
    for name in _DEFAULT_NAMES if template in _DEFAULT_NAMES else (template,):
        for runtime in RUNTIMES:
            for architecture in Architecture:
                yield name.format(
                    layer=layer.name, runtime=runtime.replace(".", ""), architecture=architecture
                )


def _means(
    entry: FunctionEntry,
    function: Function,
    layers: tuple[AwsLayer, ...],
    tags: Mapping[str, Mapping[str, str]],
) -> bool:
    if entry.tag:
        return set(entry.tag) <= set(tags.get(function.arn, {}).items())
    if entry.using:
        ours = arns_of(entry.using, layers, function)
        return any(without_version(arn) in ours for arn in function.layers)
    return entry.matches(function.name, function.arn)


def _is_in(entry: FunctionEntry, destination: Destination) -> bool:
    if not entry.pattern.startswith("arn:"):
        return True
    account = entry.pattern.split(":")[4]
    return region_of(entry.pattern) == destination.region and destination.account in {None, account}


def _nowhere(entry: FunctionEntry, manifest: Manifest) -> Iterator[Diagnostic]:
    region = region_of(entry.pattern)
    if manifest.regions and region not in manifest.regions:
        message = f"{entry.pattern} is in {region}, where this manifest publishes nothing"
        yield Diagnostic(message, "add the region to 'regions', or take the function out", entry.location)


def _unmatched(entry: FunctionEntry, functions: Iterable[Function], destination: Destination) -> Diagnostic:
    where = f"in {destination}"
    if entry.tag:
        tags = ", ".join(f"{key}={value}" for key, value in entry.tag)
        return Diagnostic(
            f"no function {where} has the tags {tags}", "tag one, or mend the entry", entry.location
        )
    if entry.using:
        message = f"no function {where} uses the layer {entry.using!r} yet"
        return Diagnostic(message, "name under 'functions' those that are to", entry.location)
    if entry.is_glob:
        return Diagnostic(
            f"no function {where} matches {entry.pattern!r}", "mend the pattern", entry.location
        )
    close = get_close_matches(entry.pattern, [function.name for function in functions], n=1)
    hint = f"did you mean {close[0]!r}?" if close else "create it first, or take it out of the manifest"
    return Diagnostic(f"there is no function {entry.pattern!r} {where}", hint, entry.location)


def _image(entry: FunctionEntry, function: Function) -> Diagnostic:
    message = f"{function.name} is made of a container image, which takes no layers"
    hint = "it is left alone" if entry.is_glob else "take it out of the manifest"
    return Diagnostic(message, hint, entry.location)
