"""What the templates of all tools have in common -> a draft: layers of folders, functions that name them."""

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
    "Functions that a stack owns get their old layers back at its next deployment: let it take the ARNs that "
    "`export:` leaves, or stop setting layers there."
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
    """A function of a template; `layers` are values of it."""

    #: The name that it gets in AWS, with stars for what is not known yet.
    name: str
    runtime: object
    architecture: object
    layers: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTemplate:
    """A template: its layers by the names that functions refer to them by."""

    tool: str
    layers: Mapping[str, FoundLayer]
    functions: Sequence[FoundFunction]
    region: str = ""


def drafted(folder: Path, found: FoundTemplate) -> Draft | None:
    """Return the draft of a template; None where it speaks of no layer."""
    named: dict[str, str] = {}
    for reference, layer in found.layers.items():
        named[reference] = free_name(layer_name(layer.name), named.values())
    functions = [(each, _references(each, named)) for each in found.functions if _runs_here(each)]
    notes = [f"Read from {found.tool}."]
    layers = []
    for reference, layer in found.layers.items():
        users = [each for each, names in functions if named[reference] in names]
        if made := _layer(folder, named[reference], layer, users):
            layers.append(made)
        else:
            notes.append(
                f"Left out: the layer {layer.name}, as nothing is at {layer.location or 'its place'} here."
            )
    using = tuple(DraftFunction(name=each.name, layers=names) for each, names in functions if names)
    if not layers and not using:
        return None
    return Draft(
        layers=tuple(layers) or found_in_folder(folder).layers,
        functions=using,
        region=found.region if re.fullmatch(REGION, found.region) else None,
        notes=(*notes, *([_OWNED] if using else [])),
    )


def _runs_here(function: FoundFunction) -> bool:
    """Tell whether layers can be built for a function, as far as its runtime is known."""
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
    """Return what a function's layers are called here: names, ARNs, or what else stands there."""
    found = (named.get(referred(each)) or text(each) or referred(each) for each in function.layers)
    return tuple(dict.fromkeys(each for each in found if each))
