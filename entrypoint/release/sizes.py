"""Functions that would be too large with their new layers: found before anything is published.

AWS returns the zipped sizes of a function's code and layers, but limits the unzipped ones. The sum of the
known sizes, unzipped where we built the layer and zipped elsewhere, is a lower bound. A plan, which builds
nothing, can only warn: from zipped sizes, and of a layer's new version from that of the one it replaces.
"""

from collections.abc import Iterable, Iterator, Mapping

from entrypoint.errors import Diagnostic, PlanError
from entrypoint.figures import megabytes
from entrypoint.layer.describe import BuiltArchive
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.arn import without_version
from entrypoint.manifest.targets import Target
from entrypoint.release.foreign import Readable
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.plan import RegionPlan

_UNZIPPED_BY_ZIPPED = 4
"""How many times their zipped size code and layers may have unzipped; three to four times is common."""


def refuse_overweight(plans: Iterable[RegionPlan], archives: Mapping[Target, BuiltArchive]) -> None:
    """Raise a PlanError that names every function that AWS would refuse for its size."""
    problems = []
    for plan in plans:
        built = {
            f"{change.layer.name}:new": archives[change.layer.targets[0]].unzipped_size
            for change in plan.to_publish
        }
        for change in plan.to_update:
            size = _least_size(change, plan.versions, built)
            if size > UNZIPPED_BYTES:
                name = change.function.name
                message = f"{name} in {plan.destination} would have at least {size:,} bytes with its layers"
                hint = f"AWS allows {UNZIPPED_BYTES:,}; remove a layer, or make one smaller"
                problems.append(Diagnostic(message, hint))
    if problems:
        raise PlanError(*problems)


def warn_of_size(plan: RegionPlan, foreign: Readable) -> Iterator[Diagnostic]:
    """Yield a warning for each function that may be too large with its layers, judged by zipped sizes."""
    for change in plan.to_update:
        code, layers = change.function.code_size, _zipped_layers(change, plan.versions, foreign)
        if (code + layers) * _UNZIPPED_BY_ZIPPED > UNZIPPED_BYTES:
            sizes = f"{megabytes(code)} of code and {megabytes(layers)} of layers, zipped"
            limit = f"AWS allows {megabytes(UNZIPPED_BYTES)} unzipped"
            message = f"{change.function.name} has at least {sizes}; {limit}"
            hint = "unzipped sizes are not known here: check them, as AWS refuses the update above its limit"
            yield Diagnostic(message, hint, change.location)


def _zipped_layers(change: FunctionChange, versions: Mapping[str, str], foreign: Readable) -> int:
    """Return the zipped bytes of a function's layers, as far as they are known."""
    function = change.function
    sizes = {without_version(arn): version.size for arn, version in foreign.items() if version}
    sizes |= dict(zip(map(without_version, function.layers), function.layer_sizes, strict=False))
    replaced = {name for wanted in change.wanted for name in wanted.replaces}
    names = {without_version(arn) for arn in change.layers_after(function.layers, versions)}
    names |= {name for name in map(without_version, function.layers) if name in replaced}
    return sum(sizes.get(name, 0) for name in names)


def _least_size(change: FunctionChange, versions: Mapping[str, str], built: Mapping[str, int]) -> int:
    function = change.function
    known = {**dict(zip(function.layers, function.layer_sizes, strict=False)), **built}
    after = change.layers_after(function.layers, versions)
    return function.code_size + sum(known.get(arn, 0) for arn in after)
