"""The layers and functions of another tool's template -> a draft.

Readers of templates find `FoundLayer`s and `FoundFunction`s. Here, layers get names, and the runtimes and
architectures of the functions that use them; functions get the names of their layers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from entrypoint.errors import Location
from entrypoint.init.draft import (
    NO_SETTINGS,
    Content,
    Draft,
    DraftFunction,
    DraftLayer,
    Note,
    Settings,
    fill_in,
    free_name,
    layer_name,
    left_out,
    taken,
)
from entrypoint.init.located import Table, Unknown, items, text
from entrypoint.init.placeholders import REGION, has_placeholder, in_comment, in_manifest, literal
from entrypoint.init.platforms import is_python, platforms
from entrypoint.init.repository import Repository
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest.function_schema import ALIAS, LAYER_VERSION_ARN
from entrypoint.manifest.layer_schema import LAYER_NAME
from entrypoint.manifest.runtimes import RUNTIMES, Architecture

_FEW = 5
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,140}")
_OWNED = (
    "the tool that deploys these functions resets their layers: remove `functions:` and give it the ARNs of "
    "`export:`, or stop setting layers there"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLayer:
    """A layer of a template."""

    #: What the manifest calls it.
    name: str
    #: Its name in AWS, with placeholders; empty if that is not known.
    aws_name: str = ""
    at: Location
    content: Content
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    settings: Settings = NO_SETTINGS
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFunction:
    """A function of a template."""

    #: Its name in AWS, with placeholders.
    name: str
    #: Tags that select it, if its name is only known after deployment.
    tag: tuple[tuple[str, str], ...] = ()
    at: Location
    #: Its runtime; empty if it is not known.
    runtime: str = ""
    #: Lambda's default is x86_64.
    architecture: str = Architecture.X86_64
    #: Keys of the template's layers, layer version ARNs, and what could not be evaluated.
    layers: Sequence[str | Unknown] = ()
    aliases: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTemplate:
    """A template; its layers by the keys that functions refer to."""

    layers: Mapping[str, FoundLayer]
    functions: Sequence[FoundFunction]
    region: str = ""
    notes: tuple[Note, ...] = ()


def draft_of_template(repository: Repository, found: FoundTemplate) -> Draft:
    """Return the draft of a template; what it cannot have is in its notes."""
    notes = [*found.notes, *_without_layers(found.functions)]
    names: dict[str, str] = {}
    for key, layer in found.layers.items():
        if _is_of_other_language(key, layer, found.functions):
            runtimes = ", ".join(map(in_comment, layer.runtimes))
            notes.append(left_out(f"layer {layer.name}: it is for {runtimes}", layer.at))
        elif layer.content:
            names[key] = free_name(layer_name(layer.name), names.values())
    functions = tuple(_functions(found, names, notes))
    used = [each for each in found.functions if each.layers]
    layers = tuple(
        _layer(repository, names[key], layer, [each for each in used if key in each.layers])
        for key, layer in found.layers.items()
        if key in names
    )
    for layer in found.layers.values():
        notes += () if layer.content else layer.notes
    if functions:
        notes.append(fill_in(_OWNED, found.functions[0].at._replace(line=None)))
    return Draft(
        layers=tuple(_distinct(layers)),
        functions=functions,
        region=None if not found.region or has_placeholder(found.region) else found.region,
        notes=tuple(notes),
    )


def _without_layers(functions: Sequence[FoundFunction]) -> Iterator[Note]:
    names = [in_comment(each.name) for each in functions if not each.layers]
    if names:
        first = ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")
        at = next(each.at for each in functions if not each.layers)
        yield left_out(f"functions without layers: {first}", at)


def _is_of_other_language(key: str, layer: FoundLayer, functions: Sequence[FoundFunction]) -> bool:
    """Whether neither the layer's runtimes nor those of its functions are ones that layers are built for."""
    users = [each.runtime for each in functions if key in each.layers]
    known = [
        each
        for each in (*layer.runtimes, *users)
        if is_python(each) or each in RUNTIMES or "$" in in_comment(each)
    ]
    return bool(layer.runtimes) and not known


def _layer(
    repository: Repository, name: str, layer: FoundLayer, users: Sequence[FoundFunction]
) -> DraftLayer:
    is_packages = not layer.content.content
    chosen = platforms(
        repository.folder,
        declared=layer.runtimes,
        used=[each.runtime for each in users],
        architectures=(*layer.architectures, *(each.architecture for each in users)),
        python=is_packages,
        at=layer.at,
    )
    aws_name, name_notes = _aws_name(
        name, layer, several=len(chosen.runtimes) * len(chosen.architectures) > 1
    )
    return DraftLayer(
        name=name,
        content=layer.content,
        runtimes=chosen.runtimes,
        architectures=chosen.architectures,
        aws_name=aws_name,
        settings=layer.settings,
        notes=(*layer.notes, *chosen.notes, *name_notes),
    )


