"""lambda-layers.yml: what it may say (`MANIFEST`), and what it says as frozen values (`load`).

In: the file's text and the variables for `${NAME}`. Out: a `Manifest`, or one ManifestError with all
problems, each at its line. Nothing here touches the network, a lock or AWS.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from entrypoint.errors import ManifestError, Place, Problem
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.shapes import (
    Constant,
    Field,
    Flag,
    ListOf,
    MapOf,
    Reader,
    Record,
    String,
    Table,
    Text,
    compose,
)

DEFAULT_PATH = "lambda-layers.yml"
LAYER_NAME = r"[a-zA-Z0-9_-]{1,100}"
LAYER_VERSION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]+:[0-9]+"
FUNCTION_ARN = r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,140}"
FUNCTION_GLOB = r"[a-zA-Z0-9_*?\[\]!-]{1,140}"
DEFAULT_NAME = "{layer}-{runtime}-{architecture}"
PACKAGE_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
DEFAULT_BUILDER = "public.ecr.aws/sam/build-{runtime}:latest-{architecture}"
REQUIREMENTS_ENDINGS = (".in", ".txt", ".toml")

_LAYER = Record(
    {
        "requirements": Field(
            shape=ListOf(String("a requirements file or a requirement"), single=True),
            help="a requirements file, several of them, or requirements such as 'requests>=2'",
            required=True,
        ),
        "runtimes": Field(
            shape=ListOf(String("runtime", choices=tuple(RUNTIMES))),
            help="the Lambda runtimes to build for",
            required=True,
        ),
        "architectures": Field(
            shape=ListOf(String("architecture", choices=tuple(Architecture))),
            help="the architectures to build for; [x86_64] where it is not written",
        ),
        "lock": Field(
            shape=String("the path of a pinned requirements file"),
            help="a pinned requirements file of your own; {runtime} and {architecture} are filled in",
        ),
        "name": Field(
            shape=String(
                "a template of a layer's name", r"(?:[a-zA-Z0-9_-]|\{layer\}|\{runtime\}|\{architecture\})+"
            ),
            help="the layer's name in AWS; {layer}, {runtime} and {architecture} are filled in",
        ),
        "description": Field(
            shape=String("a description", longest=150),
            help="begins the description of each layer version, before the dependency hash",
        ),
        "license": Field(
            shape=String("a licence", longest=512),
            help="an SPDX identifier, an address, or the licence's text",
        ),
    }
)

_FUNCTION = Record(
    {
        "layers": Field(
            shape=ListOf(
                String(
                    "a layer of this manifest or a layer version's ARN", rf"{LAYER_NAME}|{LAYER_VERSION_ARN}"
                )
            ),
            help="layers of this manifest and layer version ARNs; later ones overlay earlier ones",
            required=True,
        ),
        "exclusive": Field(
            shape=Flag(), help="take off every layer that is not listed here; false by default"
        ),
    }
)

MANIFEST = Record(
    {
        "version": Field(shape=Constant(1), help="the version of this format: 1", required=True),
        "regions": Field(
            shape=ListOf(String("a region", r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]")),
            help="the regions to publish in; the region of the AWS credentials where it is not written",
        ),
        "layers": Field(
            shape=MapOf(_LAYER, LAYER_NAME, "a name that AWS takes for a layer"),
            help="the layers by name",
            required=True,
        ),
        "functions": Field(
            shape=MapOf(_FUNCTION, f"{FUNCTION_GLOB}|{FUNCTION_ARN}", "a function's name, ARN or glob"),
            help="the functions that use them, by name, ARN or glob; the first that matches counts",
        ),
        "s3": Field(
            shape=Record(
                {
                    "bucket": Field(
                        shape=String("a bucket's name", r"[a-z0-9.{}-]{3,63}"),
                        help="the bucket for archives over 50 MB; {region} is filled in",
                        required=True,
                    ),
                    "prefix": Field(
                        shape=String("a key prefix", longest=512), help="what its keys begin with"
                    ),
                }
            ),
            help="where archives go that are too large to be sent directly",
        ),
    },
    extensions=True,
)


NOTHING = Table({}, {}, Place(""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a layer asks for: requirements files, or lines written into the manifest itself."""

    files: tuple[Path, ...] = ()
    lines: tuple[tuple[str, Place], ...] = ()
    place: Place

    @property
    def asked(self) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """What is asked for, wherever in the manifest that is written."""
        return self.files, tuple(line for line, _ in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of the manifest, before it is spread over platforms."""

    name: str
    place: Place
    requirements: Requirements
    platforms: tuple[Platform, ...]
    #: The template of the layer's name in AWS.
    name_template: str
    #: Pinned requirements files that the user made, by platform; empty where the lock is ours.
    own_locks: Mapping[Platform, Path] = field(hash=False)
    #: Names of packages to compile even where a wheel fits, in the canonical form of PEP 503.
    from_source: frozenset[str] = frozenset()
    #: The template of the image that compiles.
    builder_image: str = DEFAULT_BUILDER
    system_packages: tuple[str, ...] = ()
    description: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionEntry:
    """An entry under `functions:`: which functions, and the layers that they are to have."""

    pattern: str
    place: Place
    layers: tuple[Text, ...]
    exclusive: bool = False

    def matches(self, name: str, arn: str) -> bool:
        """Tell whether the function of this name and ARN is meant."""
        return arn == self.pattern if self.pattern.startswith("arn:") else fnmatchcase(name, self.pattern)

    @property
    def is_glob(self) -> bool:
        """Tell whether the entry may mean several functions, or none."""
        return any(character in self.pattern for character in "*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where large archives are put before they are published."""

    bucket: str
    prefix: str

    def name_in(self, region: str) -> str:
        """Return the bucket's name in a region; a bucket must stand where its layer is published."""
        return self.bucket.replace("{region}", region)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that lambda-layers.yml says."""

    path: Path
    regions: tuple[str, ...]
    layers: Mapping[str, Layer]
    functions: tuple[FunctionEntry, ...]
    bucket: Bucket | None = None


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
        reader.problems.extend(_wrong_references(layers, functions))
        reader.problems.extend(_shadowed_entries(functions))
        if not reader.problems:
            return _manifest(path, table)
    raise ManifestError(*sorted(reader.problems, key=_position))


def _position(problem: Problem) -> tuple[int, int]:
    return (problem.place.line or 0, problem.place.column or 0) if problem.place else (0, 0)


def _missing_files(folder: Path, layer: Table) -> Iterator[Problem]:
    for text in layer.get("requirements", ()):
        if text.endswith(".toml"):
            yield Problem(
                f"{text} is no requirements file", "list its requirements in a .in file", text.place
            )
        elif _is_file_name(text) and not (folder / text).is_file():
            yield Problem(f"there is no file {text}", "create it, or mend its name", text.place)
    if lock := layer.get("lock"):
        platforms = _platforms(layer)
        missing = dict.fromkeys(
            name for p in platforms if not (folder / (name := _filled(lock, p))).is_file()
        )
        for name in missing:
            yield Problem(f"there is no file {name}", "create it, or mend its name", lock.place)


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
    for pattern in functions.values:
        if "*" in pattern or "?" in pattern or "[" in pattern:
            globs.append(pattern)
        elif glob := next((glob for glob in globs if fnmatchcase(pattern, glob)), None):
            message = f"{pattern!r} never counts: {glob!r} above matches it first"
            yield Problem(message, "move it above that entry", functions.keys[pattern])


def _manifest(path: Path, table: Table) -> Manifest:
    layers, functions = table.get("layers"), table.get("functions", NOTHING)
    bucket = table.get("s3")
    return Manifest(
        path=path,
        regions=table.get("regions", ()),
        layers={name: _layer(path.parent, name, layers) for name in layers.values},
        functions=tuple(_function(name, functions) for name in functions.values),
        bucket=Bucket(bucket=bucket.get("bucket"), prefix=bucket.get("prefix", "")) if bucket else None,
    )


def _layer(folder: Path, name: str, layers: Table) -> Layer:
    table: Table = layers.get(name)
    texts = table.get("requirements")
    platforms = _platforms(table)
    lock = table.get("lock")
    return Layer(
        name=name,
        place=layers.keys[name],
        requirements=Requirements(
            files=tuple(folder / text for text in texts if _is_file_name(text)),
            lines=tuple((str(text), text.place) for text in texts if not _is_file_name(text)),
            place=table.keys["requirements"],
        ),
        platforms=platforms,
        own_locks={platform: folder / _filled(lock, platform) for platform in platforms} if lock else {},
        name_template=table.get("name") or ("{layer}" if len(platforms) == 1 else DEFAULT_NAME),
        from_source=frozenset(re.sub(r"[-_.]+", "-", name).lower() for name in table.get("from_source", ())),
        builder_image=table.get("builder_image", DEFAULT_BUILDER),
        system_packages=tuple(map(str, table.get("system_packages", ()))),
        description=table.get("description"),
        license=table.get("license"),
    )


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


def _function(pattern: str, functions: Table) -> FunctionEntry:
    table: Table = functions.get(pattern)
    return FunctionEntry(
        pattern=pattern,
        place=functions.keys[pattern],
        layers=table.get("layers"),
        exclusive=table.get("exclusive", False),
    )
