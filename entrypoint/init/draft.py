"""A manifest before it is written: what was found, as values, and their YAML, which loads."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import yaml

from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest.runtimes import RUNTIMES, Architecture
from entrypoint.manifest.schema import FUNCTION_GLOB, LAYER_VERSION_ARN

_HEAD = """\
# Which Lambda layers exist, and which functions use them. Made by `lambda-layers init`.
# Next: `lambda-layers lock` pins the packages, `lambda-layers plan` shows what a deployment would do.
version: 1
"""
_NO_REGION = "# regions: [eu-west-1]            # where it is left out, the region of your AWS credentials\n"
_FUNCTIONS = """
# The functions by name, ARN or glob; each gets the build that fits its runtime and architecture.
"""
_NO_FUNCTIONS = """\
# functions:
#   my-function:
#     layers: [{name}]
#   "report-*":
#     layers: [{name}]
"""
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?:==[A-Za-z0-9.+!]+)?")
_NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""What YAML takes for something else than text."""
_SHORT = 3
_WIDTH = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftLayer:
    """A layer that was found; it has requirements, or else content."""

    name: str
    #: Files from the manifest's folder, or requirements.
    requirements: tuple[str, ...] = ()
    content: str | None = None
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...] = (Architecture.X86_64,)
    #: What people should know.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFunction:
    """A function that was found: a name or a glob, and names of layers and layer version ARNs."""

    name: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was found."""

    layers: tuple[DraftLayer, ...]
    functions: tuple[DraftFunction, ...] = ()
    region: str | None = None
    #: What people should know, and what was left out.
    notes: tuple[str, ...] = ()


def written(draft: Draft) -> str:
    """Return the manifest; what no manifest may say is left out, and told of in a comment."""
    draft = _fitting(draft)
    region = f"regions: [{draft.region}]\n" if draft.region else _NO_REGION
    layers = "".join(_layer(layer, number == 0) for number, layer in enumerate(draft.layers))
    functions = "".join(_function(function) for function in draft.functions)
    tail = f"functions:\n{functions}" if functions else _NO_FUNCTIONS.format(name=draft.layers[0].name)
    notes = "".join(_comment(note, "") for note in draft.notes)
    return f"{_HEAD}{region}{notes}\nlayers:\n{layers}{_FUNCTIONS}{tail}"


def layer_name(text: str) -> str:
    """Return what a layer may be called that is near to a text."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", text)[:100] or "shared"


def known_runtimes(runtimes: Iterable[object], *, python: bool) -> tuple[str, ...]:
    """Return those of these runtimes that a layer can be built for, each once."""
    named = dict.fromkeys(runtime for runtime in runtimes if isinstance(runtime, str))
    return tuple(name for name in named if name in RUNTIMES and (RUNTIMES[name].python or not python))


def known_architectures(architectures: Iterable[object]) -> tuple[str, ...]:
    """Return those of these architectures that there are, each once."""
    named = dict.fromkeys(each for each in architectures if isinstance(each, str))
    return tuple(name for name in named if name in set(Architecture))


def _fitting(draft: Draft) -> Draft:
    """Leave out functions that no manifest may name, and put globs last: the first that matches counts."""
    known = {layer.name for layer in draft.layers}
    kept: dict[str, DraftFunction] = {}
    notes = list(draft.notes)
    for function in sorted(draft.functions, key=lambda each: "*" in each.name):
        layers = tuple(dict.fromkeys(each for each in function.layers if each in known or _is_arn(each)))
        lost = [each for each in function.layers if each not in layers]
        if lost and layers:
            notes.append(f"Left out of {function.name}: {', '.join(lost)}.")
        fits = re.fullmatch(FUNCTION_GLOB, function.name) and len(layers) <= LAYERS_PER_FUNCTION
        if fits and layers and function.name not in kept:
            kept[function.name] = replace(function, layers=layers)
        else:
            notes.append(f"Left out: the function {function.name}, with {', '.join(function.layers)}.")
    return replace(draft, functions=tuple(kept.values()), notes=tuple(notes))


def _is_arn(text: str) -> bool:
    return re.fullmatch(LAYER_VERSION_ARN, text) is not None


def _layer(layer: DraftLayer, first: bool) -> str:
    told = ("         # one archive for each runtime and architecture", "       # x86_64, arm64, or both")
    lines = [f"  {_scalar(layer.name)}:\n", *(_comment(note, "    ") for note in layer.notes)]
    if layer.requirements:
        lines += _requirements(layer.requirements)
    if layer.content:
        lines.append(f"    content: {_scalar(layer.content)}\n")
    lines.append(f"    runtimes: [{', '.join(layer.runtimes)}]{told[0] if first else ''}\n")
    lines.append(f"    architectures: [{', '.join(layer.architectures)}]{told[1] if first else ''}\n")
    return "".join(lines)


def _requirements(requirements: Sequence[str]) -> Iterator[str]:
    if len(requirements) == 1 and requirements[0].endswith((".in", ".txt", ".toml")):
        yield f"    requirements: {_scalar(requirements[0])}\n"
    elif len(requirements) <= _SHORT:
        yield f"    requirements: [{', '.join(map(_scalar, requirements))}]\n"
    else:
        yield "    requirements:\n"
        yield from (f"      - {_scalar(each)}\n" for each in requirements)


def _function(function: DraftFunction) -> str:
    return f"  {_scalar(function.name)}:\n    layers: [{', '.join(map(_scalar, function.layers))}]\n"


def _scalar(text: str) -> str:
    """Write a text so that the manifest's reader gives it back, whatever is in it."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    dumped: str = yaml.safe_dump(text.replace("$", "$$"), default_style='"', width=float("inf"))
    return dumped.strip()


def _comment(text: str, indent: str) -> str:
    printable = "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))
    lines, words = [], printable.split()
    while words:
        line = [words.pop(0)]
        while words and len(" ".join([*line, words[0]])) < _WIDTH - len(indent):
            line.append(words.pop(0))
        lines.append(f"{indent}# {' '.join(line)}\n")
    return "".join(lines)


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return the name, or one like it that is not taken."""
    others = set(taken)
    numbered = (f"{name[:95]}-{number}" for number in count(2))
    return name if name not in others else next(each for each in numbered if each not in others)
