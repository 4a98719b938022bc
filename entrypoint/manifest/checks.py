"""What is wrong with a manifest beyond the shape of its values: it names what is not there, or twice."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from entrypoint.errors import Diagnostic, Location
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest.layer_schema import REQUIREMENTS_ENDINGS
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.manifest.yaml_nodes import Table

NOTHING = Table({}, {}, Location(""))
_PARTS_OF_A_FUNCTION_ARN = 7
_EXPORTS = {
    "uv.lock": "uv export --format pylock.toml -o pylock.toml",
    "poetry.lock": "poetry export -o requirements.txt",
    "pdm.lock": "pdm export -f pylock -o pylock.toml",
    "Pipfile.lock": "pipenv requirements --hash > requirements.txt",
}
"""How to get a lock that every tool reads out of one that only its own does."""


def problems_of(table: Table, folder: Path) -> Iterator[Diagnostic]:
    """Yield all that is wrong; paths are taken from the manifest's folder."""
    layers, functions = table.get("layers", NOTHING), table.get("functions", NOTHING)
    for layer in layers.values.values():
        yield from _missing_files(folder, layer)
        yield from _python_without_python(layer)
    yield from _wrong_references(layers, functions)
    yield from _shadowed_entries(functions)
    yield from _wrong_entries(layers, functions)
    yield from _missing_payloads(folder, table.get("rollout", NOTHING))
    yield from _ambiguous_export(table, table.get("export", NOTHING))


def _missing_files(folder: Path, layer: Table) -> Iterator[Diagnostic]:
    for text in layer.get("requirements", ()):
        if text.endswith(".toml") and Path(text).name != "pyproject.toml":
            hint = "name a pyproject.toml or a requirements file; a pylock.toml goes under 'lock'"
            yield Diagnostic(f"{text} is no input", hint, text.location)
        elif is_file_name(text) and not (folder / text).is_file():
            yield Diagnostic(f"there is no file {text}", "create it, or mend its name", text.location)
    for text in (*layer.get("include", ()), *filter(None, [layer.get("content")])):
        if not (folder / text).exists() or (text is layer.get("content") and not (folder / text).is_dir()):
            kind = "folder" if text is layer.get("content") else "file or folder"
            yield Diagnostic(f"there is no {kind} {text}", "create it, or mend its name", text.location)
    lock = layer.get("lock")
    if lock and (export := _EXPORTS.get(Path(lock).name)):
        hint = f"export it ({export}), and name the exported file"
        yield Diagnostic(f"{lock} is in a format of its tool's own", hint, lock.location)
    elif lock:
        platforms = platforms_of(layer)
        missing = dict.fromkeys(name for p in platforms if not (folder / (name := filled(lock, p))).is_file())
        for name in missing:
            yield Diagnostic(f"there is no file {name}", "create it, or mend its name", lock.location)


def _python_without_python(layer: Table) -> Iterator[Diagnostic]:
    for runtime in layer.get("runtimes", ()):
        if RUNTIMES[runtime].python is None and (keys := layer.keys.keys() & {"requirements", "include"}):
            message = f"{runtime} has no Python for {' and '.join(sorted(keys))}"
            yield Diagnostic(message, "give it 'content:' only, or another runtime", runtime.location)


def _wrong_references(layers: Table, functions: Table) -> Iterator[Diagnostic]:
    for pattern, function in functions.values.items():
        references = function.get("layers", ())
        for layer in references:
            if not layer.startswith("arn:") and layer not in layers.keys:
                hint = f"choose one of {', '.join(layers.keys)}" if layers.keys else "add it under 'layers'"
                yield Diagnostic(f"there is no layer {str(layer)!r} in this manifest", hint, layer.location)
        if len(references) > LAYERS_PER_FUNCTION:
            message = f"{len(references)} layers are too many for a function"
            hint = f"AWS takes at most {LAYERS_PER_FUNCTION}; merge some of them"
            yield Diagnostic(message, hint, functions.keys[pattern])


