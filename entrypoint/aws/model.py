"""The values that travel between AWS and the release stages, and the errors that they handle."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from entrypoint.errors import AwsError, RolloutError
from entrypoint.manifest.checks import HASH_MARK
from entrypoint.manifest.model import Vpc

# At the end only: the text before it is the manifest's, and a pull request can write anything there.
_DEPENDENCY_HASH = re.compile(rf"(?:^| ){HASH_MARK}([0-9a-f]{{64}})\Z")
REVISION_MARK = "git:"
_REVISION = re.compile(rf"(?:^| ){REVISION_MARK}([0-9a-f]{{12}}) {HASH_MARK}[0-9a-f]{{64}}\Z")

Series = Mapping[datetime, float]
"""One value per hour; hours without data points are absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """A published version of a layer, as ListLayerVersions returns it."""

    arn: str
    version: int
    description: str
    #: The compatible runtimes and architectures; AWS displays these and enforces nothing.
    runtimes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()
    created: datetime | None = None
    #: Zipped size in bytes, where one version was read; lists do not have it.
    size: int = 0

    @property
    def dependency_hash(self) -> str | None:
        """The hash in the description; None for a version published by another tool."""
        match = _DEPENDENCY_HASH.search(self.description)
        return match[1] if match else None

    @property
    def revision(self) -> str | None:
        """The first 12 digits of the git commit that it was published from, if that is known."""
        match = _REVISION.search(self.description)
        return match[1] if match else None


class S3Object(NamedTuple):
    """A version of an object in S3; None for the version of a bucket that keeps none."""

    bucket: str
    key: str
    version: str | None

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of S3's operations that name it."""
        version = {"VersionId": self.version} if self.version else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


SETTINGS = (
    *("Runtime", "Role", "Handler", "Timeout", "MemorySize", "Environment", "DeadLetterConfig", "KMSKeyArn"),
    *("FileSystemConfigs", "ImageConfigResponse", "DurableConfig", "RuntimeConfig", "CapacityProviderConfig"),
)
"""Settings that publishing a version releases, beside code, layers and VPC."""
SETTINGS_WITH_DEFAULTS = (
    *("Architectures", "PackageType", "TracingConfig", "EphemeralStorage", "LoggingConfig", "SnapStart"),
)
"""The same, but missing in versions that were published before AWS had them."""
PUBLISHED = "$LATEST.PUBLISHED"
"""The version of a function on managed instances that its callers reach, unless they name another."""
MOST_EXECUTIONS = 1000
"""The number of executions of a durable function up to which they are counted."""
VERSION_MARK = " [lambda-layers]"
"""How the description of a function version ends that this tool published."""


class CustomRuntime(NamedTuple):
    """The customer-managed runtime of a function, whose `runtime` is `custom`."""

    arn: str
    alias: str

    @property
    def references(self) -> tuple[str, ...]:
        """The ways in which a manifest may refer to it, the most exact one first."""
        return f"{self.arn}:{self.alias}", self.arn, str(self), self.name

    @property
    def name(self) -> str:
        """Its name."""
        return self.arn.rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.name}:{self.alias}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function, as ListFunctions returns it; `layers` are layer version ARNs, in order."""

    name: str
    arn: str
    runtime: str
    architecture: str
    layers: tuple[str, ...]
    revision_id: str
    package_type: str = "Zip"
    custom_runtime: CustomRuntime | None = None
    #: Whether it is a copy that Lambda@Edge made of a function in another region.
    is_replica: bool = False
    #: Whether it runs on Lambda managed instances, whose callers reach `$LATEST.PUBLISHED`.
    is_managed: bool = False
    #: Whether it is a durable function, whose callers name a version or an alias.
    is_durable: bool = False
    #: Base64 SHA-256 of its code.
    code_sha256: str = ""
    #: None for a function that is attached to no VPC.
    vpc: Vpc | None = None
    #: Zipped sizes in bytes, of its code and of each of its layers.
    code_size: int = 0
    layer_sizes: tuple[int, ...] = ()
    #: The ARN of its execution role.
    role: str = ""
    #: Seconds.
    timeout: int = 0
    #: Megabytes.
    memory: int = 0
    version: str = "$LATEST"
    description: str = ""
    #: A digest of each other setting that a published version has too, by AWS's name.
    settings: Mapping[str, str] = field(default_factory=dict, compare=False)
    #: Why its last update failed, or why this published version did not become active, if that is so.
    #: ListFunctions does not return that.
    failure: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether this is a published version that this tool published."""
        return self.description.endswith(VERSION_MARK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """The routing of an alias: `weights` are the shares of traffic, 0 to 1, of additional versions."""

    name: str
    version: str
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    revision_id: str = ""

    @property
    def routing(self) -> tuple[str, Mapping[str, float]]:
        """Where its traffic goes."""
        return self.version, self.weights


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasState:
    """An alias of a function, with the configuration of the version it points to."""

    alias: Alias
    #: The configuration of its version.
    main: Function
    #: The configuration of the version that has a share of the traffic, if there is one.
    canary: Function | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What ListFunctions does not return about a function, as far as the manifest configures it."""

    #: The function as GetFunction returns it; None if it was deleted since it was listed.
    function: Function | None = None
    #: Reserved concurrent executions; None where nothing is reserved.
    reserved: int | None = None
    aliases: Mapping[str, AliasState]
    #: Provisioned concurrent executions by alias.
    provisioned: Mapping[str, int]
    #: `$LATEST.PUBLISHED`, of a function on managed instances that has one.
    published: Function | None = None
    #: The day from which AWS refuses updates, as the owner of its customer-managed runtime says.
    updates_blocked: date | None = None


CODE_DEPLOY_APPLICATION = "lambda-layers"


class Metric(NamedTuple):
    """A Lambda metric, of one function or of the whole account and region."""

    name: str
    statistic: str
    function: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """The limits of an account and region, their usage, and the concurrency claimed hour by hour."""

    concurrency: int
    unreserved: int
    #: Bytes.
    code_used: int
    code_limit: int
    #: The maximum that was claimed: used without a reservation, or reserved, or provisioned.
    claimed: Series


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """A mapping from a queue or stream to a function; -1 is no limit."""

    arn: str
    #: Such as sqs, kinesis or dynamodb.
    service: str
    is_enabled: bool = True
    batch_size: int = 0
    #: Seconds.
    batching_window: int = 0
    #: Of a queue; None where it is not limited.
    maximum_concurrency: int | None = None
    #: Of a stream: batches of each shard at once, 1 to 10.
    parallelization_factor: int = 1
    #: Whether a failed batch of a stream is split.
    bisects: bool = False
    maximum_retries: int = -1
    #: Seconds.
    maximum_age: int = -1
    has_failure_destination: bool = False


class Queue(NamedTuple):
    """An SQS queue: seconds for which a received message is hidden, and whether failed ones are kept."""

    visibility_timeout: int
    has_dead_letters: bool


class AbsentError(AwsError):
    """The resource does not exist."""


class ConflictError(AwsError):
    """The resource exists already, or something still uses it."""


class StillUpdatingError(RolloutError):
    """AWS has accepted an update of a function, and not finished it within the longest wait."""


class WeightsError(RolloutError):
    """An alias has weights, so that its provisioned concurrency cannot be set."""


class UnclearAnswerError(Exception):
    """The call may or may not have taken effect: the connection broke, or AWS answered 5xx."""


class UpdateInProgressError(Exception):
    """Another update of the function is in progress (409); retry when it has finished."""


class StaleRevisionError(Exception):
    """The function changed since it was read (412)."""
