"""Writes the reference from the code: `make reference`. A test holds the pages and the code equal.

Takes the folder to write into; by default the pages go beside this file.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from entrypoint import errors
from entrypoint.commands import NAMES, command
from entrypoint.errors import LayersError
from entrypoint.manifest.fields import (
    Constant,
    Flag,
    FlagOr,
    ListOf,
    MapOf,
    Number,
    PortionOf,
    Record,
    Shape,
    String,
)
from entrypoint.manifest.runtimes import RUNTIMES
from entrypoint.manifest.schema import MANIFEST

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
_NOTICE = "<!-- Made by `make reference`; change the code that it tells of. -->\n"
_OF_THE_MANIFEST = """\
Every key, from the declaration that the parser itself reads. A key that is not listed is refused, but for those at
the top that begin with `x-`. `lambda-layers schema` prints the same as JSON Schema, with the patterns that names
have to match. The [README](https://github.com/lambda-layer-pipeline/lambda-layer-pipeline#the-manifest) has an
example.
"""
_OF_THE_RUNTIMES = """\
A wheel, and all compiled code in it, may need no newer C and C++ libraries than these. From the day that it is
deprecated the plan warns of a runtime; from the day that updates are blocked it refuses. [Why that
matters](../explanation.md#wheel-tags-and-glibc).
"""
_CODES = {
    0: "Success",
    1: "A bug in this program; please report the traceback",
    2: "`status` found drift, or `plan --detailed-exitcode` found something to do",
    130: "Interrupted with Ctrl-C",
}
"""The exit codes that no error stands for."""


def manifest() -> str:
    """Return the page of the manifest's keys: a table for each mapping that it may hold."""
    parts = [f"# The manifest\n\n{_NOTICE}\n{_OF_THE_MANIFEST}"]
    for path, record in _records("", MANIFEST):
        rows = [
            (
                f"`{key}`",
                _shape(field.shape),
                "yes" if field.required else _one_of(key, record),
                _cell(field.help),
            )
            for key, field in record.fields.items()
        ]
        title = f"`{path}`" if path else "At the top"
        parts.append(f"## {title}\n\n{_table(('key', 'what it looks like', 'required', 'what it is'), rows)}")
    return "\n".join(parts)


def commands() -> str:
    """Return the page of commands, options and exit codes."""
    intro = "`lambda-layers COMMAND --help` says the same; so does `docker run` with the image.\n"
    parts = [f"# Commands and exit codes\n\n{_NOTICE}\n{intro}"]
    for name in NAMES:
        rows = [
            (f"`{_spelled(option.name, option.settings)}`", _cell(option.help % option.settings))
            for option in command(name).options
        ]
        table = f"\n{_table(('argument or option', 'what it is'), rows)}" if rows else ""
        parts.append(f"## `lambda-layers {name}`\n\n{command(name).help}\n{table}")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not LayersError]
    told = _CODES | {kind.exit_code: kind.summary for kind in kinds if issubclass(kind, LayersError)}
    rows = [(str(code), told[code]) for code in sorted(told)]
    parts.append(f"## Exit codes\n\n{_table(('exit code', 'meaning'), rows)}")
    return "\n".join(parts)


def action() -> str:
    """Return the page of what stands in others' YAML: the action, the reusable workflow, the hooks."""
    step = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    reusable = yaml.safe_load((ROOT / ".github" / "workflows" / "layers.yml").read_text("utf-8"))
    call = reusable[True]["workflow_call"]  # YAML 1.1 reads the key `on` as true
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    rows = [(f"`{hook['id']}`", _cell(hook["description"])) for hook in hooks]
    return "\n".join(
        [
            f"# The action, the reusable workflow, the hooks\n\n{_NOTICE}",
            "How they go together: [in GitHub Actions](../workflows.md).\n",
            f"## Inputs of the action\n\n{_inputs(step['inputs'])}",
            f"## Outputs of the action\n\n{_outputs(step['outputs'])}",
            f"## Inputs of the reusable workflow\n\n{_inputs(call['inputs'])}",
            f"## Outputs of the reusable workflow\n\n{_outputs(call['outputs'])}",
            f"## Hooks for pre-commit\n\n{_table(('hook', 'what it makes sure of'), rows)}",
        ]
    )


def runtimes() -> str:
    """Return the page of runtimes, with what their wheels are chosen by."""
    rows = [
        (
            f"`{runtime}`" + (" (preview)" if runtime.preview else ""),
            runtime.python or "none",
            *(".".join(map(str, version)) for _, version in runtime.system.symbols),
            str(runtime.deprecated or ""),
            str(runtime.updates_blocked or ""),
        )
        for runtime in RUNTIMES.values()
    ]
    heads = ("runtime", "Python", "GLIBC", "GLIBCXX", "CXXABI", "deprecated", "updates blocked")
    return f"# Runtimes\n\n{_NOTICE}\n{_OF_THE_RUNTIMES}\n{_table(heads, rows)}"


def _records(path: str, shape: Shape) -> Iterator[tuple[str, Record]]:
    """Walk the mappings with known keys, each before those that it holds, with where it stands."""
    match shape:
        case Record():
            yield path, shape
            for key, field in shape.fields.items():
                yield from _records(f"{path}.{key}" if path else key, field.shape)
        case MapOf():
            yield from _records(f"{path}.NAME", shape.item)
        case ListOf():
            yield from _records(f"{path}[]", shape.item)


def _shape(shape: Shape) -> str:  # noqa: C901 - a line for each shape
    """What a value looks like, in words."""
    match shape:
        case Constant():
            text = f"`{shape.value}`"
        case String() if shape.choices:
            text = ", ".join(f"`{choice}`" for choice in shape.choices)
        case String():
            text = shape.meaning + (f", at most {shape.longest} characters" if shape.longest else "")
        case Flag():
            text = "`true`, `false`"
        case FlagOr():
            text = f"`true`, `false`, `{shape.word}`"
        case Number():
            limits = f"from {shape.least}" + ("" if shape.most is None else f" to {shape.most}")
            text = f"{shape.meaning}, {limits}"
        case PortionOf():
            text = shape.meaning
        case ListOf():
            text = ("one, or a list: " if shape.single else "a list: ") + _shape(shape.item)
        case MapOf():
            text = f"a mapping: {shape.meaning} to {_shape(shape.item)}"
        case Record():
            text = "keys, see below"
        case _:
            raise TypeError(f"there are no words yet for {type(shape).__name__}")
    return text


def _one_of(key: str, record: Record) -> str:
    return "one of these" if key in record.any_of else ""


def _spelled(name: str, settings: Mapping[str, Any]) -> str:
    """How an option is written, with what it takes."""
    if not name.startswith("-"):
        metavar = settings["metavar"]
        return f"[{metavar}]" if settings.get("nargs") == "?" else str(metavar)
    if "choices" in settings:
        return f"{name} {{{','.join(settings['choices'])}}}"
    return f"{name} {settings['metavar']}" if "metavar" in settings else name


def _inputs(inputs: dict[str, dict[str, object]]) -> str:
    rows = [
        (f"`{name}`", _cell(str(value["description"])), _default(value)) for name, value in inputs.items()
    ]
    return _table(("input", "what it is", "default"), rows)


def _default(value: dict[str, object]) -> str:
    if value.get("required"):
        return "required"
    default = value.get("default", "")
    return f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else ""


def _outputs(outputs: dict[str, dict[str, str]]) -> str:
    rows = [(f"`{name}`", _cell(value["description"])) for name, value in outputs.items()]
    return _table(("output", "what it is"), rows)


def _cell(text: str) -> str:
    """Keep what stands in a cell from being read as HTML or as the cell's end."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join("|" + "|".join(f" {cell} " if cell else " " for cell in line) + "|\n" for line in lines)


PAGES = {"manifest.md": manifest, "commands.md": commands, "action.md": action, "runtimes.md": runtimes}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (Path(sys.argv[1] if sys.argv[1:] else HERE) / page).write_text(write(), "utf-8")
