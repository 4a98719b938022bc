"""What stands in AWS, in one account and region, as far as the manifest is concerned.

In: the layers with their dependency hashes. Out: `RegionState`. One ListLayerVersions call for each
layer and the pages of ListFunctions; layers have no tags, and a version's description is the only
place of ours that this one call returns, so that is where the dependency hash stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from entrypoint.aws.model import Details, Function, LayerVersion, ReadsLambda
from entrypoint.manifest.model import Destination, FunctionEntry
from entrypoint.parallel import as_they_end, for_each, wait_for

_PAGE = 50
_CALLS_AT_ONCE = 8
_DETAILS_AT_ONCE = 32
"""GetFunction has a quota of 100 a second, and takes some 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerState:
    """A layer's latest version, and the version that holds just what the manifest asks for."""

    latest: LayerVersion | None
    current: LayerVersion | None
    #: Those that were read, newest first: all of them where all were asked for.
    versions: tuple[LayerVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionState:
    """The layers of the manifest and all functions, in one region."""

    destination: Destination
    layers: Mapping[str, LayerState]
    functions: tuple[Function, ...]
    #: The tags of functions by ARN, where an entry of the manifest asks for any.
    tags: Mapping[str, Mapping[str, str]]


def read_state(
    aws: ReadsLambda,
    destination: Destination,
    wanted: Mapping[str, str],
    entries: Sequence[FunctionEntry],
    *,
    every_version: bool = False,
) -> RegionState:
    """Return the state of an account and region; `wanted` maps layer names to dependency hashes."""
    pool = ThreadPoolExecutor(_CALLS_AT_ONCE)
    try:
        functions = pool.submit(lambda: tuple(aws.functions()) if entries else ())
        layers = [
            pool.submit(read_layer, aws, name, digest, every_version=every_version)
            for name, digest in wanted.items()
        ]
        for layer in as_they_end(layers):
            layer.result()  # one refusal is answer enough
        tags = pool.submit(lambda: aws.tags() if any(entry.tag for entry in entries) else {})
        wait_for([functions])
        wait_for([tags])
        return RegionState(
            destination=destination,
            layers=dict(zip(wanted, (layer.result() for layer in layers), strict=True)),
            functions=tuple(sorted(functions.result(), key=lambda function: function.name)),
            tags=tags.result(),
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # nor does Ctrl-C wait for the rest


def read_details(aws: ReadsLambda, selected: Sequence[tuple[FunctionEntry, Function]]) -> dict[str, Details]:
    """Return, by name, what ListFunctions does not tell of the functions whose entries speak of it."""
    asked = [(entry, function) for entry, function in selected if entry.needs_details]

    def read(item: tuple[FunctionEntry, Function]) -> Details:
        entry, function = item
        provisioned = entry.concurrency.provisioned is not None
        return aws.details(function, entry.aliases, provisioned=provisioned)

    found = for_each(asked, read, at_once=_DETAILS_AT_ONCE)
    return {function.name: details for (_, function), details in zip(asked, found, strict=True)}


def read_layer(
    aws: ReadsLambda, name: str, dependency_hash: str, *, every_version: bool = False
) -> LayerState:
    """Return what stands under a layer's name.

    Where several versions hold the same (two runs published at once), the lowest number wins, so that
    every run chooses the same one. Older pages are only read while none was found, or for every version.
    """
    versions = aws.layer_versions(name)
    read: list[LayerVersion] = []
    current: LayerVersion | None = None
    while (every_version or not current) and (page := list(islice(versions, _PAGE))):
        read += page
        current = current or _lowest(page, dependency_hash)
    return LayerState(latest=read[0] if read else None, current=current, versions=tuple(read))


def _lowest(versions: Iterable[LayerVersion], dependency_hash: str) -> LayerVersion | None:
    same = (version for version in versions if version.dependency_hash == dependency_hash)
    return min(same, key=lambda version: version.version, default=None)
