"""The keys of a layer, each declared once: parser, model, JSON Schema and reference come from here."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entrypoint.errors import Location
from entrypoint.manifest.fields import Flag, FlagOr, ListOf, Number, String
from entrypoint.manifest.model import DEFAULT_BUILDER, Layer, Requirements, Share
from entrypoint.manifest.record import Field, MapOf, Origin, Record, to_names, to_path, to_paths
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.manifest.yaml_nodes import Text

LAYER_NAME = r"[a-zA-Z0-9_-]{1,100}"
DEFAULT_NAME = "{layer}-{runtime}-{architecture}"
PACKAGE_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PRESETS = ("tests", "stubs", "docs")
RULE_IDS = (
    "empty-layer",
    "unzipped-size",
    "size-budget",
    "file-count",
    "contested-path",
    "case-collision",
    "bootstrap",
    "extension",
    "line-ends",
    "elf-machine",
    "foreign-binary",
    "foreign-module",
    "damaged-elf",
    "symbol-version",
    "needed-library",
    "cpython-suffix",
    "missing-dependency",
    "hides-stdlib",
    "requires-python",
    "path-file",
    "runtime-sdk",
    "import",
)
_REQUIREMENTS_SUFFIXES = (".in", ".txt", ".toml")
_BYTES = {"kB": 1e3, "MB": 1e6, "GB": 1e9}


def is_requirements_file(text: str) -> bool:
    """Return whether a text under `requirements` is a file's name rather than a requirement."""
    return text.endswith(_REQUIREMENTS_SUFFIXES)


def lock_name(template: str, platform: Platform) -> str:
    """Return the name of a platform's own lock."""
    return template.replace("{runtime}", str(platform.runtime)).replace(
        "{architecture}", platform.architecture
    )


def platforms_of(
    runtimes: tuple[str, ...], architectures: tuple[str, ...] = (Architecture.X86_64,)
) -> tuple[Platform, ...]:
    """Return every combination of runtimes and architectures, by their identifiers."""
    return tuple(
        Platform(RUNTIMES[runtime], Architecture(architecture))
        for runtime in runtimes
        for architecture in architectures
    )


def _requirements(texts: tuple[Text, ...], origin: Origin) -> Requirements:
    return Requirements(
        location=origin.location,
        roots=origin.roots,
        files=tuple(origin.folder / text for text in texts if is_requirements_file(text)),
        lines=tuple((str(text), text.location) for text in texts if not is_requirements_file(text)),
    )


def _own_locks(template: str, origin: Origin) -> Mapping[Platform, Path]:
    """Return the lock's path for every platform; `_layer` keeps those of the layer."""
    platforms = platforms_of(tuple(RUNTIMES), tuple(Architecture))
    return {platform: origin.folder / lock_name(template, platform) for platform in platforms}


def canonical_names(names: tuple[str, ...], _: Origin) -> frozenset[str]:
    """Return names of packages in their canonical form (PEP 503)."""
    return frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in names)