def _shadowed_entries(functions: Table) -> Iterator[Diagnostic]:
    globs: list[str] = []
    for pattern, entry in functions.values.items():
        if entry.keys.keys() & {"tag", "using"}:
            continue
        if "*" in pattern or "?" in pattern or "[" in pattern:
            globs.append(pattern)
        elif glob := next((glob for glob in globs if fnmatchcase(pattern, glob)), None):
            message = f"{pattern!r} never counts: {glob!r} above matches it first"
            yield Diagnostic(message, "move it above that entry", functions.keys[pattern])


def _wrong_entries(layers: Table, functions: Table) -> Iterator[Diagnostic]:
    for pattern, entry in functions.values.items():
        using, location = entry.get("using"), functions.keys[pattern]
        if using and "tag" in entry.keys:
            message = "'tag' and 'using' both say which functions are meant"
            yield Diagnostic(message, "leave one of them out", location)
        if using and using not in layers.keys:
            hint = f"choose one of {', '.join(layers.keys)}"
            yield Diagnostic(f"there is no layer {str(using)!r} in this manifest", hint, using.location)
        aliases = entry.get("aliases", ()) or unqualified(pattern)[1]
        if entry.get("concurrency", NOTHING).get("provisioned") and not aliases:
            message = "provisioned concurrency is kept on aliases, and none is named"
            yield Diagnostic(message, "write 'aliases: [...]'", entry.keys["concurrency"])


def _missing_payloads(folder: Path, rollout: Table) -> Iterator[Diagnostic]:
    invoke = rollout.get("check", NOTHING).get("invoke", NOTHING)
    for text in filter(None, [invoke.get("payload"), invoke.get("expect")]):
        import json  # noqa: PLC0415 - for those who have such files

        try:
            json.loads((folder / text).read_text("utf-8"))
        except OSError:
            yield Diagnostic(f"there is no file {text}", "create it, or mend its name", text.location)
        except ValueError as error:
            yield Diagnostic(f"{text} is no JSON: {error}", "mend it", text.location)


def _ambiguous_export(table: Table, export: Table) -> Iterator[Diagnostic]:
    """Tell of templates that would put several ARNs into one place."""
    ssm, file = export.get("ssm"), export.get("file")
    targets = sum(len(platforms_of(layer)) for layer in table.get("layers", NOTHING).values.values())
    if ssm and targets > 1 and "{target}" not in ssm:
        message = f"all {targets} targets would be exported to the one parameter {ssm}"
        yield Diagnostic(message, "put {target} into its name", ssm.location)
    for key in ("region", "account"):
        number = len(table.get(f"{key}s", ()))
        if file and number > 1 and f"{{{key}}}" not in file:
            message = f"{number} {key}s would be exported to the one file {file}"
            yield Diagnostic(message, f"put {{{key}}} into its name", file.location)


def is_file_name(text: str) -> bool:
    """Tell a requirements file from a requirement."""
    return text.endswith(REQUIREMENTS_ENDINGS)


def platforms_of(layer: Table) -> tuple[Platform, ...]:
    """Return all that a layer is built for."""
    return tuple(
        Platform(RUNTIMES[runtime], Architecture(architecture))
        for runtime in layer.get("runtimes", ())
        for architecture in layer.get("architectures", (Architecture.X86_64,))
    )


def filled(template: str, platform: Platform) -> str:
    """Return the name of a platform's own lock."""
    return template.replace("{runtime}", str(platform.runtime)).replace(
        "{architecture}", platform.architecture
    )


def unqualified(pattern: str) -> tuple[str, tuple[str, ...]]:
    """Part a function's ARN from the alias that may stand behind it."""
    parts = pattern.split(":")
    if pattern.startswith("arn:") and len(parts) > _PARTS_OF_A_FUNCTION_ARN:
        return ":".join(parts[:-1]), (parts[-1],)
    return pattern, ()
