"""The state of the embedded Lambda: layers and functions of every account and region.

Values are frozen and replaced; only the containers (`StoredRegion`, `StoredLayer`, `StoredFunction`) change.
All of it can be written to a state file, so every field is a plain value or a dataclass of such values.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from entrypoint.local_aws.archive import LayerArchive, ReadObject
from entrypoint.local_aws.archive_store import ArchiveStore
from entrypoint.local_aws.arns import LATEST, Scope


def new_revision() -> str:
    """Return a new RevisionId."""
    return str(uuid.uuid4())


def timestamp(clock: float) -> str:
    """Return a time in Lambda's format: `2026-11-23T10:11:12.345+0000`."""
    moment = datetime.fromtimestamp(clock, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferredObject:
    """A version of an object in S3 that a layer version refers to."""

    bucket: str
    key: str
    version: str


ReferTo = Callable[[Scope, str, str, str | None], ReferredObject]
"""(scope, bucket, key, object version) -> the object; raises LookupError(code, message)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLayerVersion:
    """One published version of a layer; only its policy can change."""

    number: int
    archive: LayerArchive
    created: str
    description: str | None = None
    license_info: str | None = None
    runtimes: tuple[str, ...] | None = None
    architectures: tuple[str, ...] | None = None
    policy: tuple[Mapping[str, Any], ...] = ()
    policy_revision: str = ""
    #: None where Lambda has a copy.
    object: ReferredObject | None = None


@dataclass(slots=True, kw_only=True)
class StoredLayer:
    """A layer's versions by number; `last_number` outlives deleted versions."""

    name: str
    last_number: int = 0
    versions: dict[int, StoredLayerVersion] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedLayer:
    """A layer version on a function: Lambda's own copy, which survives the version's deletion."""

    arn: str
    size: int
    unzipped_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStatus:
    """The outcome of a function's last update."""

    status: str = "Successful"
    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionVersion:
    """A function's code and configuration: `$LATEST` or one published version.

    `settings` has the fields that are returned as given, under Lambda's names.
    """

    version: str = LATEST
    settings: Mapping[str, Any]
    code: LayerArchive
    architecture: str
    package_type: str
    layers: tuple[AttachedLayer, ...]
    last_modified: str
    revision_id: str
    active_from: float
    image_uri: str | None = None
    last_update: UpdateStatus = UpdateStatus()


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An update in progress: its end, the previous version, and its outcome."""

    ends: float
    before: FunctionVersion
    outcome: UpdateStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlias:
    """An alias: a version, and the weight of a second version."""

    name: str
    version: str
    description: str
    weights: Mapping[str, float]
    revision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedConcurrency:
    """Provisioned concurrency of one version or alias."""

    requested: int
    ready_from: float
    last_modified: str


@dataclass(slots=True, kw_only=True)
class StoredFunction:
    """A function with its versions, aliases, tags and concurrency."""

    name: str
    latest: FunctionVersion
    update: Update | None = None
    last_number: int = 0
    versions: dict[str, FunctionVersion] = field(default_factory=dict)
    #: `$LATEST.PUBLISHED`, of a function on managed instances.
    published: FunctionVersion | None = None
    aliases: dict[str, StoredAlias] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    reserved: int | None = None
    provisioned: dict[str, ProvisionedConcurrency] = field(default_factory=dict)
    next_outcome: UpdateStatus = UpdateStatus()
    #: How the execution environments of the next version start.
    next_start: UpdateStatus = UpdateStatus()
    #: The executions of a durable function, each with Name, Version and Status.
    executions: tuple[Mapping[str, str], ...] = ()
    #: The ARNs of its event sources: streams and queues.
    sources: tuple[str, ...] = ()
    #: How its asynchronous events are retried; empty where that was never set.
    event_invoke: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class StoredRegion:
    """One account in one region."""

    layers: dict[str, StoredLayer] = field(default_factory=dict)
    functions: dict[str, StoredFunction] = field(default_factory=dict)
    #: Customer-managed runtimes: for each name and alias, NAME:ALIAS, the dates of its lifecycle.
    runtimes: dict[str, dict[str, str]] = field(default_factory=dict)


def _no_object(_scope: Scope, bucket: str, _key: str, _version: str | None) -> bytes:
    raise LookupError("NoSuchBucket", f"The specified bucket does not exist: {bucket}")


def _no_reference(_scope: Scope, bucket: str, _key: str, _version: str | None) -> ReferredObject:
    raise LookupError("NoSuchBucket", f"The specified bucket does not exist: {bucket}")


@dataclass(slots=True, kw_only=True)
class Cloud:
    """All accounts and regions, and what the service requires from outside: a clock, and S3."""

    clock: Callable[[], float] = time.time
    update_seconds: float = 0.0
    read_object: ReadObject = _no_object
    refer_to: ReferTo = _no_reference
    archives: ArchiveStore = field(default_factory=ArchiveStore)
    endpoint_url: str = ""
    regions: dict[Scope, StoredRegion] = field(default_factory=dict)
    handlers: dict[str, Callable[[Any], bytes]] = field(default_factory=dict)
    lock: RLock = field(default_factory=RLock)

    def region(self, scope: Scope) -> StoredRegion:
        """Return the state of one account in one region, empty at first."""
        return self.regions.setdefault(scope, StoredRegion())

    def layer_hashes(self) -> set[str]:
        """Return the hashes of the archives of all layer versions."""
        layers = (layer for region in self.regions.values() for layer in region.layers.values())
        return {version.archive.sha256 for layer in layers for version in layer.versions.values()}

    def referring(self) -> Iterator[tuple[Scope, StoredLayerVersion]]:
        """Yield the layer versions that refer to objects in S3."""
        for scope, region in self.regions.items():
            for layer in region.layers.values():
                for version in layer.versions.values():
                    if version.object:
                        yield scope, version

    def now(self) -> str:
        """Return the clock's time in Lambda's format."""
        return timestamp(self.clock())
