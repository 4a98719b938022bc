"""What lambda-layers.yml says, as frozen values; manifest_file.py reads them."""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Location
from entrypoint.manifest.fields import CountOrPercent
from entrypoint.manifest.layer_schema import DEFAULT_BUILDER
from entrypoint.manifest.runtimes import Platform
from entrypoint.manifest.yaml_nodes import Text


class Requirements(NamedTuple):
    """What a layer asks for: requirements files, or lines written into the manifest itself."""

    location: Location
    files: tuple[Path, ...] = ()
    lines: tuple[tuple[str, Location], ...] = ()
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
    location: Location
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
    share: "Share | None" = None
    #: How many versions stay whether or not a function uses them; None for all.
    keep: int | None = None

    def __hash__(self) -> int:
        return hash(self.name)


class Share(NamedTuple):
    """Who, beside the layer's own account, may use its versions."""

    accounts: tuple[str, ...] = ()
    organization: str | None = None
    public: bool = False


class Vpc(NamedTuple):
    """Where in a network a function stands; sorted, as their order means nothing."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]


class Concurrency(NamedTuple):
    """How many environments a function may have, and keeps ready on its aliases; None is left alone."""

    reserved: int | None = None
    provisioned: int | None = None


NO_CONCURRENCY = Concurrency()


class FunctionEntry(NamedTuple):
    """An entry under `functions:`: which functions, and what they are to have."""

    #: A name, an ARN or a glob; a mere label where `tag` or `using` says which functions are meant.
    pattern: str
    location: Location
    layers: tuple[Text, ...]
    tag: tuple[tuple[str, str], ...] = ()
    using: str | None = None
    exclusive: bool = False
    aliases: tuple[str, ...] = ()
    vpc: Vpc | None = None
    concurrency: Concurrency = NO_CONCURRENCY
    #: The ARNs of what its alarms tell; empty where it is to have none.
    alarm_actions: tuple[str, ...] = ()

    def matches(self, name: str, arn: str) -> bool:
        """Tell whether the function of this name and ARN is meant, by either."""
        return arn == self.pattern if self.pattern.startswith("arn:") else fnmatchcase(name, self.pattern)

    @property
    def is_glob(self) -> bool:
        """Tell whether the entry may mean several functions, or none."""
        return bool(self.tag or self.using) or any(character in self.pattern for character in "*?[")

    @property
    def needs_details(self) -> bool:
        """Tell whether more has to be known of its functions than ListFunctions says."""
        return bool(self.aliases or self.alarm_actions) or self.concurrency != NO_CONCURRENCY


class Invocation(NamedTuple):
    """A call of a function that tells whether all is well."""

    function: str
    payload: Path | None = None
    expect: Path | None = None


class Rollout(NamedTuple):
    """How functions are updated."""

    #: How far each wave reaches; the last one reaches all functions, whatever is written.
    waves: tuple[CountOrPercent, ...] = ()
    max_parallel: int = 48
    #: How many functions of a wave may fail before it is put back; None where waves are never put back.
    failure_threshold: CountOrPercent | None = None
    #: The percentage of an alias's traffic that goes to the new version until the check passed.
    canary: int | None = None
    alarms: tuple[str, ...] = ()
    invoke: Invocation | None = None
    #: Seconds for which the alarms are watched after a wave.
    soak: int = 0
    #: Seconds after which no further function is begun.
    timeout: int | None = None


class Bucket(NamedTuple):
    """Where large archives are put before they are published."""

    bucket: str
    prefix: str

    def name_in(self, region: str) -> str:
        """Return the bucket's name in a region; a bucket must stand where its layer is published."""
        return self.bucket.replace("{region}", region)


class Export(NamedTuple):
    """Where layer version ARNs are left for tools that own functions: templates, None where not asked for."""

    #: The name of an SSM parameter.
    ssm: str | None = None
    #: The path of a JSON file, from the manifest's folder.
    file: str | None = None


AT_ONCE = Rollout()
"""All functions in one wave, without a check."""


class Destination(NamedTuple):
    """An account, by the role to assume in it, and a region; no role is the credentials' own account."""

    region: str
    role: str | None = None

    @property
    def account(self) -> str | None:
        """The account of the role; None where it is that of the credentials."""
        return self.role.split(":")[4] if self.role else None

    def __str__(self) -> str:
        return f"{self.account}/{self.region}" if self.role else self.region


class Audit(NamedTuple):
    """Which known vulnerabilities count."""

    severity: str = "low"
    ignored: frozenset[str] = frozenset()
    #: Where OSV is asked.
    url: str = "https://api.osv.dev"


class Manifest(NamedTuple):
    """All that lambda-layers.yml says."""

    path: Path
    regions: tuple[str, ...]
    layers: Mapping[str, Layer]
    functions: tuple[FunctionEntry, ...]
    bucket: Bucket | None = None
    #: Roles to assume, one for each account.
    accounts: tuple[str, ...] = ()
    rollout: Rollout = AT_ONCE
    export: Export | None = None
    audit: Audit | None = None

    def destinations(self, default_region: Callable[[], str]) -> tuple[Destination, ...]:
        """Return every account and region to deploy to."""
        regions = self.regions or (default_region(),)
        return tuple(Destination(region, role) for role in self.accounts or (None,) for region in regions)
