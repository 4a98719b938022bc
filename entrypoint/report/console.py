"""What a person sees in a terminal or a log: the only importer of rich.

Results go to standard output, progress and warnings to standard error. Colours and moving bars
appear on a terminal only (and not with NO_COLOR); a log gets one plain line for each thing done.
"""

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console as RichConsole
from rich.markup import escape

from entrypoint.errors import Diagnostic
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import Destination, Vpc
from entrypoint.manifest.targets import Target
from entrypoint.release.difference import ChangeKind, Difference, PackageChange
from entrypoint.release.findings import Diagnosis, Severity
from entrypoint.release.function_change import Aspect, FunctionChange
from entrypoint.release.plan import LayerAction, LayerChange, RegionPlan
from entrypoint.release.result import Deployment
from entrypoint.release.status import RegionStatus
from entrypoint.release.update import Outcome, Status
from entrypoint.report.figures import count, growth, megabytes
from entrypoint.report.progress import Bars, Count, Downloads

_SHOWN = {Status.UPDATED: "green", Status.PUT_BACK: "yellow"}
_SEVERITIES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_STYLES = {LayerAction.KEEP: "dim", LayerAction.REUSE: "cyan", LayerAction.PUBLISH: "green"}
_CHANGES = {
    ChangeKind.ADDED: "green",
    ChangeKind.REMOVED: "red",
    ChangeKind.UPGRADED: "cyan",
    ChangeKind.DOWNGRADED: "yellow",
}


