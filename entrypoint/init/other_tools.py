"""The layers and functions of another tool's template -> a draft."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.init.draft import (
    Draft,
    DraftFunction,
    DraftLayer,
    free_name,
    known_architectures,
    known_runtimes,
    layer_name,
)
from entrypoint.init.folder import default_runtime, found_in_folder
from entrypoint.init.template_file import referred, source_of, text
from entrypoint.manifest.runtimes import RUNTIMES, Architecture
from entrypoint.manifest.schema import REGION

_OWNED = (
    "The next deployment of a stack resets the layers of its functions. "
    "Use the ARNs from `export:` in the stack, or stop setting layers there."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLayer:
    """A layer of a template."""

    name: str
    #: A folder, or a requirements file.
    location: str
    runtimes: tuple[object, ...] = ()
    architectures: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFunction:
    """A function of a template; its attributes except `name` are values of the template."""

    #: Its name in AWS, with `*` for each unknown part.
    name: str
    runtime: object
    architecture: object
    layers: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTemplate:
    """A template; its layers are keyed by the names that functions use as references."""

    tool: str
    layers: Mapping[str, FoundLayer]
    functions: Sequence[FoundFunction]
    region: str = ""


def draft_from(folder: Path, found: FoundTemplate) -> Draft | None:
    """Return the draft for a template; None if it has no layers."""
    named: dict[str, str] = {}
    for reference, layer in found.layers.items():
        named[reference] = free_name(layer_name(layer.name), named.values())
    functions = [(each, _references(each, named)) for each in found.functions if _is_supported(each)]
    notes = [f"Generated from {found.tool}."]
    layers = []
    for reference, layer in found.layers.items():
        users = [each for each, names in functions if named[reference] in names]
        if made := _layer(folder, named[reference], layer, users):
            layers.append(made)
        else:
            notes.append(f"Left out: layer {layer.name}, {layer.location or 'its path'} not found.")
    using = tuple(DraftFunction(name=each.name, layers=names) for each, names in functions if names)
    if not layers and not using:
        return None
    return Draft(
        layers=tuple(layers) or found_in_folder(folder).layers,
        functions=using,
        region=found.region if re.fullmatch(REGION, found.region) else None,
        notes=(*notes, *([_OWNED] if using else [])),
    )


def _is_supported(function: FoundFunction) -> bool:
    """Return whether layers can be built for a function; True if its runtime is unknown."""
    runtime = text(function.runtime)
    return not runtime or "$" in runtime or runtime in RUNTIMES


def _layer(folder: Path, name: str, layer: FoundLayer, users: Sequence[FoundFunction]) -> DraftLayer | None:
    source = source_of(folder, layer.location)
    if source is None:
        return None
    kind, path = source
    is_python = kind == "requirements"
    runtimes = known_runtimes([*layer.runtimes, *(each.runtime for each in users)], python=is_python)
    architectures = known_architectures([*layer.architectures, *(each.architecture for each in users)])
    return DraftLayer(
        name=name,
        requirements=(path,) if is_python else (),
        content=None if is_python else path,
        runtimes=runtimes or (default_runtime(folder),),
        architectures=architectures or (Architecture.X86_64,),
    )


def _references(function: FoundFunction, named: Mapping[str, str]) -> tuple[str, ...]:
    """Return a function's layers as names of the draft, ARNs, or the template's own text."""
    found = (named.get(referred(each)) or text(each) or referred(each) for each in function.layers)
    return tuple(dict.fromkeys(each for each in found if each))
