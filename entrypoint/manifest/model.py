"""The manifest as frozen values. Their defaults are what a missing key means.

The declarations in `schema` and `layer_schema` say which key fills which field.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from entrypoint.errors import Location
from entrypoint.manifest.fields import CountOrPercent
from entrypoint.manifest.runtimes import Platform
from entrypoint.manifest.yaml_nodes import Text

DEFAULT_BUILDER = "public.ecr.aws/sam/build-{runtime}:latest-{architecture}"


class Requirements(NamedTuple):
    """The requirements of a layer: requirements files, or lines in the manifest itself."""

    location: Location
    files: tuple[Path, ...] = ()
    lines: tuple[tuple[str, Location], ...] = ()
    #: Extras and dependency groups of each pyproject.toml among the files.
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    #: Build requirements to add, for each package that is built from source; names are canonical.
    build: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Globs of package names, each with the only index of those packages; the first that matches applies.
    index_of: tuple[tuple[str, str], ...] = ()
    #: Days for which new versions are not locked, except those of the packages with these canonical names.
    cooldown: int = 0
    cooldown_exceptions: frozenset[str] = frozenset()
    #: The folders that files which they include may be in; any if empty.
    roots: tuple[Path, ...] = ()
    #: The packages of the builder image whose shared libraries the layer takes, and the image's template.
    libraries: tuple[str, ...] = ()
    image: str = DEFAULT_BUILDER

    @property
    def inputs(self) -> tuple[tuple[object, ...], ...]:
        """The requirements without their locations, for comparison; all parts are empty if there are none."""
        build = self.build
        lines = tuple(line for line, _ in self.lines)
        given = (build, self.index_of, self._cooldown) if self.files or self.lines else ()
        return self.files, lines, self.extras, self.groups, given, self.libraries_of_image

    @property
    def _cooldown(self) -> tuple[object, ...]:
        return (self.cooldown, *sorted(self.cooldown_exceptions)) if self.cooldown else ()

    @property
    def libraries_of_image(self) -> tuple[str, ...]:
        """The image and the packages of `libraries`; empty if there are none."""
        return (self.image, *sorted(self.libraries)) if self.libraries else ()


class Layer(NamedTuple):
    """A layer of the manifest; it has a target for each of its platforms."""

    name: str
    location: Location
    requirements: Requirements
    platforms: tuple[Platform, ...]
    #: The template of the layer's name in AWS.
    name_template: str
    #: The user's own lock for each platform; empty if `lambda-layers lock` makes them.
    own_locks: Mapping[Platform, Path]
    #: Names of packages to compile even if a compatible wheel exists, canonical as in PEP 503.
    from_source: frozenset[str] = frozenset()
    #: Modules and packages of the repository, and the folder that is copied to /opt.
    include: tuple[Path, ...] = ()
    content: Path | None = None
    #: Presets and patterns to exclude.
    exclude: tuple[str, ...] = ()
    #: Names of packages to leave out, canonical as in PEP 503.
    exclude_packages: frozenset[str] = frozenset()
    #: Whether to remove the debug symbols of compiled code.
    strip: bool = False
    #: Whether to add bytecode; None adds it if the runtime's Python is available.
    bytecode: bool | None = None
    #: Whether to import every top-level module in the runtime's image, in addition to the static rules; None
    #: does so if the image is on this machine, with warnings only.
    import_modules: bool | None = None
    #: The maximum unzipped size in bytes.
    size_budget: int | None = None
    #: Rules that do not apply to this layer.
    ignored_rules: frozenset[str] = frozenset()
    #: The template of the image to compile in.
    builder_image: str = DEFAULT_BUILDER
    system_packages: tuple[str, ...] = ()
    #: Whether builds from source may use the network.
    build_network: bool = False
    description: str | None = None
    license: str | None = None
    share: "Share | None" = None
    #: The number of newest versions that are kept even if unused; None keeps all.
    keep: int | None = None

    def __hash__(self) -> int:
        return hash(self.name)


class Share(NamedTuple):
    """Who may use the layer's versions, besides its own account."""

    accounts: tuple[str, ...] = ()
    organization: str | None = None
    public: bool = False


class Vpc(NamedTuple):
    """The subnets and security groups of a function, each sorted."""

    subnets: tuple[str, ...]
    security_groups: tuple[str, ...]
    #: Whether the function may use IPv6 in its subnets.
    ipv6: bool = False

    def __str__(self) -> str:
        ipv6 = ("ipv6",) if self.ipv6 else ()
        return ", ".join((*self.subnets, *self.security_groups, *ipv6)) or NONE


NONE = "none"
"""What is written in the manifest to detach a function from its VPC, or to release its concurrency."""
NO_VPC = Vpc((), ())


class Concurrency(NamedTuple):
    """Reserved concurrency of a function, and provisioned concurrency of its aliases; None is not changed."""

    reserved: int | None = None
    #: 0 removes it.
    provisioned: int | None = None
    #: Whether the reservation is removed.
    releases: bool = False

    @property
    def changes_reservation(self) -> bool:
        """Whether the manifest says anything about the reservation."""
        return self.releases or self.reserved is not None

    def reserved_after(self, current: int | None) -> int | None:
        """Return the reservation that a function is to have, by the one that it has."""
        if self.releases:
            return None
        return current if self.reserved is None else self.reserved


NO_CONCURRENCY = Concurrency()


