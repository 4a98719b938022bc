"""The lines of plans and package changes, in rich's markup."""

from collections.abc import Iterator

from rich.markup import escape

from entrypoint.figures import growth
from entrypoint.manifest.arn import short_name
from entrypoint.manifest.model import NONE
from entrypoint.release.difference import ChangeKind, Difference, PackageChange
from entrypoint.release.function_change import Aspect, FunctionChange
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan

_STYLES = {LayerAction.KEEP: "dim", LayerAction.REUSE: "cyan", LayerAction.PUBLISH: "green"}
_CHANGES = {
    ChangeKind.ADDED: "green",
    ChangeKind.REMOVED: "red",
    ChangeKind.UPGRADED: "cyan",
    ChangeKind.DOWNGRADED: "yellow",
}


def layer_line(change: LayerChange) -> str:
    """Return a line of a plan about a layer."""
    style = _STYLES[change.action]
    current = f"version {change.latest.version}" if change.latest else "no version yet"
    then = {
        LayerAction.KEEP: "",
        LayerAction.REUSE: f" -> version {change.version.version}" if change.version else "",
        LayerAction.PUBLISH: f" -> new version{f' from {change.origin}' if change.origin else ''}",
    }[change.action]
    return f"[{style}]{change.action:8}[/{style}] {change.layer.name}  {current}{then}"


def share_lines(change: LayerChange) -> Iterator[str]:
    """Yield the lines of a plan about who may use a layer's version."""
    if change.granted:
        yield f"[green]+ access for {', '.join(map(str, change.granted))}[/green]"
    if change.revoked:
        yield f"[red]- access for {', '.join(map(str, change.revoked))}[/red]"


def function_lines(change: FunctionChange, plan: RegionPlan) -> Iterator[str]:
    """Yield the lines of a plan about a function; those about its settings are indented."""
    before = change.function.layers
    after = change.layers_after(before, plan.versions)
    aspects = change.aspects(plan.versions)
    name = change.function.name
    if not aspects:
        yield f"[dim]keep    [/dim] {name}"
        return
    yield f"[green]update  [/green] {name}"
    for arn in before:
        if arn not in after:
            yield f"  [red]- {_short(arn)}[/red]"
    for arn in after if Aspect.LAYERS in aspects else ():
        yield f"  [green]+ {_short(arn)}[/green]" if arn not in before else f"  [dim]  {_short(arn)}[/dim]"
    settings = {
        Aspect.VPC: f"vpc: {change.vpc}",
        Aspect.PUBLISHED: "publish $LATEST.PUBLISHED, which callers reach",
        Aspect.RESERVED: f"reserved concurrency: {_or_none(change.reserved_after)}",
        Aspect.ALIASES: f"publish a version and move the aliases {', '.join(change.aliases)}",
        Aspect.PROVISIONED: f"provisioned concurrency: {change.concurrency.provisioned or NONE}",
    }
    yield from (f"  [green]{settings[aspect]}[/green]" for aspect in aspects if aspect in settings)


def _or_none(number: int | None) -> str:
    return NONE if number is None else str(number)


def difference_lines(difference: Difference) -> Iterator[str]:
    """Yield a line for each package that changes, and the growth of the layer."""
    if not difference.changes:
        yield "[dim]no package changes[/dim]"
        return
    versions = [_versions(change) for change in difference.changes]
    names = max(len(change.name) for change in difference.changes)
    wide = max(map(len, versions))
    for change, text in zip(difference.changes, versions, strict=True):
        style = _CHANGES[change.kind]
        row = f"{change.kind:10}[/{style}]  {change.name:{names}}  {escape(f'{text:{wide}}')}"
        yield f"[{style}]{row}  {growth(change.growth)}".rstrip()
    if difference.growth is not None:
        yield f"[bold]{growth(difference.growth)} zipped[/bold]"


def _versions(change: PackageChange) -> str:
    return " -> ".join(side.version for side in (change.before, change.after) if side)


def _short(arn: str) -> str:
    return escape(short_name(arn))
