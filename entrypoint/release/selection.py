"""Entries of the manifest -> functions of one account and region. Pure.

An entry selects functions by name, ARN or glob, by their tags, or by a layer that they use. A function
belongs to the first entry that selects it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

from entrypoint.aws.model import Function
from entrypoint.errors import Diagnostic
from entrypoint.manifest.arn import Arn, is_arn, without_version
from entrypoint.manifest.layer_pins import pinned
from entrypoint.manifest.layer_schema import DEFAULT_NAME
from entrypoint.manifest.model import Destination, FunctionEntry, Layer, Manifest
from entrypoint.manifest.runtimes import RUNTIMES, Architecture
from entrypoint.manifest.targets import AwsLayer

_TO_CUSTOM = "to give it layers, name that runtime under 'custom_runtimes' with the one that it is like"
_DEFAULT_NAMES = {"{layer}", DEFAULT_NAME}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The functions that the manifest selects, each with its entry, and the entries that select none."""

    functions: tuple[tuple[FunctionEntry, Function], ...]
    #: Entries that select nothing that can be given layers here, and why.
    unmet: tuple[tuple[FunctionEntry, Diagnostic], ...]

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """Why entries with the name of one function select nothing."""
        return tuple(problem for entry, problem in self.unmet if not entry.is_glob)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Why entries that may select several functions select nothing."""
        return tuple(problem for entry, problem in self.unmet if entry.is_glob)


def select(
    manifest: Manifest,
    layers: tuple[AwsLayer, ...],
    functions: Iterable[Function],
    tags: Mapping[str, Mapping[str, str]],
    destination: Destination,
) -> Selection:
    """Find the functions of each entry; `tags` are those of functions by ARN."""
    functions = tuple(_on_known_runtime(function, manifest.custom_runtimes) for function in functions)
    selected: dict[str, tuple[FunctionEntry, Function]] = {}
    unmet: list[tuple[FunctionEntry, Diagnostic]] = []
    for each in manifest.functions:
        entry = pinned(each, destination.region, manifest)
        if not _is_in(entry, destination):
            unmet.extend((entry, problem) for problem in _nowhere(entry, manifest))
            continue
        matching = [function for function in functions if _selects(entry, function, layers, tags)]
        if not matching:
            unmet.append((entry, _unmatched(entry, functions)))
        for function in matching:
            if function.name in selected:
                continue
            if reason := _unfit(entry, function, layers):
                unmet.append((entry, reason))
            else:
                selected[function.name] = (entry, function)
    return Selection(functions=tuple(selected.values()), unmet=tuple(unmet))


def _on_known_runtime(function: Function, known: Mapping[str, str]) -> Function:
    """Give a function on a customer-managed runtime the one that the manifest says this is like."""
    references = function.custom_runtime.references if function.custom_runtime else ()
    like = next((known[reference] for reference in references if reference in known), None)
    return replace(function, runtime=like) if like else function


def arns_of(name: str, layers: tuple[AwsLayer, ...], function: Function) -> frozenset[str]:
    """Return the ARNs that a manifest layer has, or had, in a function's account and region.

    They include builds for the runtime that the function had before, and names from when the manifest
    listed other runtimes.
    """
    others = {layer.name for layer in layers if layer.targets[0].layer.name != name}
    known = next(layer.targets[0].layer for layer in layers if layer.targets[0].layer.name == name)
    own = Arn.parse(function.arn)
    return frozenset(own.layer(layer) for layer in _names(known) if layer not in others)


def _names(layer: Layer) -> Iterator[str]:
    """Yield a layer's names in AWS for any choice of runtimes and architectures."""
    template = layer.name_template
    for name in _DEFAULT_NAMES if template in _DEFAULT_NAMES else (template,):
        for runtime in RUNTIMES:
            for architecture in Architecture:
                yield name.format(
                    layer=layer.name, runtime=runtime.replace(".", ""), architecture=architecture
                )


def _selects(
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
    if not is_arn(entry.pattern):
        return True
    arn = Arn.parse(entry.pattern)
    return arn.region == destination.region and destination.account in {None, arn.account}


def _nowhere(entry: FunctionEntry, manifest: Manifest) -> Iterator[Diagnostic]:
    region = Arn.parse(entry.pattern).region
    if manifest.regions and region not in manifest.regions:
        message = f"{entry.pattern} is in {region}, which is not in 'regions'"
        yield Diagnostic(message, "add the region, or remove the function", entry.location)


def _unmatched(entry: FunctionEntry, functions: Iterable[Function]) -> Diagnostic:
    if entry.tag:
        tags = ", ".join(f"{key}={value}" for key, value in entry.tag)
        return Diagnostic(
            f"no function has the tags {tags}", "tag a function, or correct the entry", entry.location
        )
    if entry.using:
        message = f"no function uses the layer {entry.using!r} yet"
        return Diagnostic(message, "name the functions that should use it under 'functions'", entry.location)
    if entry.is_glob:
        return Diagnostic(f"no function matches {entry.pattern!r}", "correct the pattern", entry.location)
    close = get_close_matches(entry.pattern, [function.name for function in functions], n=1)
    first = "create it first, or remove it until then: deploy publishes the layers without it"
    hint = f"did you mean {close[0]!r}?" if close else first
    return Diagnostic(f"the function {entry.pattern!r} does not exist", hint, entry.location)


def _unfit(entry: FunctionEntry, function: Function, layers: tuple[AwsLayer, ...]) -> Diagnostic | None:
    """Describe why a function cannot have the layers of its entry, for a reason that no new build changes."""
    hint = "it is skipped" if entry.is_glob else "remove it from the manifest"
    if function.package_type != "Zip":
        message = f"{function.name} is a container image, which cannot have layers"
    elif function.is_replica:
        message = f"{function.name} is a replica of Lambda@Edge, which cannot be updated"
    elif entry.is_glob and not _speaks(function, entry, layers):
        message = f"{function.name} runs on {shown_runtime(function)}, for which no layer is built"
        hint += f"; {_TO_CUSTOM}" if function.custom_runtime else ""
    else:
        return None
    return Diagnostic(message, hint, entry.location)


def shown_runtime(function: Function) -> str:
    """Return the runtime of a function as messages name it."""
    if function.custom_runtime is None:
        return function.runtime or "no runtime"
    return f"the customer-managed runtime {function.custom_runtime}"


def _speaks(function: Function, entry: FunctionEntry, layers: tuple[AwsLayer, ...]) -> bool:
    """Return whether a function and the layers that its entry names are for Python both, or both not.

    A Python function without a target is a mistake in the manifest. A function of another language, which a
    glob selects too, is not; nor is one on a version of Python for which the manifest can have no target.
    """
    names = {name for name in entry.layers if not is_arn(name)}
    built = {
        target.platform.runtime.python is not None
        for layer in layers
        for target in layer.targets
        if target.layer.name in names
    }
    runtime = RUNTIMES.get(function.runtime)
    return not built or (runtime is not None and (runtime.python is not None) in built)
