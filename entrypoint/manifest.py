"""What lambda-layers.yml says, as frozen values; manifest_file.py reads them."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Place
from entrypoint.runtimes import Platform
from entrypoint.schema import DEFAULT_BUILDER
from entrypoint.shapes import Text


class Requirements(NamedTuple):
    """What a layer asks for: requirements files, or lines written into the manifest itself."""

    place: Place
    files: tuple[Path, ...] = ()
    lines: tuple[tuple[str, Place], ...] = ()
    #: Of each pyproject.toml among the files.
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[tuple[object, ...], ...]:
        """What is asked for, wherever in the manifest that is written; all empty where it is nothing."""
        return self.files, tuple(line for line, _ in self.lines), self.extras, self.groups


class Layer(NamedTuple):
    """A layer of the manifest, before it is spread over platforms."""

    name: str
    place: Place
    requirements: Requirements
    platforms: tuple[Platform, ...]
    #: The template of the layer's name in AWS.
    name_template: str
    #: Pinned requirements files that the user made, by platform; empty where the lock is ours.
    own_locks: Mapping[Platform, Path]
    #: Names of packages to compile even where a wheel fits, in the canonical form of PEP 503.
    from_source: frozenset[str] = frozenset()
    #: Modules and packages of the repository, and the folder that goes into /opt as it is.
    include: tuple[Path, ...] = ()
    content: Path | None = None
    #: Presets and patterns of what is left out.
    exclude: tuple[str, ...] = ()
    #: Leave out what only debuggers read in compiled code.
    strip: bool = False
    #: Make bytecode; None where that depends on whether the runtime's Python is at hand.
    bytecode: bool | None = None
    #: Import every top-level module in the runtime's image, besides the static rules.
    import_modules: bool = False
    #: The most bytes it may have unzipped.
    size_budget: int | None = None
    #: Rules that do not count here; the manifest says why.
    ignored_rules: frozenset[str] = frozenset()
    #: The template of the image that compiles.
    builder_image: str = DEFAULT_BUILDER
    system_packages: tuple[str, ...] = ()
    description: str | None = None
    license: str | None = None

    def __hash__(self) -> int:
        return hash(self.name)


class FunctionEntry(NamedTuple):
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


class Bucket(NamedTuple):
    """Where large archives are put before they are published."""

    bucket: str
    prefix: str

    def name_in(self, region: str) -> str:
        """Return the bucket's name in a region; a bucket must stand where its layer is published."""
        return self.bucket.replace("{region}", region)


class Manifest(NamedTuple):
    """All that lambda-layers.yml says."""

    path: Path
    regions: tuple[str, ...]
    layers: Mapping[str, Layer]
    functions: tuple[FunctionEntry, ...]
    bucket: Bucket | None = None
