"""AWS Lambda as the release stages see it: the values that travel, and the calls that they need."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import RawIOBase
from pathlib import Path
from typing import Protocol

from entrypoint.manifest.model import Share, Vpc

_DEPENDENCY_HASH = re.compile(r"\bdeps:sha256:([0-9a-f]{64})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerVersion:
    """A published version of a layer, as ListLayerVersions tells of it."""

    arn: str
    version: int
    description: str
    #: What it is said to be compatible with; AWS shows this and enforces nothing.
    runtimes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()
    created: datetime | None = None

    @property
    def dependency_hash(self) -> str | None:
        """The hash that this pipeline wrote into the description, or None for a stranger's version."""
        match = _DEPENDENCY_HASH.search(self.description)
        return match[1] if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function, as ListFunctions tells of it; `layers` are layer version ARNs in their order."""

    name: str
    arn: str
    runtime: str
    architecture: str
    layers: tuple[str, ...]
    revision_id: str
    package_type: str = "Zip"
    #: Base64 SHA-256 of its code.
    code_sha256: str = ""
    #: None where it is attached to no VPC.
    vpc: Vpc | None = None
    #: Whether it may reach IPv6 addresses from its VPC.
    uses_ipv6: bool = False
    #: Zipped sizes in bytes, of its code and of each of its layers.
    code_size: int = 0
    layer_sizes: tuple[int, ...] = ()
    #: The ARN of the role that it runs as.
    role: str = ""
    #: Seconds.
    timeout: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasState:
    """An alias of a function and what the version behind it is made of."""

    name: str
    version: str
    layers: tuple[str, ...]
    code_sha256: str
    vpc: Vpc | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What ListFunctions does not tell of a function, as far as the manifest speaks of it."""

    #: Reserved concurrent executions; None where nothing is reserved.
    reserved: int | None = None
    aliases: Mapping[str, AliasState]
    #: Provisioned concurrent executions by alias.
    provisioned: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Where an alias points: `weights` are the share of its traffic, 0 to 1, that other versions get."""

    name: str
    version: str
    weights: Mapping[str, float]
    revision_id: str


class UnclearAnswerError(Exception):
    """The call may or may not have been carried out: the connection broke, or AWS answered with 5xx."""


class UpdateInProgressError(Exception):
    """The function is being updated by somebody (409); it can be tried again when that is done."""


class StaleRevisionError(Exception):
    """The function changed since it was read (412)."""


class ReadsLambda(Protocol):
    """The calls that a plan needs: none of them changes anything."""

    def layer_versions(self, name: str) -> Iterator[LayerVersion]:
        """Yield a layer's versions, newest first; nothing where the layer does not exist."""

    def functions(self) -> Iterator[Function]:
        """Yield every function of the account in this region."""

    def function(self, name: str) -> Function:
        """Return a function as it stands now, once no update of it is in progress."""

    def archive(self, name: str, version: int) -> RawIOBase:
        """Open a layer version's archive for reading; the caller closes it."""

    def tags(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of the functions that have any, by ARN."""

    def details(self, function: Function, aliases: Sequence[str], *, provisioned: bool) -> Details:
        """Return a function's reserved concurrency, those of these aliases that exist, and what they have."""


class ChangesLambda(ReadsLambda, Protocol):
    """The calls of a roll-out."""

    def publish_layer_version(
        self,
        *,
        name: str,
        description: str,
        archive: Path,
        runtimes: tuple[str, ...],
        architectures: tuple[str, ...],
        license: str | None,  # noqa: A002 - the API's own word
    ) -> LayerVersion:
        """Publish an archive as the next version; UnclearAnswerError where it may or may not have been."""

    def update(self, function: Function, layers: tuple[str, ...], vpc: Vpc | None = None) -> None:
        """Set a function's layers, and its VPC where one is given; wait until the update has succeeded.

        Raises:
            UpdateInProgressError, StaleRevisionError: the function has to be read again first.
            RolloutError: AWS took the update and could not carry it out, or refuses it for good.
        """

    def publish_version(self, name: str, *, code_sha256: str) -> str:
        """Publish what a function is now, wait until it can be invoked, and return the version's number.

        Where nothing changed since the last version, that one is returned.

        Raises:
            UpdateInProgressError: the function is being updated.
            RolloutError: its code is no longer the one given, or the version cannot be made ready.
        """

    def alias(self, function: str, name: str) -> Alias:
        """Return where an alias points."""

    def move_alias(self, function: str, alias: Alias, version: str, weights: Mapping[str, float]) -> None:
        """Let an alias point to a version, and give these shares of its traffic to others.

        Raises:
            StaleRevisionError: somebody else moved it since it was read.
        """

    def reserve(self, function: str, concurrency: int) -> None:
        """Reserve concurrent executions for a function."""

    def provision(self, function: str, alias: str, concurrency: int) -> None:
        """Keep environments ready on an alias; wait until they are."""

    def share(self, name: str, version: int, share: Share) -> None:
        """Let others use a layer version; what is granted already stays granted."""

    def alarms(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the states of those of these CloudWatch alarms that exist, by name."""

    def invoke(self, function: str, payload: bytes) -> bytes:
        """Return what a function, with or without `:alias`, answers; RolloutError where it fails."""

    def put_parameters(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Write SSM parameters; return the names of those that had another value, or none."""

    def layers_in_use(self) -> frozenset[str]:
        """Return the ARNs of the layer versions that any function or published version has."""

    def delete_layer_version(self, name: str, version: int) -> None:
        """Delete a layer version; one that is gone already is fine."""