class _Stream(RichConsole):
    """Goes on in silence where the reader has had enough: what is being done is not to stop half-way."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


class Console:
    """Prints what happens; safe to use from several threads."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        warnings: list[Diagnostic] | None = None,
        disarm: Callable[[str], str] | None = None,
    ) -> None:
        """Open the terminal, or the log.

        `warnings` takes in what is warned of, for who tells of it elsewhere. `disarm` is for a workflow,
        whose runner obeys some lines and folds others: it returns a text without the lines that it obeys.
        """
        self._out = _Stream(highlight=False, soft_wrap=True)
        self._err = _Stream(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._bars = Bars(self._err, visible=self._err.is_terminal and not quiet)
        self._folds = disarm is not None and not quiet
        self._disarm = disarm or str
        self._done: Counter[tuple[str, str]] = Counter()
        self._counts: dict[str, Count] = {}
        self._warnings = [] if warnings is None else warnings
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print a line about what is being done."""
        self._err.print(escape(self._disarm(text)))

    def result(self, text: str) -> None:
        """Print what the command was asked for, as it is."""
        sys.stdout.write(text + "\n")

    def warn(self, problems: Iterable[Diagnostic]) -> None:
        """Print warnings; they stop nothing."""
        for problem in problems:
            self._warnings.append(problem)
            self._err.print(f"[yellow]warning:[/yellow] {escape(self._disarm(str(problem)))}")

    def built(self, target: Target, archive: BuiltArchive) -> None:
        """Tell of a finished archive."""
        sizes = f"{megabytes(archive.compressed_size)} zipped, {megabytes(archive.unzipped_size)} unzipped"
        self._count("built", "archive")
        wheels = sum(package.origin.endswith(".whl") for package in archive.packages)
        told = f"{count(wheels, 'package')}, {sizes}" if wheels else sizes
        self._err.print(f"[green]built[/green] {target}: {told}")

    def plans(self, plans: Iterable[RegionPlan]) -> None:
        """Show what is to be done everywhere, layer by layer and function by function."""
        plans = tuple(plans)
        for plan in plans:
            self._plan(plan)
        layers = sum(len(plan.to_publish) for plan in plans)
        functions = sum(len(plan.to_update) for plan in plans)
        if layers or functions:
            text = f"to publish: {count(layers, 'layer')}, to update: {count(functions, 'function')}"
        elif alarms := sum(len(plan.alarms) for plan in plans):
            text = f"to put: {count(alarms, 'alarm')}"
        else:
            text = "nothing to do: AWS agrees with the manifest"
        self._out.print(f"[bold]{text}[/bold]")

    def statuses(self, statuses: Iterable[RegionStatus]) -> None:
        """Show where AWS does not stand as the manifest asks."""
        for status in statuses:
            self._out.print(f"[bold]{status.destination}[/bold]")
            for drift in status.drift:
                told = escape(f"{drift.subject}: has {drift.has}; wanted: {drift.wanted}")
                self._out.print(f"  [yellow]{drift.kind:12}[/yellow] {told}")
            if not status.drift:
                known = f"{count(len(status.layers), 'layer')}, {count(len(status.functions), 'function')}"
                self._out.print(f"  [green]in agreement[/green] {known}")

    def diagnoses(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Show what was found everywhere, the worst first."""
        for diagnosis in diagnoses:
            self._out.print(f"[bold]{diagnosis.destination}[/bold]")
            for finding in diagnosis.findings:
                style = _SEVERITIES[finding.severity]
                self._out.print(f"  [{style}]{finding.severity:8}[/{style}] {escape(str(finding))}")

    def differences(self, differences: Iterable[Difference]) -> None:
        """Show what changed in each target, package by package."""
        for difference in differences:
            sides = escape(f"{difference.before} -> {difference.after}")
            self._out.print(f"[bold]{difference.target}[/bold]  {sides}")
            for note in difference.notes:
                self._out.print(f"  [dim]{escape(note)}[/dim]")
            for line in _difference_lines(difference):
                self._out.print(f"  {line}")

    def deployed(self, deployment: Deployment) -> None:
        """Tell in one line what a deployment did."""
        layers = sum(len(region.published) for region in deployment.regions)
        functions = sum(len(region.updated) for region in deployment.regions)
        if layers or functions:
            text = f"published {count(layers, 'layer version')}, updated {count(functions, 'function')}"
            self._out.print(f"[bold green]{text}[/bold green]")
        if alarms := sum(len(region.alarms) for region in deployment.regions):
            self._out.print(f"[bold green]put {count(alarms, 'alarm')}[/bold green]")
        for region in deployment.regions:
            if region.deleted:
                self._out.print(f"deleted in {region.destination}: {', '.join(region.deleted)}")
            for status in (Status.PUT_BACK, Status.NOT_BEGUN):
                if names := [outcome.function for outcome in region.having(status)]:
                    self._out.print(f"[yellow]{status}[/yellow] in {region.destination}: {', '.join(names)}")

    def _plan(self, plan: RegionPlan) -> None:
        self._out.print(f"[bold]{plan.destination}[/bold]")
        for change in plan.layers:
            self._out.print(f"  layer    {_layer_line(change)}")
        for function in plan.functions:
            for line in _function_lines(function, plan):
                self._out.print(f"  function {line}" if not line.startswith(" ") else f"           {line}")
        for alarm in plan.alarms:
            self._out.print(f"  alarm    [green]put     [/green] {escape(alarm.name)}")
        self.warn(plan.warnings)

    def published(self, region: Destination, change: LayerChange) -> None:
        """Tell of a layer version that is used from now on."""
        if change.version:
            self._count("published", "layer version")
            self._err.print(f"[green]published[/green] {region} {change.layer.name}:{change.version.version}")

    def updated(self, region: Destination, outcome: Outcome) -> None:
        """Tell how a function's update ended."""
        with self._lock:
            if outcome.status is Status.UPDATED:
                self._count("updated", "function")
            if outcome.error:
                self._err.print(
                    f"[red]failed[/red] {region} {outcome.function}: {escape(str(outcome.error))}"
                )
            elif outcome.status in _SHOWN:
                style = _SHOWN[outcome.status]
                self._err.print(f"[{style}]{outcome.status}[/{style}] {region} {outcome.function}")

    @contextmanager
    def downloads(self, target: Target) -> Iterator[Downloads]:
        """Show the wheels of one target as they arrive."""
        with self._bars.bar(f"fetching {target}", None) as bar:
            downloads = Downloads(bar)
            yield downloads
        if downloads.wheels:
            self.say(f"fetched {target}: {count(downloads.wheels, 'wheel')}, {megabytes(downloads.received)}")

    @contextmanager
    def counting(self, doing: str, total: int | None, thing: str, *, done: str = "") -> Iterator[Count]:
        """Show how many things of a stage are done; `done` says so in a line at its end, if any are."""
        begun = time.monotonic()
        with self._bars.bar(doing, total) as bar:
            counted = Count(bar, total, thing)
            yield counted
        if done and counted.done:
            self.say(f"{done.format(count(counted.done, thing))}, {time.monotonic() - begun:.1f} s")

    @contextmanager
    def releasing(self, plans: Iterable[RegionPlan]) -> Iterator[None]:
        """Show how much of the plans is done everywhere, while `published` and `updated` tell of each."""
        plans = tuple(plans)
        layers = sum(len(plan.to_publish) for plan in plans)
        functions = sum(len(plan.to_update) for plan in plans)
        with ExitStack() as shown:
            for doing, total, thing in (
                ("publishing", layers, "layer version"),
                ("updating", functions, "function"),
            ):
                if total:
                    self._counts[thing] = shown.enter_context(self.counting(doing, total, thing))
            yield
        self._counts.clear()

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is said, in a workflow's log."""
        if not self._folds:
            yield
            return
        self._err.print(f"::group::{escape(title)}")
        try:
            yield
        finally:
            self._err.print("::endgroup::")

    def finished(self) -> None:
        """Say what was done, when the rest is not to be."""
        done = ", ".join(f"{verb} {count(number, thing)}" for (verb, thing), number in self._done.items())
        self.say(f"done so far: {done or 'nothing'}")

    def _count(self, verb: str, thing: str) -> None:
        self._done[verb, thing] += 1
        if thing in self._counts:
            self._counts[thing]()


def _layer_line(change: LayerChange) -> str:
    style = _STYLES[change.action]
    stands = f"version {change.latest.version}" if change.latest else "none yet"
    then = {
        LayerAction.KEEP: "",
        LayerAction.REUSE: f" -> version {change.version.version}" if change.version else "",
        LayerAction.PUBLISH: " -> new version",
    }[change.action]
    return f"[{style}]{change.action:8}[/{style}] {change.layer.name}  {stands}{then}"


def _function_lines(change: FunctionChange, plan: RegionPlan) -> Iterator[str]:
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
    stands_at = change.vpc or Vpc((), ())
    told = {
        Aspect.VPC: f"vpc: {', '.join((*stands_at.subnets, *stands_at.security_groups))}",
        Aspect.RESERVED: f"reserved concurrency: {change.concurrency.reserved}",
        Aspect.ALIASES: f"publish a version, and move {', '.join(change.aliases)}",
        Aspect.PROVISIONED: f"provisioned concurrency: {change.concurrency.provisioned}",
    }
    yield from (f"  [green]{told[aspect]}[/green]" for aspect in aspects if aspect in told)


def _difference_lines(difference: Difference) -> Iterator[str]:
    if not difference.changes:
        yield "[dim]no package differs[/dim]"
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
    return escape(":".join(arn.split(":")[-2:]) if arn.startswith("arn:") else arn)
