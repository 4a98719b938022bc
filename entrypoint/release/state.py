"""The state of AWS in one account and region, as far as it concerns the manifest.

In: the layers with their dependency hashes. Out: `RegionState`. It takes one ListLayerVersions call for each
layer and the pages of ListFunctions. Layers have no tags, so the dependency hash is in a version's
description, which that one call returns. Where the version with the wanted hash exists, one more call reads
who may use it besides its own account.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from entrypoint.aws.grants import Grant
from entrypoint.aws.model import Details, Function, LayerVersion
from entrypoint.errors import AwsError
from entrypoint.manifest.model import Destination, FunctionEntry, Manifest
from entrypoint.manifest.targets import AwsLayer
from entrypoint.parallel import as_they_end, for_each, wait_for
from entrypoint.release.selection import Selection, select

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_PAGE = 50
_CALLS_AT_ONCE = 8
_DETAILS_AT_ONCE = 32
"""GetFunction has a quota of 100 calls per second and takes some 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerState:
    """A layer's latest version, and the version with the wanted dependency hash."""

    latest: LayerVersion | None
    current: LayerVersion | None
    #: Those that were read, newest first; all of them with `every_version`.
    versions: tuple[LayerVersion, ...] = ()
    #: Who may use the current version besides its own account; None if that may not be read.
    grants: frozenset[Grant] | None = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionState:
    """The layers of the manifest and all functions, in one region."""

    destination: Destination
    layers: Mapping[str, LayerState]
    functions: tuple[Function, ...]
    #: The tags of functions by ARN, if an entry of the manifest selects by tag.
    tags: Mapping[str, Mapping[str, str]]

    @property
    def versions(self) -> dict[str, str]:
        """The ARNs of the layer versions with the wanted hashes, by layer name."""
        return {name: found.current.arn for name, found in self.layers.items() if found.current}


class Observed(NamedTuple):
    """What plans and the status are made from."""

    state: RegionState
    #: The functions that the manifest selects, and their details.
    selection: Selection
    details: Mapping[str, Details]


def observe(
    aws: "Aws",
    manifest: Manifest,
    layers: tuple[AwsLayer, ...],
    hashes: Mapping[str, str],
    *,
    every_version: bool = False,
) -> Observed:
    """Read an account and region; `hashes` are the dependency hashes of the layers to read, by name."""
    state = read_state(aws, hashes, manifest.functions, every_version=every_version)
    selection = select(manifest, layers, state.functions, state.tags, aws.destination)
    return Observed(state, selection, read_details(aws, selection.functions))


def read_state(
    aws: "Aws",
    wanted: Mapping[str, str],
    entries: Sequence[FunctionEntry],
    *,
    every_version: bool = False,
) -> RegionState:
    """Return the state of an account and region; `wanted` maps layer names to dependency hashes."""
    pool = ThreadPoolExecutor(_CALLS_AT_ONCE)
    try:
        functions = pool.submit(lambda: tuple(aws.functions.all()) if entries else ())
        layers = [
            pool.submit(_read_with_grants, aws, name, digest, every_version=every_version)
            for name, digest in wanted.items()
        ]
        for layer in as_they_end(layers):
            layer.result()  # stop at the first refusal
        tags = pool.submit(lambda: aws.functions.tags() if any(entry.tag for entry in entries) else {})
        wait_for([functions])
        wait_for([tags])
        return RegionState(
            destination=aws.destination,
            layers=dict(zip(wanted, (layer.result() for layer in layers), strict=True)),
            functions=tuple(sorted(functions.result(), key=lambda function: function.name)),
            tags=tags.result(),
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # on Ctrl-C, do not wait for the rest


def read_details(aws: "Aws", selected: Sequence[tuple[FunctionEntry, Function]]) -> dict[str, Details]:
    """Return the details of functions by name."""

    def read(item: tuple[FunctionEntry, Function]) -> Details:
        entry, listed = item
        function, reserved = aws.functions.described(listed.name) or (None, None)
        states = (aws.aliases.state(listed.name, name) for name in entry.aliases)
        aliases = {state.alias.name: state for state in states if state}
        provisioned = aliases if entry.concurrency.provisioned is not None else ()
        return Details(
            function=function,
            reserved=reserved,
            aliases=aliases,
            provisioned={name: aws.concurrency.provisioned(listed.name, name) for name in provisioned},
            published=aws.functions.published(listed.name) if listed.is_managed else None,
            updates_blocked=aws.runtimes.updates_blocked(custom)
            if (custom := listed.custom_runtime)
            else None,
        )

    found = for_each(tuple(selected), read, at_once=_DETAILS_AT_ONCE)
    return {listed.name: details for (_, listed), details in zip(selected, found, strict=True)}


def read_layer(aws: "Aws", name: str, dependency_hash: str, *, every_version: bool = False) -> LayerState:
    """Return the state of a layer.

    Where several versions have the same hash (two runs published at once), the lowest number wins, so that
    every run chooses the same one. Older pages are read only until one is found, or with `every_version`.
    """
    versions = aws.layers.versions(name)
    read: list[LayerVersion] = []
    current: LayerVersion | None = None
    while (every_version or not current) and (page := list(islice(versions, _PAGE))):
        read += page
        current = current or _lowest(page, dependency_hash)
    return LayerState(latest=read[0] if read else None, current=current, versions=tuple(read))


def _read_with_grants(aws: "Aws", name: str, dependency_hash: str, *, every_version: bool) -> LayerState:
    found = read_layer(aws, name, dependency_hash, every_version=every_version)
    if found.current is None:
        return found
    try:
        return replace(found, grants=aws.layers.grants(name, found.current.version))
    except AwsError as error:
        if not error.is_denial:  # only what is shared needs it
            raise
        return replace(found, grants=None)


def _lowest(versions: Iterable[LayerVersion], dependency_hash: str) -> LayerVersion | None:
    same = (version for version in versions if version.dependency_hash == dependency_hash)
    return min(same, key=lambda version: version.version, default=None)
