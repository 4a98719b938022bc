"""Problems that involve more than one value: missing files, unknown layers, conflicting keys."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from entrypoint.errors import Diagnostic, Location
from entrypoint.limits import LAYERS_PER_FUNCTION, SECURITY_GROUPS_PER_FUNCTION, SUBNETS_PER_FUNCTION
from entrypoint.manifest.function_schema import unqualified
from entrypoint.manifest.layer_schema import is_requirements_file, lock_name, platforms_of
from entrypoint.manifest.paths import OUTSIDE_HINT, is_inside
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.manifest.yaml_nodes import Table, Text

HASH_MARK = "deps:sha256:"
"""What is before the dependency hash at the end of a layer version's description."""
_PLACEHOLDER = re.compile(r"\{(?:region|account)\}")
_ALARMS_OF_DEPLOYMENT = 10
"""https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html"""
NOTHING = Table({}, {}, Location(""))
_REQUIREMENTS_OF = {
    **dict.fromkeys(("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"), "name it under 'lock'"),
    "Pipfile": "export it: pipenv requirements > requirements.txt",
    "setup.py": "list its requirements in a requirements file",
    "setup.cfg": "list its requirements in a requirements file",
}
"""How to get requirements from files of other formats."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOT_FOUND_HINT = "create it or correct the path"


def problems_of(table: Table, folder: Path, roots: Sequence[Path] = ()) -> Iterator[Diagnostic]:
    """Yield every problem; relative paths start from `folder`, the manifest's, and stay inside `roots`."""
    if outside := tuple(_outside(table, folder, roots)):
        yield from outside  # and nothing about what is in these files
        return
    layers, functions = table.get("layers", NOTHING), table.get("functions", NOTHING)
    for layer in layers.values.values():
        yield from _wrong_requirements(folder, layer)
        yield from _missing_files(folder, layer)
        yield from _missing_python(layer)
        yield from _reserved_description(layer)
    yield from _wrong_references(layers, functions)
    yield from _shadowed_entries(functions)
    yield from _wrong_entries(layers, functions)
    yield from _missing_payloads(folder, table.get("rollout", NOTHING))
    yield from _wrong_shift(table.get("rollout", NOTHING))
    yield from _unknown_destinations(table)
    yield from _ambiguous_export(table, table.get("export", NOTHING))


def _outside(table: Table, folder: Path, roots: Sequence[Path]) -> Iterator[Diagnostic]:
    for text in (*_paths(table), *_filled_exports(table.get("export", NOTHING), folder)):
        try:
            inside = is_inside(folder / text, roots)
        except (OSError, RuntimeError, ValueError) as error:
            yield Diagnostic(f"invalid path {str(text)!r}: {error}", "correct the path", text.location)
            continue
        if not inside:
            yield Diagnostic(f"{text} is outside the repository", OUTSIDE_HINT, text.location)


def _paths(table: Table) -> Iterator[Text]:
    """Yield every path that the manifest names, with links and templates as they are written."""
    for layer in table.get("layers", NOTHING).values.values():
        yield from (text for text in layer.get("requirements", ()) if is_requirements_file(text))
        yield from layer.get("include", ())
        lock, platforms = layer.get("lock"), _platforms(layer)
        locks = (lock_name(lock, platform) for platform in platforms) if lock else ()
        yield from (Text.at(name, lock.location) for name in dict.fromkeys(locks))
        yield from filter(None, [layer.get("content")])
    invoke = table.get("rollout", NOTHING).get("check", NOTHING).get("invoke", NOTHING)
    yield from filter(None, [invoke.get("payload"), invoke.get("expect")])
    yield from filter(None, [table.get("export", NOTHING).get("file")])


def _filled_exports(export: Table, folder: Path) -> Iterator[Text]:
    """Yield what exists for the template of an exported file: a committed link may lead elsewhere."""
    file = export.get("file")
    if not file or not _PLACEHOLDER.search(file):
        return
    import glob  # noqa: PLC0415 - slow to import, and only for these templates

    pattern = Path(_PLACEHOLDER.sub("*", glob.escape(file)))
    for part in (pattern, *pattern.parents):
        if "*" in str(part):
            found = glob.iglob(str(part), root_dir=folder, include_hidden=True)  # noqa: PTH207 - may be absolute
            yield from (Text.at(name, file.location) for name in found)


