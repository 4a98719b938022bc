"""lambda-layers.yml -> Manifest.

In: the file's text and the variables for `${NAME}`. Out: a `Manifest`, or one ManifestError with all
problems, each at its line. Nothing here touches the network, a lock or AWS.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from entrypoint.errors import ManifestError, Place, Problem
from entrypoint.layer_schema import DEFAULT_BUILDER, DEFAULT_NAME, REQUIREMENTS_ENDINGS
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest import (
    AT_ONCE,
    Audit,
    Bucket,
    Concurrency,
    Export,
    FunctionEntry,
    Invocation,
    Layer,
    Manifest,
    Requirements,
    Rollout,
    Share,
    Vpc,
)
from entrypoint.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.schema import MANIFEST
from entrypoint.shapes import Portion
from entrypoint.yaml_file import Reader, Table, compose

NOTHING = Table({}, {}, Place(""))
_PARTS_OF_A_FUNCTION_ARN = 7
_EXPORTS = {
    "uv.lock": "uv export --format pylock.toml -o pylock.toml",
    "poetry.lock": "poetry export -o requirements.txt",
    "pdm.lock": "pdm export -f pylock -o pylock.toml",
    "Pipfile.lock": "pipenv requirements --hash > requirements.txt",
}
"""How to get a lock that every tool reads out of one that only its own does."""


def load(path: Path, *, text: str, shown: str, variables: Mapping[str, str]) -> Manifest:
    """Parse the manifest's text; paths in it are taken from the manifest's folder.

    Raises:
        ManifestError: with every problem of the file, not only the first.
    """
    reader = Reader(shown, variables)
    table = MANIFEST.read(compose(text, shown), reader)
    if table is not None:
        layers, functions = table.get("layers", NOTHING), table.get("functions", NOTHING)
        for layer in layers.values.values():
            reader.problems.extend(_missing_files(path.parent, layer))
            reader.problems.extend(_python_without_python(layer))
        reader.problems.extend(_wrong_references(layers, functions))
        reader.problems.extend(_shadowed_entries(functions))
        reader.problems.extend(_wrong_entries(layers, functions))
        reader.problems.extend(_missing_payloads(path.parent, table.get("rollout", NOTHING)))
        reader.problems.extend(_ambiguous_export(table, table.get("export", NOTHING)))
        if not reader.problems:
            return _manifest(path, table)
    raise ManifestError(*sorted(reader.problems, key=_position))


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.place.line or 0, problem.place.column or 0) if problem.place else (0, 0)


def _missing_files(folder: Path, layer: Table) -> Iterator[Problem]:
    for text in layer.get("requirements", ()):
        if text.endswith(".toml") and Path(text).name != "pyproject.toml":
            remedy = "name a pyproject.toml or a requirements file; a pylock.toml goes under 'lock'"
            yield Problem(f"{text} is no input", remedy, text.place)
        elif _is_file_name(text) and not (folder / text).is_file():
            yield Problem(f"there is no file {text}", "create it, or mend its name", text.place)
    for text in (*layer.get("include", ()), *filter(None, [layer.get("content")])):
        if not (folder / text).exists() or (text is layer.get("content") and not (folder / text).is_dir()):
            kind = "folder" if text is layer.get("content") else "file or folder"
            yield Problem(f"there is no {kind} {text}", "create it, or mend its name", text.place)
    lock = layer.get("lock")
    if lock and (export := _EXPORTS.get(Path(lock).name)):
        remedy = f"export it ({export}), and name the exported file"
        yield Problem(f"{lock} is in a format of its tool's own", remedy, lock.place)
    elif lock:
        platforms = _platforms(layer)
        missing = dict.fromkeys(
            name for p in platforms if not (folder / (name := _filled(lock, p))).is_file()
        )
        for name in missing:
            yield Problem(f"there is no file {name}", "create it, or mend its name", lock.place)


def _python_without_python(layer: Table) -> Iterator[Problem]:
    for runtime in layer.get("runtimes", ()):
        if RUNTIMES[runtime].python is None and (keys := layer.keys.keys() & {"requirements", "include"}):
            message = f"{runtime} has no Python for {' and '.join(sorted(keys))}"
            yield Problem(message, "give it 'content:' only, or another runtime", runtime.place)


def _wrong_references(layers: Table, functions: Table) -> Iterator[Problem]:
    for pattern, function in functions.values.items():
        references = function.get("layers", ())
        for layer in references:
            if not layer.startswith("arn:") and layer not in layers.keys:
                remedy = f"choose one of {', '.join(layers.keys)}" if layers.keys else "add it under 'layers'"
                yield Problem(f"there is no layer {str(layer)!r} in this manifest", remedy, layer.place)
        if len(references) > LAYERS_PER_FUNCTION:
            message = f"{len(references)} layers are too many for a function"
            remedy = f"AWS takes at most {LAYERS_PER_FUNCTION}; merge some of them"
            yield Problem(message, remedy, functions.keys[pattern])


def _shadowed_entries(functions: Table) -> Iterator[Problem]:
    globs: list[str] = []
    for pattern, entry in functions.values.items():
        if entry.keys.keys() & {"tag", "using"}:
            continue
        if "*" in pattern or "?" in pattern or "[" in pattern:
            globs.append(pattern)
        elif glob := next((glob for glob in globs if fnmatchcase(pattern, glob)), None):
            message = f"{pattern!r} never counts: {glob!r} above matches it first"
            yield Problem(message, "move it above that entry", functions.keys[pattern])


def _wrong_entries(layers: Table, functions: Table) -> Iterator[Problem]:
    for pattern, entry in functions.values.items():
        using, place = entry.get("using"), functions.keys[pattern]
        if using and "tag" in entry.keys:
            message = "'tag' and 'using' both say which functions are meant"
            yield Problem(message, "leave one of them out", place)
        if using and using not in layers.keys:
            remedy = f"choose one of {', '.join(layers.keys)}"
            yield Problem(f"there is no layer {str(using)!r} in this manifest", remedy, using.place)
        aliases = entry.get("aliases", ()) or _unqualified(pattern)[1]
        if entry.get("concurrency", NOTHING).get("provisioned") and not aliases:
            message = "provisioned concurrency is kept on aliases, and none is named"
            yield Problem(message, "write 'aliases: [...]'", entry.keys["concurrency"])


def _missing_payloads(folder: Path, rollout: Table) -> Iterator[Problem]:
    invoke = rollout.get("check", NOTHING).get("invoke", NOTHING)
    for text in filter(None, [invoke.get("payload"), invoke.get("expect")]):
        import json  # noqa: PLC0415 - for those who have such files

        try:
            json.loads((folder / text).read_text("utf-8"))
        except OSError:
            yield Problem(f"there is no file {text}", "create it, or mend its name", text.place)
        except ValueError as error:
            yield Problem(f"{text} is no JSON: {error}", "mend it", text.place)


def _ambiguous_export(table: Table, export: Table) -> Iterator[Problem]:
    """Tell of templates that would put several ARNs into one place."""
    ssm, file = export.get("ssm"), export.get("file")
    targets = sum(len(_platforms(layer)) for layer in table.get("layers", NOTHING).values.values())
    if ssm and targets > 1 and "{target}" not in ssm:
        message = f"all {targets} targets would be exported to the one parameter {ssm}"
        yield Problem(message, "put {target} into its name", ssm.place)
    for key in ("region", "account"):
        number = len(table.get(f"{key}s", ()))
        if file and number > 1 and f"{{{key}}}" not in file:
            message = f"{number} {key}s would be exported to the one file {file}"
            yield Problem(message, f"put {{{key}}} into its name", file.place)


def _manifest(path: Path, table: Table) -> Manifest:
    layers, functions = table.get("layers"), table.get("functions", NOTHING)
    bucket, export = table.get("s3"), table.get("export")
    return Manifest(
        path=path,
        regions=table.get("regions", ()),
        layers={name: _layer(path.parent, name, layers) for name in layers.values},
        functions=tuple(_function(name, functions) for name in functions.values),
        bucket=Bucket(bucket=bucket.get("bucket"), prefix=bucket.get("prefix", "")) if bucket else None,
        accounts=tuple(map(str, table.get("accounts", ()))),
        rollout=_rollout(path.parent, table.get("rollout")),
        export=Export(export.get("ssm"), export.get("file")) if export else None,
        audit=_audit(table.get("audit")),
    )


def _audit(table: Table | None) -> Audit | None:
    if table is None:
        return None
    ignored, standard = frozenset(table.get("ignore", NOTHING).values), Audit()
    return Audit(table.get("severity", standard.severity), ignored, table.get("url", standard.url))


def _layer(folder: Path, name: str, layers: Table) -> Layer:
    table: Table = layers.get(name)
    texts = table.get("requirements", ())
    content = table.get("content")
    platforms = _platforms(table)
    lock = table.get("lock")
    return Layer(
        name=name,
        place=layers.keys[name],
        requirements=Requirements(
            files=tuple(folder / text for text in texts if _is_file_name(text)),
            lines=tuple((str(text), text.place) for text in texts if not _is_file_name(text)),
            extras=tuple(map(str, table.get("extras", ()))),
            groups=tuple(map(str, table.get("groups", ()))),
            place=table.keys.get("requirements", layers.keys[name]),
        ),
        platforms=platforms,
        own_locks={platform: folder / _filled(lock, platform) for platform in platforms} if lock else {},
        name_template=table.get("name") or ("{layer}" if len(platforms) == 1 else DEFAULT_NAME),
        from_source=frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in table.get("from_source", ())),
        include=tuple(folder / text for text in table.get("include", ())),
        content=folder / content if content else None,
        exclude=tuple(map(str, table.get("exclude", ()))),
        strip=table.get("strip", False),
        bytecode=None if table.get("bytecode", "auto") == "auto" else table.get("bytecode"),
        import_modules=table.get("verify") == "import",
        size_budget=_bytes(table.get("size_budget")),
        ignored_rules=frozenset(table.get("ignore", NOTHING).values),
        builder_image=table.get("builder_image", DEFAULT_BUILDER),
        system_packages=tuple(map(str, table.get("system_packages", ()))),
        description=table.get("description"),
        license=table.get("license"),
        share=_share(table.get("share")),
        keep=table.get("keep"),
    )


def _bytes(size: str | None) -> int | None:
    """Read a size such as 80 MB; the units are powers of a thousand."""
    if size is None:
        return None
    number, unit = size[:-2], size[-2:]
    return round(float(number) * {"kB": 1e3, "MB": 1e6, "GB": 1e9}[unit])


def _is_file_name(text: str) -> bool:
    return text.endswith(REQUIREMENTS_ENDINGS)


def _platforms(layer: Table) -> tuple[Platform, ...]:
    return tuple(
        Platform(RUNTIMES[runtime], Architecture(architecture))
        for runtime in layer.get("runtimes", ())
        for architecture in layer.get("architectures", (Architecture.X86_64,))
    )


def _filled(template: str, platform: Platform) -> str:
    return template.replace("{runtime}", str(platform.runtime)).replace(
        "{architecture}", platform.architecture
    )


def _share(table: Table | None) -> Share | None:
    if table is None:
        return None
    accounts = tuple(map(str, table.get("accounts", ())))
    return Share(accounts=accounts, organization=table.get("organization"), public=table.get("public", False))


def _function(pattern: str, functions: Table) -> FunctionEntry:
    table: Table = functions.get(pattern)
    function, alias = _unqualified(pattern)
    concurrency, vpc = table.get("concurrency", NOTHING), table.get("vpc")
    return FunctionEntry(
        pattern=function,
        place=functions.keys[pattern],
        layers=table.get("layers"),
        tag=tuple(sorted((key, str(value)) for key, value in table.get("tag", NOTHING).values.items())),
        using=table.get("using"),
        exclusive=table.get("exclusive", False),
        aliases=tuple(dict.fromkeys([*alias, *map(str, table.get("aliases", ()))])),
        vpc=_vpc(vpc) if vpc else None,
        concurrency=Concurrency(concurrency.get("reserved"), concurrency.get("provisioned")),
        alarm_actions=tuple(map(str, table.get("alarms", NOTHING).get("actions", ()))),
    )


def _unqualified(pattern: str) -> tuple[str, tuple[str, ...]]:
    """Part a function's ARN from the alias that may stand behind it."""
    parts = pattern.split(":")
    if pattern.startswith("arn:") and len(parts) > _PARTS_OF_A_FUNCTION_ARN:
        return ":".join(parts[:-1]), (parts[-1],)
    return pattern, ()


def _vpc(table: Table) -> Vpc:
    return Vpc(
        subnets=tuple(sorted(map(str, table.get("subnets")))),
        security_groups=tuple(sorted(map(str, table.get("security_groups")))),
    )


def _rollout(folder: Path, table: Table | None) -> Rollout:
    if table is None:
        return AT_ONCE
    check = table.get("check", NOTHING)
    invoke, minutes = check.get("invoke"), table.get("timeout")
    return Rollout(
        waves=table.get("waves", ()),
        max_parallel=table.get("max_parallel", AT_ONCE.max_parallel),
        failure_threshold=table.get("failure_threshold", Portion(0, is_percentage=False)),
        canary=table.get("canary"),
        alarms=tuple(map(str, check.get("alarms", ()))),
        invoke=_invocation(folder, invoke) if invoke else None,
        soak=check.get("soak", 0),
        timeout=minutes * 60 if minutes else None,
    )


def _invocation(folder: Path, table: Table) -> Invocation:
    payload, expect = (folder / text if (text := table.get(key)) else None for key in ("payload", "expect"))
    return Invocation(function=table.get("function"), payload=payload, expect=expect)