def _aws_name(name: str, layer: FoundLayer, *, several: bool) -> tuple[str, tuple[Note, ...]]:
    """Return the layer's `name` in AWS, if the manifest has to set it: another name starts a new layer."""
    if not layer.aws_name or not re.fullmatch(LAYER_NAME, literal(layer.aws_name) or "x"):
        return "", ()
    if several and layer.content.requirements:  # other targets have other bytes
        kept = f"to keep its name {in_comment(layer.aws_name)} in AWS, choose one runtime and architecture"
        return "", (fill_in(f"{kept}; each target of several gets a layer, named after it", layer.at),)
    return ("" if layer.aws_name == name and not several else layer.aws_name), ()


def _distinct(layers: Iterable[DraftLayer]) -> Iterator[DraftLayer]:
    """Yield the layers; a second one of the same name in AWS keeps the manifest's name for it."""
    seen: set[str] = set()
    for layer in layers:
        name = layer.aws_name or layer.name
        yield replace(layer, aws_name="") if name in seen and layer.aws_name else layer
        seen.add(name)


def _functions(found: FoundTemplate, names: Mapping[str, str], notes: list[Note]) -> Iterator[DraftFunction]:
    """Yield the functions that use a layer; add notes on those that the manifest cannot have."""
    seen: set[str] = set()
    for function in found.functions:
        own: list[Note] = []
        layers = tuple(dict.fromkeys(_references(function, found.layers, names, own)))
        what = f"function {in_comment(function.name) or 'without a name'}"
        problem = _problem(function, layers) if function.layers else None
        if problem:
            notes.append(left_out(f"{what}: {problem}", function.at))
            notes += own
        elif layers:
            name = free_name(function.name, seen) if function.tag else function.name
            if name in seen:
                notes.append(left_out(f"{what}: another function has its name", function.at))
                continue
            seen.add(name)
            all_notes = (taken(what, function.at), *function.notes, *own)
            yield DraftFunction(
                name=name, layers=layers, tag=function.tag, aliases=_aliases(function), notes=all_notes
            )


def _aliases(function: FoundFunction) -> tuple[str, ...]:
    return tuple(each for each in function.aliases if re.fullmatch(ALIAS, each))


def _problem(function: FoundFunction, layers: Sequence[str]) -> str | None:
    if function.runtime and not is_python(function.runtime) and not function.runtime.startswith("provided"):
        return f"its runtime is {in_comment(function.runtime)}"
    if not _FUNCTION_NAME.fullmatch(
        literal(function.name) or ("x" if has_placeholder(function.name) else "")
    ):
        return "this is not a valid name of a function"
    if len(layers) > LAYERS_PER_FUNCTION:
        return f"it has {len(layers)} layers; AWS allows {LAYERS_PER_FUNCTION}"
    return None if layers else "the manifest has none of its layers"


def _references(
    function: FoundFunction, layers: Mapping[str, FoundLayer], names: Mapping[str, str], notes: list[Note]
) -> Iterator[str]:
    """Yield the layers of a function as the manifest names them; add notes on those that it cannot have."""
    for reference in function.layers:
        if isinstance(reference, Unknown):
            text = f"a layer of {in_comment(function.name)}: {reference.reason}; add its ARN"
            notes.append(fill_in(text, reference.location))
        elif reference in names:
            yield names[reference]
        elif reference in layers:
            text = f"layer {layers[reference].name} of {in_comment(function.name)}: it is not in the manifest"
            notes.append(left_out(text, function.at))
        elif (arn := _arn(reference)) is not None:
            yield arn
        else:
            text = (
                f"layer {in_comment(reference)} of {in_comment(function.name)}: neither a layer nor its ARN"
            )
            notes.append(left_out(text, function.at))


def _arn(text: str) -> str | None:
    """Return a layer version's ARN as the manifest has it, where `{region}` is that of the deployment."""
    arn = text.replace(REGION, "{region}")
    shape = re.sub(r"\$\{\w+\}", "0" * 12, in_manifest(arn).replace("$$", "$"))
    return arn if re.fullmatch(LAYER_VERSION_ARN, shape) else None


def known_or_reason(value: object) -> str:
    """Return a text, or why it is not known."""
    return value.reason if isinstance(value, Unknown) else text(value)


def unknown_settings(what: str, properties: Table, keys: Iterable[str]) -> Iterator[Note]:
    """Yield a note on each setting whose value is only known at deployment."""
    for key in keys:
        for each in items(properties.get(key)):
            if isinstance(each, Unknown):
                yield fill_in(f"{what}: {key}: {each.reason}", each.location)
