"""Functions that would be too large with their new layers: found before anything is published.

AWS returns the zipped sizes of a function's code and layers, but limits the unzipped ones. The sum of the
known sizes, unzipped where we built the layer and zipped elsewhere, is a lower bound.
"""

from collections.abc import Iterable, Mapping

from entrypoint.errors import Diagnostic, PlanError
from entrypoint.layer.describe import BuiltArchive
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.targets import Target
from entrypoint.release.function_change import FunctionChange
from entrypoint.release.plan import RegionPlan


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


def _least_size(change: FunctionChange, versions: Mapping[str, str], built: Mapping[str, int]) -> int:
    function = change.function
    known = {**dict(zip(function.layers, function.layer_sizes, strict=False)), **built}
    after = change.layers_after(function.layers, versions)
    return function.code_size + sum(known.get(arn, 0) for arn in after)
