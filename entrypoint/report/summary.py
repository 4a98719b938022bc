"""Plans and deployments as Markdown: the summary of a workflow step, and the body of a pull request comment.

GitHub shows at most 1 MiB: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
Tables are cut long before that, and say how many rows they leave out.
"""

import html
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from entrypoint.aws.accounts import Results
from entrypoint.aws.model import LayerVersion
from entrypoint.errors import Diagnostic
from entrypoint.figures import KILO, MEGA, count, growth, megabytes
from entrypoint.layer.describe import BuiltArchive
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.arn import short_name
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import Target
from entrypoint.partitions import partition_of
from entrypoint.printable import printable
from entrypoint.release.difference import Difference
from entrypoint.release.function_change import Aspect, FunctionChange
from entrypoint.release.outcome import Outcome, Status
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan, warnings_of
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.status import RegionStatus

MARKER = "<!-- lambda-layers -->"
"""The mark by which a later run finds the comment that it replaces."""
_ROWS = 200
_NAMED = 10
_SLICES = 8
_THINNEST = 0.02
"""The share of a chart below which the labels of slices overlap."""
_MARKDOWN = re.compile(r"[\\`\[\]]")
_NOT_PLAIN = re.compile(r"[^\w.@/ +-]")
"""What a label of a mermaid chart does not have."""
_MARKS = {
    Status.UPDATED: "✅",
    Status.FAILED: "❌",
    Status.ROLLED_BACK: "↩️",
    Status.NOT_BEGUN: "⏸️",
}


def plan_summary(results: Results[RegionPlan], differences: Iterable[Difference] = ()) -> str:
    """Return what would be done everywhere, and the package changes."""
    plans = results.values
    layers = sum(len(plan.to_publish) for plan in plans)
    functions = sum(len(plan.to_update) for plan in plans)
    warnings = _list("Warnings", warnings_of(plans))
    if all(plan.is_empty for plan in plans):
        return _page("Lambda layers: nothing to do", ["AWS matches the manifest.", warnings])
    sections = [
        _layers((plan.destination, change) for plan in plans for change in plan.layers),
        _shares((plan.destination, change) for plan in plans for change in plan.layers),
        _packages(differences),
        _changes((plan, change) for plan in plans for change in plan.to_update),
        _alarms("to create or update", [alarm.name for plan in plans for alarm in plan.alarms]),
        warnings,
    ]
    return _page(f"Lambda layers: {layers} to publish, {count(functions, 'function')} to update", sections)


def status_summary(regions: Iterable[RegionStatus]) -> str:
    """Return where AWS differs from the manifest."""
    drift = [(str(region.destination), each) for region in regions for each in region.drift]
    rows = [
        [_code(each.subject), region, each.kind, _text(each.has), _text(each.wanted)]
        for region, each in drift
    ]
    if not rows:
        return _page("Lambda layers: up to date", ["AWS matches the manifest."])
    head = ["subject", "region", "drift", "has", "expected"]
    return _page(f"Lambda layers: {len(rows)} drifted", [_table(head, rows)])


def deployment_summary(deployment: Deployment, warnings: Sequence[Diagnostic] = ()) -> str:
    """Return what was done everywhere, the contents of the new archives, and the warnings."""
    layers = sum(len(region.published) for region in deployment.regions)
    functions = sum(len(region.updated) for region in deployment.regions)
    sections = [
        _layers(
            ((region.destination, change) for region in deployment.regions for change in region.layers),
            deployment.archives,
        ),
        _shares((region.destination, change) for region in deployment.regions for change in region.layers),
        _packages(deployment.differences),
        _outcomes((region, outcome) for region in deployment.regions for outcome in region.functions),
        _alarms("created or updated", [name for region in deployment.regions for name in region.alarms]),
        _list("Problems", deployment.problems),
        _list("Warnings", warnings),
        *(_contents(target, archive) for target, archive in deployment.archives.items()),
    ]
    return _page(f"Lambda layers: {layers} published, {count(functions, 'function')} updated", sections)


