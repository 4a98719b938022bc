"""What stands in AWS, in one region, as far as the manifest is concerned.

In: the layers with their dependency hashes. Out: `RegionState`. One ListLayerVersions call for each
layer and the pages of ListFunctions; layers have no tags, and a version's description is the only
place of ours that this one call returns, so that is where the dependency hash stands.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from entrypoint.parallel import as_they_end, wait_for
from entrypoint.release.aws_lambda import Function, LayerVersion, ReadsLambda

_PAGE = 50
_CALLS_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerState:
    """A layer's latest version, and the version that holds just what the manifest asks for."""

    latest: LayerVersion | None
    current: LayerVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionState:
    """The layers of the manifest and all functions, in one region."""

    region: str
    layers: Mapping[str, LayerState]
    functions: tuple[Function, ...]


def read_state(
    aws: ReadsLambda, region: str, wanted: Mapping[str, str], *, with_functions: bool
) -> RegionState:
    """Return the region's state; `wanted` maps layer names to dependency hashes."""
    pool = ThreadPoolExecutor(_CALLS_AT_ONCE)
    try:
        functions = pool.submit(lambda: tuple(aws.functions()) if with_functions else ())
        layers = [pool.submit(read_layer, aws, name, digest) for name, digest in wanted.items()]
        for layer in as_they_end(layers):
            layer.result()  # one refusal is answer enough
        wait_for([functions])
        return RegionState(
            region=region,
            layers=dict(zip(wanted, (layer.result() for layer in layers), strict=True)),
            functions=tuple(sorted(functions.result(), key=lambda function: function.name)),
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # nor does Ctrl-C wait for the rest


def read_layer(aws: ReadsLambda, name: str, dependency_hash: str) -> LayerState:
    """Return what stands under a layer's name.

    Where several versions hold the same (two runs published at once), the lowest number wins, so that
    every run chooses the same one. Older pages are only read while none was found.
    """
    versions = aws.layer_versions(name)
    latest: LayerVersion | None = None
    while page := list(islice(versions, _PAGE)):
        latest = latest or page[0]
        if current := _lowest(page, dependency_hash):
            return LayerState(latest=latest, current=current)
    return LayerState(latest=latest, current=None)


def _lowest(versions: Iterable[LayerVersion], dependency_hash: str) -> LayerVersion | None:
    same = (version for version in versions if version.dependency_hash == dependency_hash)
    return min(same, key=lambda version: version.version, default=None)