def _wrong_requirements(folder: Path, layer: Table) -> Iterator[Diagnostic]:
    for text in layer.get("requirements", ()):
        if text.endswith(".toml") and Path(text).name != "pyproject.toml":
            hint = "use a pyproject.toml or a requirements file; set a pylock.toml under 'lock'"
            yield Diagnostic(f"{text} is not a supported requirements file", hint, text.location)
        elif is_requirements_file(text):
            if not (folder / text).is_file():
                yield Diagnostic(f"file {text} not found", _NOT_FOUND_HINT, text.location)
        elif _NAME.fullmatch(text) and (folder / text).exists():
            kind = "folder" if (folder / text).is_dir() else "file"
            message = f"{text} is a {kind} here, and would be looked up as a package in the index"
            hint = _REQUIREMENTS_OF.get(text, f"if you mean the package, write {text}>=0")
            yield Diagnostic(message, hint, text.location)


def _missing_files(folder: Path, layer: Table) -> Iterator[Diagnostic]:
    for text in (*layer.get("include", ()), *filter(None, [layer.get("content")])):
        if not (folder / text).exists() or (text is layer.get("content") and not (folder / text).is_dir()):
            kind = "folder" if text is layer.get("content") else "file or folder"
            yield Diagnostic(f"{kind} {text} not found", _NOT_FOUND_HINT, text.location)
    lock = layer.get("lock")
    if lock:
        names = dict.fromkeys(lock_name(lock, platform) for platform in _platforms(layer))
        for name in names:
            if not (folder / name).is_file():
                yield Diagnostic(f"file {name} not found", _NOT_FOUND_HINT, lock.location)


def _missing_python(layer: Table) -> Iterator[Diagnostic]:
    for runtime in layer.get("runtimes", ()):
        if RUNTIMES[runtime].python is None and (keys := layer.keys.keys() & {"requirements", "include"}):
            message = f"{runtime} has no Python and does not support {' and '.join(sorted(keys))}"
            yield Diagnostic(message, "use only 'content', or choose a Python runtime", runtime.location)


def _reserved_description(layer: Table) -> Iterator[Diagnostic]:
    text = layer.get("description")
    if text and HASH_MARK in text:
        message = f"a description cannot contain {HASH_MARK!r}, which marks the dependency hash"
        yield Diagnostic(message, "remove it", text.location)


def _wrong_references(layers: Table, functions: Table) -> Iterator[Diagnostic]:
    for pattern, function in functions.values.items():
        references = function.get("layers", ())
        for layer in references:
            if not layer.startswith("arn:") and layer not in layers.keys:
                yield _unknown_layer(layer, layers)
        if len(references) > LAYERS_PER_FUNCTION:
            message = f"{len(references)} layers exceed the limit of {LAYERS_PER_FUNCTION} per function"
            yield Diagnostic(message, "merge some of them", functions.keys[pattern])


def _unknown_layer(name: Text, layers: Table) -> Diagnostic:
    hint = f"choose one of {', '.join(layers.keys)}" if layers.keys else "add it under 'layers'"
    return Diagnostic(f"layer {str(name)!r} is not defined in this manifest", hint, name.location)


def _shadowed_entries(functions: Table) -> Iterator[Diagnostic]:
    globs: list[str] = []
    for pattern, entry in functions.values.items():
        if entry.keys.keys() & {"tag", "using"}:
            continue
        if "*" in pattern or "?" in pattern or "[" in pattern:
            globs.append(pattern)
        elif glob := next((glob for glob in globs if fnmatchcase(pattern, glob)), None):
            message = f"{pattern!r} has no effect: {glob!r} above it matches first"
            yield Diagnostic(message, f"move it above {glob!r}", functions.keys[pattern])


def _wrong_entries(layers: Table, functions: Table) -> Iterator[Diagnostic]:
    for pattern, entry in functions.values.items():
        using, location = entry.get("using"), functions.keys[pattern]
        if using and "tag" in entry.keys:
            message = "'tag' and 'using' cannot be combined: both select the functions"
            yield Diagnostic(message, "remove one of them", location)
        if using and using not in layers.keys:
            yield _unknown_layer(using, layers)
        aliases = entry.get("aliases", ()) or unqualified(pattern)[1]
        yield from _wrong_concurrency(entry, len(aliases))
        yield from _wrong_vpc(entry)