def difference_summary(differences: Iterable[Difference]) -> str:
    """Return the package changes of all targets."""
    found = tuple(differences)
    names = {change.name for difference in found for change in difference.changes}
    return _page(f"Lambda layers: {count(len(names), 'package')} changed", [_packages(found)])


def _page(title: str, sections: Iterable[str]) -> str:
    return "\n\n".join([MARKER, f"## {title}", *filter(None, sections)]) + "\n"


def _layers(
    changes: Iterable[tuple[Destination, LayerChange]], archives: Mapping[Target, BuiltArchive] | None = None
) -> str:
    """Return a row for each layer that changes, for all regions with the same change; count the others."""
    regions: dict[tuple[str, ...], list[str]] = defaultdict(list)
    kept = set()
    for destination, change in changes:
        if change.action is LayerAction.KEEP:
            kept.add(change.layer.name)
            continue
        archive = (archives or {}).get(change.layer.targets[0])
        sizes = _sizes(archive) if archive else ["", "", ""]
        page = f"layers/{change.layer.name}" + (
            f"/versions/{change.version.version}" if change.version else ""
        )
        row = (_code(change.layer.name), _versions(change), *sizes)
        regions[row].append(_link(destination, page if change.latest or change.version else ""))
    rows = [[name, version, ", ".join(where), *sizes] for (name, version, *sizes), where in regions.items()]
    table = _table(["layer", "version", "in", "zipped", "unzipped", "of the limit"], rows)
    return "\n\n".join(filter(None, [table, _kept(sorted(kept))]))


def _shares(changes: Iterable[tuple[Destination, LayerChange]]) -> str:
    """Return a row for each layer whose access changes."""
    rows = [
        [_code(change.layer.name), sign, ", ".join(map(str, grants)), str(destination)]
        for destination, change in changes
        for sign, grants in (("granted", change.granted), ("revoked", change.revoked))
        if grants
    ]
    return _table(["layer", "access", "for", "in"], rows)