def _build_requirements(
    table: Mapping[str, tuple[str, ...]], origin: Origin
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    named = {next(iter(canonical_names((name,), origin))): texts for name, texts in table.items()}
    return tuple((name, tuple(map(str, texts))) for name, texts in sorted(named.items()))


def _indexes(table: Mapping[str, str], _: Origin) -> tuple[tuple[str, str], ...]:
    return tuple((re.sub(r"[-_.]+", "-", glob).lower(), str(url)) for glob, url in table.items())


def _bytecode(value: bool | str, _: Origin) -> bool | None:
    return value if isinstance(value, bool) else None


def _imports(verification: str, _: Origin) -> bool | None:
    return {"auto": None, "static": False, "import": True}[verification]


def _bytes(size: str, _: Origin) -> int:
    """Convert a size such as 80 MB; the units are powers of 1000."""
    return round(float(size[:-2]) * _BYTES[size[-2:]])


def _layer(
    *,
    location: Location,
    runtimes: tuple[str, ...],
    architectures: tuple[str, ...] = (Architecture.X86_64,),
    requirements: Requirements | None = None,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    build: tuple[tuple[str, tuple[str, ...]], ...] = (),
    index_of: tuple[tuple[str, str], ...] = (),
    libraries: tuple[str, ...] = (),
    builder_image: str = DEFAULT_BUILDER,
    own_locks: Mapping[Platform, Path] | None = None,
    name_template: str | None = None,
    **fields: Any,  # noqa: ANN401 - of Layer, each of its own type
) -> Layer:
    """Make a layer from its keys; those that only fill a field of `Layer` are passed on."""
    platforms = platforms_of(runtimes, architectures)
    return Layer(
        location=location,
        requirements=(requirements or Requirements(location))._replace(
            extras=extras,
            groups=groups,
            build=build,
            index_of=index_of,
            libraries=tuple(map(str, libraries)),
            image=str(builder_image),
        ),
        builder_image=builder_image,
        platforms=platforms,
        own_locks={platform: own_locks[platform] for platform in platforms} if own_locks else {},
        name_template=name_template or ("{layer}" if len(platforms) == 1 else DEFAULT_NAME),
        **fields,
    )


_SHARE = Record(
    make=Share,
    any_of=("accounts", "organization", "public"),
    fields={
        "accounts": Field(
            shape=ListOf(String("an account ID of 12 digits", r"[0-9]{12}")),
            help="IDs of accounts that may use it.",
        ),
        "organization": Field(
            shape=String("an organization's ID", r"o-[a-z0-9]{10,32}"),
            help="ID of an organization whose accounts may use it.",
        ),
        "public": Field(shape=Flag(), default=False, help="Allow every AWS account to use it."),
    },
)

LAYER = Record(
    make=_layer,
    any_of=("requirements", "lock", "include", "content"),
    fields={
        "requirements": Field(
            shape=ListOf(String("a requirements file or a requirement"), single=True),
            convert=_requirements,
            help="One or more requirements files or pyproject.toml, or requirements such as 'requests>=2' or "
            "'./libs/common'.",
        ),
        "extras": Field(
            shape=ListOf(String("an extra", PACKAGE_NAME)), help="Extras of the pyproject.toml to install."
        ),
        "groups": Field(
            shape=ListOf(String("a dependency group", PACKAGE_NAME)),
            help="Dependency groups of the pyproject.toml to install.",
        ),
        "runtimes": Field(
            shape=ListOf(String("a supported runtime", choices=tuple(RUNTIMES))),
            help="Lambda runtimes to build for.",
            required=True,
        ),
        "architectures": Field(
            shape=ListOf(String("a supported architecture", choices=tuple(Architecture))),
            default=["x86_64"],
            help="Architectures to build for.",
        ),
        "include": Field(
            shape=ListOf(String("a path"), single=True),
            convert=to_paths,
            help="Modules and packages of the repository to add to python/, without files that git ignores.",
        ),
        "content": Field(
            shape=String("a folder"),
            convert=to_path,
            help="Folder to copy to /opt unchanged, such as bin/, lib/ or the bootstrap of a custom runtime.",
        ),
        "exclude": Field(
            shape=ListOf(String("a pattern or a preset")),
            help=f"Files to exclude: presets ({', '.join(PRESETS)}) and patterns as in .gitignore.",
        ),
        "exclude_packages": Field(
            shape=ListOf(String("the name of a package", PACKAGE_NAME)),
            convert=canonical_names,
            help="Packages to leave out, with those that only they require, such as boto3 in the runtime.",
        ),
        "strip": Field(
            shape=Flag(),
            default=False,
            help="Remove the debug symbols of compiled code, which Lambda does not read.",
        ),
        "bytecode": Field(
            shape=FlagOr("auto"),
            default="auto",
            convert=_bytecode,
            help="Add bytecode, for faster cold starts: true requires it, "
            "auto adds it if the runtime's Python is available.",
        ),
        "verify": Field(
            shape=String("a verification mode", choices=("auto", "static", "import")),
            default="auto",
            fills="import_modules",
            convert=_imports,
            help="Verification mode: import also imports every top-level module in the runtime's image, auto "
            "does so if the image is on this machine, with warnings only, and static does not.",
        ),
        "size_budget": Field(
            shape=String("a size with a unit (kB, MB, GB)", r"[0-9]+(?:\.[0-9]+)? ?(?:kB|MB|GB)"),
            convert=_bytes,
            help="Maximum unzipped size of the layer, such as 80 MB.",
        ),
        "ignore": Field(
            shape=MapOf(String("a reason"), "|".join(RULE_IDS), "a rule"),
            fills="ignored_rules",
            convert=to_names,
            help="Rules of docs/rules.md to ignore for this layer, each with the reason.",
        ),
        "lock": Field(
            shape=String("the path of a pinned requirements file"),
            fills="own_locks",
            convert=_own_locks,
            help="Your own lock: a pinned requirements file, or the lock of uv, Poetry, PDM or Pipenv. "
            "{runtime} and {architecture} are replaced in its path.",
        ),
        "from_source": Field(
            shape=ListOf(String("the name of a package", PACKAGE_NAME)),
            convert=canonical_names,
            help="Packages to compile from source even if a compatible wheel exists.",
        ),
        "index_of": Field(
            shape=MapOf(
                String("the URL of an index", r"[a-z]+://[^\s@]+"), r"[A-Za-z0-9._*?-]+", "a glob of names"
            ),
            convert=_indexes,
            help="The index that packages come from, by globs of their names, if there are several indexes.",
        ),
        "builder_image": Field(
            shape=String("the name of an image", r"\S+"),
            default=DEFAULT_BUILDER,
            help="Container image to compile in. {runtime} and {architecture} are replaced.",
        ),
        "system_packages": Field(
            shape=ListOf(String("the name of a system package", r"[A-Za-z0-9][A-Za-z0-9.+:_-]*")),
            help="System packages to install in that image, by the names of its package manager.",
        ),
        "libraries": Field(
            shape=ListOf(String("the name of a system package", r"[A-Za-z0-9][A-Za-z0-9.+_-]*")),
            help="System packages of that image whose shared libraries are added to lib/, such as expat.",
        ),
        "build_requirements": Field(
            shape=MapOf(ListOf(String("a requirement")), PACKAGE_NAME, "the name of a package"),
            fills="build",
            convert=_build_requirements,
            help="Build requirements to add to those that a package built from source declares, by its name.",
        ),
        "build_network": Field(
            shape=Flag(),
            default=False,
            help="Allow builds from source to use the network, for packages that download what they compile.",
        ),
        "name": Field(
            shape=String(
                "a template of a layer's name", r"(?:[a-zA-Z0-9_-]|\{layer\}|\{runtime\}|\{architecture\})+"
            ),
            fills="name_template",
            help="Name of the layer in AWS. {layer}, {runtime} and {architecture} are replaced.",
        ),
        "description": Field(
            shape=String("a description", longest=150),
            help="Start of each layer version's description, before the dependency hash.",
        ),
        "share": Field(shape=_SHARE, help="Who else may use each layer version."),
        "keep": Field(
            shape=Number("a number of versions", least=1),
            help="Number of newest layer versions to keep. Older versions that no function uses are deleted. "
            "By default, none are deleted.",
        ),
        "license": Field(
            shape=String("a license", longest=512),
            help="SPDX identifier, URL, or text of the license.",
        ),
    },
)
