"""A plan or a deployment as Markdown: a workflow step's summary, and the body of a pull request's comment.

GitHub shows at most 1 MiB: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
Tables are cut long before that, and say how much they leave out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from entrypoint.build.describe import BuiltArchive
from entrypoint.errors import Problem
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.release.aws_lambda import LayerVersion
from entrypoint.release.difference import Difference
from entrypoint.release.function_change import Aspect, FunctionChange
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.update import Outcome, Status
from entrypoint.targets import Target

MARKER = "<!-- lambda-layers -->"
"""Finds the comment again that a later run replaces."""
_ROWS = 200
_SLICES = 8
_MARKS = {
    Status.UPDATED: "✅",
    Status.UNCHANGED: "",
    Status.FAILED: "❌",
    Status.PUT_BACK: "↩️",
    Status.NOT_BEGUN: "⏸️",
}


def plan_summary(plans: Iterable[RegionPlan], differences: Iterable[Difference] = ()) -> str:
    """Return what is to be done, everywhere, and what that changes in the packages."""
    plans = tuple(plans)
    layers = sum(len(plan.to_publish) for plan in plans)
    functions = sum(len(plan.to_update) for plan in plans)
    if not layers and not functions:
        return _page("Lambda layers: nothing to do", ["AWS agrees with the manifest."])
    sections = [
        _layers((str(plan.destination), change) for plan in plans for change in plan.layers),
        _packages(differences),
        _changes((plan, change) for plan in plans for change in plan.to_update),
        _list("Warnings", [warning for plan in plans for warning in plan.warnings]),
    ]
    return _page(f"Lambda layers: {layers} to publish, {functions} functions to update", sections)


def deployment_summary(deployment: Deployment) -> str:
    """Return what was done, everywhere, and what the new archives are made of."""
    layers = sum(len(region.published) for region in deployment.regions)
    functions = sum(len(region.updated) for region in deployment.regions)
    sections = [
        _layers(
            ((str(region.destination), change) for region in deployment.regions for change in region.layers),
            deployment.archives,
        ),
        _packages(deployment.differences),
        _outcomes((region, outcome) for region in deployment.regions for outcome in region.functions),
        _list("Problems", deployment.problems),
        *(_contents(target, archive) for target, archive in deployment.archives.items()),
    ]
    return _page(f"Lambda layers: {layers} published, {functions} functions updated", sections)


def _page(title: str, sections: Iterable[str]) -> str:
    return "\n\n".join([MARKER, f"## {title}", *filter(None, sections)]) + "\n"


def _layers(
    changes: Iterable[tuple[str, LayerChange]], archives: Mapping[Target, BuiltArchive] | None = None
) -> str:
    rows = []
    for where, change in changes:
        archive = (archives or {}).get(change.layer.targets[0])
        sizes = _sizes(archive) if archive else ["", "", ""]
        rows.append([f"`{change.layer.name}`", where, _versions(change), *sizes])
    return _table(["layer", "region", "version", "zipped", "unzipped", "of the limit"], rows)


def _versions(change: LayerChange) -> str:
    before = _number(change.latest)
    if change.action is LayerAction.KEEP:
        return before
    after = _number(change.version) if change.version != change.latest else "new"
    return f"{before} → **{after}**" if change.latest else f"**{after}**"


def _number(version: LayerVersion | None) -> str:
    return str(version.version) if version else "new"


def _sizes(archive: BuiltArchive) -> list[str]:
    share = archive.unzipped_size / UNZIPPED_BYTES
    return [_megabytes(archive.compressed_size), _megabytes(archive.unzipped_size), f"{share:.0%}"]


def _packages(differences: Iterable[Difference]) -> str:
    rows = [
        [
            f"`{difference.target}`",
            f"`{change.name}`",
            " → ".join(side.version if side else "none" for side in (change.before, change.after)),
            "" if change.growth is None else f"{change.growth / 1e6:+.1f} MB",
        ]
        for difference in differences
        for change in difference.changes
    ]
    return _table(["target", "package", "version", "zipped"], rows)


def _changes(changes: Iterable[tuple[RegionPlan, FunctionChange]]) -> str:
    rows = []
    for plan, change in changes:
        before = change.function.layers
        after = change.layers_after(before, plan.versions)
        swaps = [f"+ `{_short(arn)}`" for arn in after if arn not in before]
        swaps += [f"- `{_short(arn)}`" for arn in before if arn not in after]
        swaps += [str(aspect) for aspect in change.aspects(plan.versions) if aspect is not Aspect.LAYERS]
        rows.append([f"`{change.function.name}`", str(plan.destination), "<br>".join(swaps)])
    return _table(["function", "region", "change"], rows)


def _outcomes(outcomes: Iterable[tuple[RegionResult, Outcome]]) -> str:
    rows = [
        [
            f"`{outcome.function}`",
            str(region.destination),
            f"{_MARKS[outcome.status]} {outcome.status}".strip(),
            "<br>".join(f"`{_short(arn)}`" for arn in outcome.layers),
        ]
        for region, outcome in outcomes
    ]
    return _table(["function", "region", "state", "layers"], rows)


def _contents(target: Target, archive: BuiltArchive) -> str:
    """Return a chart of an archive's packages by size, folded."""
    sizes = sorted(((package.size, package.name) for package in archive.packages), reverse=True)
    shown = [(name, size) for size, name in sizes[:_SLICES]]
    if rest := sum(size for size, _ in sizes[_SLICES:]):
        shown.append((f"{len(sizes) - _SLICES} more", rest))
    slices = "\n".join(f'  "{name}" : {size / 1e6:.3f}' for name, size in shown if size)
    count = f"{len(sizes)} package{'' if len(sizes) == 1 else 's'}"
    summary = f"{target}: {count}, {_megabytes(archive.unzipped_size)} unzipped"
    chart = f"```mermaid\npie showData title MB by package\n{slices}\n```"
    return f"<details><summary>{summary}</summary>\n\n{chart}\n\n</details>" if slices else ""


def _list(title: str, problems: Sequence[Problem]) -> str:
    lines = [f"- {_plain(str(problem))}" for problem in problems[:_ROWS]]
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
        yield f"\nand {number - _ROWS:,} more; the log of this step has them all"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    return " ".join(text.split())


def _short(arn: str) -> str:
    return ":".join(arn.split(":")[-2:])


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