def _kept(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = ", ".join(map(_code, names[:_NAMED]))
    return f"{count(len(names), 'layer')} unchanged: {shown}{more}" if names else ""


def _versions(change: LayerChange) -> str:
    before = _number(change.latest)
    after = _number(change.version) if change.version != change.latest else "new"
    taken = f" from {_text(str(change.origin))}" if change.origin else ""
    return f"{before} → **{after}**{taken}" if change.latest else f"**{after}**{taken}"


def _number(version: LayerVersion | None) -> str:
    return str(version.version) if version else "new"


def _sizes(archive: BuiltArchive) -> list[str]:
    share = archive.unzipped_size / UNZIPPED_BYTES
    return [megabytes(archive.compressed_size), megabytes(archive.unzipped_size), f"{share:.0%}"]


def _alarms(done: str, names: Sequence[str]) -> str:
    shown = ", ".join(map(_code, names[:_NAMED]))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{count(len(names), 'alarm')} {done}: {shown}{more}" if names else ""


def _packages(differences: Iterable[Difference]) -> str:
    """Return a row for each package that changes, for all targets with the same change."""
    targets: dict[tuple[str, str], list[str]] = defaultdict(list)
    growths: dict[tuple[str, str], list[int]] = defaultdict(list)
    for difference in differences:
        for change in difference.changes:
            versions = [side.version if side else "none" for side in (change.before, change.after)]
            row = (_code(change.name), _text(" → ".join(versions)))
            targets[row].append(_code(str(difference.target)))
            growths[row] += [] if change.growth is None else [change.growth]
    rows = [
        [*row, growth(max(growths[row], key=abs, default=None)), ", ".join(dict.fromkeys(found))]
        for row, found in targets.items()
    ]
    return _table(["package", "version", "zipped", "in"], rows)


def _changes(changes: Iterable[tuple[RegionPlan, FunctionChange]]) -> str:
    regions: dict[tuple[str, str], list[str]] = defaultdict(list)
    for plan, change in changes:
        name = change.function.name
        row = (_code(name), "<br>".join(_steps(plan, change)))
        regions[row].append(_link(plan.destination, f"functions/{name}"))
    return _table(["function", "change", "in"], [[*row, ", ".join(where)] for row, where in regions.items()])


def _steps(plan: RegionPlan, change: FunctionChange) -> Iterator[str]:
    """Yield what changes in a function: layers by name, from one version to another."""
    before, after = change.function.layers, change.layers_after(change.function.layers, plan.versions)
    removed = {_layer(arn): arn for arn in before if arn not in after}
    for arn in after:
        if arn not in before:
            old = removed.pop(_layer(arn), None)
            versions = f"{_version(old)} → **{_version(arn)}**" if old else f"**{_version(arn)}**"
            yield f"{_code(_layer(arn))} {versions}"
    yield from (f"{_code(_layer(arn))} {_version(arn)} → none" for arn in removed.values())
    yield from (str(aspect) for aspect in change.aspects(plan.versions) if aspect is not Aspect.LAYERS)


def _outcomes(outcomes: Iterable[tuple[RegionResult, Outcome]]) -> str:
    regions: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for region, outcome in outcomes:
        state = f"{_MARKS[outcome.status]} {outcome.status}".strip()
        layers = "<br>".join(f"{_code(_layer(arn))} {_version(arn)}" for arn in outcome.layers)
        row = (_code(outcome.function), state, layers)
        regions[row].append(_link(region.destination, f"functions/{outcome.function}"))
    rows = [[*row, ", ".join(where)] for row, where in regions.items()]
    return _table(["function", "state", "layers", "in"], rows)


def _link(destination: Destination, page: str) -> str:
    """Return a region, linked to a page of Lambda's console; other partitions have other consoles."""
    region = destination.region
    if not page or partition_of(region) != "aws":
        return str(destination)
    home = f"https://{region}.console.aws.amazon.com/lambda/home?region={region}"
    return f"[{destination}]({home}#/{page})"


def _contents(target: Target, archive: BuiltArchive) -> str:
    """Return a folded chart of an archive's packages by size."""
    sizes = sorted(((package.size, package.name) for package in archive.packages), reverse=True)
    total = sum(size for size, _ in sizes)
    shown = [(name, size) for size, name in sizes[:_SLICES] if size > total * _THINNEST]
    if rest := total - sum(size for _, size in shown):
        shown.append((f"{len(sizes) - len(shown)} more", rest))
    unit, bytes_of_it = ("MB", MEGA) if total > MEGA else ("kB", KILO)  # mermaid draws no slice of 0.00
    slices = "\n".join(f'  "{_NOT_PLAIN.sub("_", name)}" : {size / bytes_of_it:.3g}' for name, size in shown)
    packages = count(len(sizes), "package")
    summary = f"{target}: {packages}, {megabytes(archive.unzipped_size)} unzipped"
    chart = f"```mermaid\npie showData title {unit} by package\n{slices}\n```"
    return f"<details><summary>{summary}</summary>\n\n{chart}\n\n</details>" if slices else ""


def _list(title: str, problems: Sequence[Diagnostic]) -> str:
    lines = [f"- {_text(str(problem))}" for problem in problems[:_ROWS]]
    return "\n".join([f"### {title}", "", *lines, *_more(len(problems))]) if lines else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    lines = [[head[index] for index in kept], ["---"] * len(kept)]
    lines += [[_cell(row[index]) for index in kept] for row in rows[:_ROWS]]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), *_more(len(rows))])


def _more(number: int) -> Iterator[str]:
    if number > _ROWS:
        yield f"\nand {number - _ROWS:,} more; see the log of this step"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(name: str) -> str:
    """Return a name from outside as code, which nothing in it can end."""
    plain = printable(name).replace("`", "'")
    return f"`{plain}`"


def _text(text: str) -> str:
    """Return a text from outside on one line, without Markdown, HTML and mentions."""
    plain = printable(" ".join(text.split()))
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", html.escape(plain, quote=False)).replace("@", "&#64;")


def _layer(arn: str) -> str:
    """Return the name of a layer version's ARN, or of a version that is not published yet."""
    return short_name(arn).partition(":")[0]


def _version(arn: str) -> str:
    return short_name(arn).partition(":")[2]