class FunctionEntry(NamedTuple):
    """An entry under `functions:`: which functions it selects, and their configuration."""

    #: A name, an ARN or a glob; only a label if `tag` or `using` selects the functions.
    pattern: str
    location: Location
    layers: tuple[Text, ...]
    tag: tuple[tuple[str, str], ...] = ()
    using: str | None = None
    exclusive: bool = False
    aliases: tuple[str, ...] = ()
    #: How many of the versions that this tool published are kept; None keeps all.
    keep_versions: int | None = None
    #: Where to attach the function; `NO_VPC` detaches it, and None changes nothing.
    vpc: Vpc | None = None
    concurrency: Concurrency = NO_CONCURRENCY
    #: ARNs that the function's alarms notify; empty if it has no alarms.
    alarm_actions: tuple[str, ...] = ()
    #: ARNs that they notify when all is well again.
    ok_actions: tuple[str, ...] = ()

    def matches(self, name: str, arn: str) -> bool:
        """Return whether the pattern matches a function of this name and ARN."""
        return arn == self.pattern if self.pattern.startswith("arn:") else fnmatchcase(name, self.pattern)

    @property
    def is_glob(self) -> bool:
        """Whether the entry may select several functions, or none."""
        return bool(self.tag or self.using) or any(character in self.pattern for character in "*?[")


class Invocation(NamedTuple):
    """A test invocation of a function."""

    function: str
    payload: Path | None = None
    expect: Path | None = None


class Shift(NamedTuple):
    """How AWS CodeDeploy shifts the traffic of aliases."""

    #: The name of a deployment configuration.
    codedeploy: str
    #: The ARN of CodeDeploy's service role.
    role: str

    def in_account(self, account: str) -> "Shift":
        """Return the same with the number of an account in place of {account}."""
        return self._replace(role=self.role.replace("{account}", account))


class Rollout(NamedTuple):
    """How functions are updated."""

    #: Accounts and regions in order, as `Destination` prints them or a part of that; empty for all at once.
    destinations: tuple[tuple[str, ...], ...] = ()
    #: The size of each wave; the last wave always covers all functions.
    waves: tuple[CountOrPercent, ...] = ()
    max_parallel: int = 48
    #: How many functions of a wave may fail before it is rolled back; None never rolls back.
    failure_threshold: CountOrPercent | None = None
    #: The percentage of an alias's traffic that the new version receives until the check passes.
    canary: int | None = None
    #: How CodeDeploy shifts aliases; None where this process moves them.
    shift: Shift | None = None
    alarms: tuple[str, ...] = ()
    invoke: Invocation | None = None
    #: Seconds to watch the alarms after a wave.
    soak: int = 0
    #: Seconds after which no further function update is started.
    timeout: int | None = None


class Bucket(NamedTuple):
    """Where archives are uploaded that Lambda copies from there, or refers to."""

    bucket: str
    prefix: str = ""
    #: `copy`, for large archives only, or `reference`: all archives stay in the bucket.
    storage: str = "copy"

    @property
    def is_referenced(self) -> bool:
        """Whether layer versions refer to the objects in the bucket."""
        return self.storage == "reference"

    def name_in(self, region: str, account: str) -> str:
        """Return the bucket's name in a region and an account."""
        return self.bucket.replace("{region}", region).replace("{account}", account)

    def folder_of(self, layer: str, region: str, account: str) -> str:
        """Return how the keys of a layer's archives begin that are referred to.

        Layers of other accounts and regions have other keys, so that each account and region knows all that
        refers to its own.
        """
        return f"{self.prefix}{account}/{region}/{layer}/"


class Export(NamedTuple):
    """Where to write layer version ARNs for other tools; None where nothing is written."""

    #: The template of an SSM parameter's name.
    ssm: str | None = None
    #: The template of a JSON file's path, relative to the manifest's folder.
    file: str | None = None


AT_ONCE = Rollout()
"""All functions in one wave, without a check."""


class Destination(NamedTuple):
    """A region and an account, as the role to assume in it; without a role, the credentials' own account."""

    region: str
    role: str | None = None

    @property
    def account(self) -> str | None:
        """The account of the role; None for the account of the credentials."""
        return self.role.split(":")[4] if self.role else None

    def matches(self, text: str) -> bool:
        """Return whether a text is its name, its region or its account."""
        return text in {str(self), self.region, self.account}

    def __str__(self) -> str:
        return f"{self.account}/{self.region}" if self.role else self.region


class Audit(NamedTuple):
    """Which known vulnerabilities fail the audit."""

    severity: str = "low"
    ignored: frozenset[str] = frozenset()
    #: The API of OSV.
    url: str = "https://api.osv.dev"


class Manifest(NamedTuple):
    """The content of lambda-layers.yml."""

    path: Path
    layers: Mapping[str, Layer]
    regions: tuple[str, ...] = ()
    functions: tuple[FunctionEntry, ...] = ()
    bucket: Bucket | None = None
    #: Roles to assume, one per account.
    accounts: tuple[str, ...] = ()
    rollout: Rollout = AT_ONCE
    export: Export | None = None
    audit: Audit | None = None
    #: The runtime that each customer-managed runtime is like, by the ways in which functions may refer to it.
    custom_runtimes: Mapping[str, str] = MappingProxyType({})
    #: The version of the manifest's format.
    version: int = 1
    #: Versions of layers of other accounts, by ARN without version: those of lambda-layers.lock.
    layer_pins: Mapping[str, int] = MappingProxyType({})

    def destinations(self, default_region: Callable[[], str]) -> tuple[Destination, ...]:
        """Return every account and region to deploy to."""
        regions = self.regions or (default_region(),)
        return tuple(Destination(region, role) for role in self.accounts or (None,) for region in regions)