def _wrong_concurrency(entry: Table, aliases: int) -> Iterator[Diagnostic]:
    """Yield what AWS would refuse: each alias is provisioned, and all of them share a reservation."""
    concurrency = entry.get("concurrency", NOTHING)
    provisioned, reserved = concurrency.get("provisioned"), concurrency.get("reserved")
    if provisioned is None:
        return
    if not aliases:
        message = "provisioned concurrency requires an alias"
        yield Diagnostic(message, "add 'aliases: [...]'", entry.keys["concurrency"])
    elif isinstance(provisioned, int) and isinstance(reserved, int) and provisioned * aliases > reserved:
        total = f"{provisioned} for each of {aliases} aliases" if aliases > 1 else str(provisioned)
        message = f"provisioned concurrency ({total}) exceeds the reserved concurrency of {reserved}"
        yield Diagnostic(
            message, f"reserve at least {provisioned * aliases}", concurrency.keys["provisioned"]
        )


def _wrong_vpc(entry: Table) -> Iterator[Diagnostic]:
    vpc = entry.get("vpc", NOTHING)
    for key, what, most in (
        ("subnets", "subnets", SUBNETS_PER_FUNCTION),
        ("security_groups", "security groups", SECURITY_GROUPS_PER_FUNCTION),
    ):
        number = len(vpc.get(key, ())) if isinstance(vpc, Table) else 0
        if number > most:
            message = f"{number} {what} exceed the limit of {most} per function"
            yield Diagnostic(message, "use fewer, such as one subnet for each zone", vpc.keys[key])


def _missing_payloads(folder: Path, rollout: Table) -> Iterator[Diagnostic]:
    invoke = rollout.get("check", NOTHING).get("invoke", NOTHING)
    for text in filter(None, [invoke.get("payload"), invoke.get("expect")]):
        import json  # noqa: PLC0415 - slow to import, and only for these files

        try:
            json.loads((folder / text).read_text("utf-8"))
        except OSError:
            yield Diagnostic(f"file {text} not found", _NOT_FOUND_HINT, text.location)
        except ValueError as error:
            yield Diagnostic(f"{text} is not valid JSON: {error}", "fix its syntax", text.location)


def _wrong_shift(rollout: Table) -> Iterator[Diagnostic]:
    """Yield what CodeDeploy would refuse, and what would shift the traffic of aliases too."""
    if "shift" not in rollout.keys:
        return
    if "canary" in rollout.keys:
        message = "'canary' and 'shift' cannot be combined: both shift the traffic of aliases"
        yield Diagnostic(message, "remove one of them", rollout.keys["canary"])
    check = rollout.get("check", NOTHING)
    if len(check.get("alarms", ())) > _ALARMS_OF_DEPLOYMENT:
        message = f"CodeDeploy watches at most {_ALARMS_OF_DEPLOYMENT} alarms"
        yield Diagnostic(message, "combine some in a composite alarm", check.keys["alarms"])


def _unknown_destinations(table: Table) -> Iterator[Diagnostic]:
    """Yield a problem for each destination of the rollout that is not one of the manifest."""
    regions = table.get("regions", ())
    accounts = [role.split(":")[4] for role in table.get("accounts", ())]
    for stage in table.get("rollout", NOTHING).get("destinations", ()):
        for text in stage:
            for part in text.split("/"):
                key, known = ("accounts", accounts) if part.isdecimal() else ("regions", regions)
                if part not in known and (known or key == "accounts"):
                    yield Diagnostic(
                        f"{part} is not in {key!r}", "add it there, or correct it", text.location
                    )


def _ambiguous_export(table: Table, export: Table) -> Iterator[Diagnostic]:
    """Yield a problem for each template that gives several ARNs the same name."""
    ssm, file = export.get("ssm"), export.get("file")
    targets = sum(len(_platforms(layer)) for layer in table.get("layers", NOTHING).values.values())
    if ssm and targets > 1 and "{target}" not in ssm:
        message = f"all {targets} targets would be exported to the same parameter {ssm}"
        yield Diagnostic(message, "add {target} to its name", ssm.location)
    for key in ("region", "account"):
        number = len(table.get(f"{key}s", ()))
        if file and number > 1 and f"{{{key}}}" not in file:
            message = f"{number} {key}s would be exported to the same file {file}"
            yield Diagnostic(message, f"add {{{key}}} to its name", file.location)


def _platforms(layer: Table) -> tuple[Platform, ...]:
    return platforms_of(layer.get("runtimes", ()), layer.get("architectures", (Architecture.X86_64,)))
