"""Layer versions that this run does not publish: whether functions can be given them.

AWS checks lambda:GetLayerVersion on every layer of a function at each update of its layers or its VPC, also
on those that stay. So each version that an update would send is read once for each account and region, before
anything is published. The call counts against the shared quota: functions that are not updated cost nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from entrypoint.aws.model import Function, LayerVersion
from entrypoint.errors import Diagnostic, Location, PlanError
from entrypoint.manifest.arn import Arn, is_arn
from entrypoint.parallel import for_each
from entrypoint.release.findings import named
from entrypoint.release.function_change import Aspect, FunctionChange

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws
    from entrypoint.release.plan import RegionPlan

_AT_ONCE = 8
_SENDS_LAYERS = {Aspect.LAYERS, Aspect.VPC}
Readable = Mapping[str, LayerVersion | None]
"""Layer versions by ARN; None for those that do not exist or are not shared with this account."""
NOTHING_READ: Readable = MappingProxyType({})


def read_foreign(aws: "Aws", changes: Iterable[FunctionChange], versions: Mapping[str, str]) -> Readable:
    """Read each layer version that updates would send; `versions` are those of the manifest's layers."""
    arns = tuple(dict.fromkeys(arn for change in changes for arn in _sent(change, versions)))
    return dict(zip(arns, for_each(arns, aws.layers.described, at_once=_AT_ONCE), strict=True))


def foreign_problems(
    changes: Iterable[FunctionChange], versions: Mapping[str, str], found: Readable
) -> Iterator[Diagnostic]:
    """Yield what AWS would refuse, or what would not work; functions with the same problem share one."""
    functions: dict[tuple[str, str, Location | None], list[str]] = {}
    for change in changes:
        for arn in _sent(change, versions):
            for problem, hint in _problems(change, arn, found.get(arn)) if arn in found else ():
                functions.setdefault((problem, hint, change.location), []).append(change.function.name)
    for (problem, hint, location), names in functions.items():
        yield Diagnostic(problem.format(named(tuple(names))), hint, location)


def refuse_unreadable(aws: "Aws", plan: "RegionPlan") -> "RegionPlan":
    """Return the plan, if AWS would accept the layers of its functions.

    Raises:
        PlanError: a layer version does not exist, or may not be read.
    """
    found = read_foreign(aws, plan.functions, plan.versions)
    if problems := tuple(foreign_problems(plan.functions, plan.versions, found)):
        raise PlanError(*problems)
    return plan


def _sent(change: FunctionChange, versions: Mapping[str, str]) -> Sequence[str]:
    """Return the ARNs of the function's region that an update of it would send, but for `versions`."""
    if not _SENDS_LAYERS.intersection(change.aspects(versions)):
        return ()
    region, ours = Arn.parse(change.function.arn).region, set(versions.values())
    after = change.layers_after(change.function.layers, versions)
    return [arn for arn in after if is_arn(arn) and arn not in ours and Arn.parse(arn).region == region]


def _problems(change: FunctionChange, arn: str, version: LayerVersion | None) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, with a place for the functions' names, and what to do."""
    is_listed = any(wanted.reference == arn for wanted in change.wanted)
    has = arn in change.function.layers
    if version is None:
        verb = "has" if has else "would be given"
        problem = f"{{}} {verb} {arn}, which does not exist or is not shared with this account"
        hint = "list a version that this account may read" if is_listed else "remove it from the function"
        yield problem, f"{hint}, or allow lambda:GetLayerVersion on it: AWS checks every layer at an update"
    elif not has:
        yield from _incompatible(change.function, version)


def _incompatible(function: Function, version: LayerVersion) -> Iterator[tuple[str, str]]:
    for has, compatible in (
        (function.runtime, version.runtimes),
        (function.architecture, version.architectures),
    ):
        if compatible and has not in compatible:
            problem = f"{{}} runs on {has}, but {version.arn} is for {', '.join(sorted(compatible))}"
            yield problem, f"list a layer version for {has}"
