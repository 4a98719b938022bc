"""AWS Lambda as the release stages see it: the values that travel, and the calls that they need."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

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

    def code_sha256(self, name: str, version: int) -> str:
        """Return the base64 SHA-256 of a layer version's archive."""


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

    def update_layers(self, function: Function, layers: tuple[str, ...]) -> None:
        """Set a function's layers and wait until the update has succeeded.

        Raises:
            UpdateInProgressError, StaleRevisionError: the function has to be read again first.
            RolloutError: AWS took the update and could not carry it out, or refuses it for good.
        """
