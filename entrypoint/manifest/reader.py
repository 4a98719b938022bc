"""lambda-layers.yml -> Manifest.

In: the file's text and the variables for `${NAME}`. Out: a `Manifest`, or one ManifestError with all
problems, each at its line. Nothing here touches the network, a lock or AWS.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from entrypoint.errors import Diagnostic, ManifestError
from entrypoint.manifest.checks import (
    NOTHING,
    filled,
    is_file_name,
    platforms_of,
    problems_of,
    unqualified,
)
from entrypoint.manifest.fields import CountOrPercent
from entrypoint.manifest.layer_schema import DEFAULT_BUILDER, DEFAULT_NAME
from entrypoint.manifest.model import (
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
from entrypoint.manifest.schema import MANIFEST
from entrypoint.manifest.yaml_nodes import Reader, Table, compose


def load(path: Path, *, text: str, shown: str, variables: Mapping[str, str]) -> Manifest:
    """Parse the manifest's text; paths in it are taken from the manifest's folder.

    Raises:
        ManifestError: with every problem of the file, not only the first.
    """
    reader = Reader(shown, variables)
    table = MANIFEST.read(compose(text, shown), reader)
    if table is not None:
        reader.problems.extend(problems_of(table, path.parent))
        if not reader.problems:
            return _manifest(path, table)
    raise ManifestError(*sorted(reader.problems, key=_position))


def _position(problem: Diagnostic) -> tuple[int, int]:
    return (problem.location.line or 0, problem.location.column or 0) if problem.location else (0, 0)


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
    platforms = platforms_of(table)
    lock = table.get("lock")
    return Layer(
        name=name,
        location=layers.keys[name],
        requirements=Requirements(
            files=tuple(folder / text for text in texts if is_file_name(text)),
            lines=tuple((str(text), text.location) for text in texts if not is_file_name(text)),
            extras=tuple(map(str, table.get("extras", ()))),
            groups=tuple(map(str, table.get("groups", ()))),
            location=table.keys.get("requirements", layers.keys[name]),
        ),
        platforms=platforms,
        own_locks={platform: folder / filled(lock, platform) for platform in platforms} if lock else {},
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


def _share(table: Table | None) -> Share | None:
    if table is None:
        return None
    accounts = tuple(map(str, table.get("accounts", ())))
    return Share(accounts=accounts, organization=table.get("organization"), public=table.get("public", False))


def _function(pattern: str, functions: Table) -> FunctionEntry:
    table: Table = functions.get(pattern)
    function, alias = unqualified(pattern)
    concurrency, vpc = table.get("concurrency", NOTHING), table.get("vpc")
    return FunctionEntry(
        pattern=function,
        location=functions.keys[pattern],
        layers=table.get("layers"),
        tag=tuple(sorted((key, str(value)) for key, value in table.get("tag", NOTHING).values.items())),
        using=table.get("using"),
        exclusive=table.get("exclusive", False),
        aliases=tuple(dict.fromkeys([*alias, *map(str, table.get("aliases", ()))])),
        vpc=_vpc(vpc) if vpc else None,
        concurrency=Concurrency(concurrency.get("reserved"), concurrency.get("provisioned")),
        alarm_actions=tuple(map(str, table.get("alarms", NOTHING).get("actions", ()))),
    )


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
        failure_threshold=table.get("failure_threshold", CountOrPercent(0, is_percentage=False)),
        canary=table.get("canary"),
        alarms=tuple(map(str, check.get("alarms", ()))),
        invoke=_invocation(folder, invoke) if invoke else None,
        soak=check.get("soak", 0),
        timeout=minutes * 60 if minutes else None,
    )


def _invocation(folder: Path, table: Table) -> Invocation:
    payload, expect = (folder / text if (text := table.get(key)) else None for key in ("payload", "expect"))
    return Invocation(function=table.get("function"), payload=payload, expect=expect)
