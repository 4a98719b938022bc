"""Output for people, in a terminal or a log: with `progress`, the only importer of rich.

Results go to standard output, progress and warnings to standard error. Colours and moving bars
appear only on a terminal (and not with NO_COLOR); a log gets one plain line for each thing done.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape

from entrypoint.aws.accounts import Results
from entrypoint.errors import Diagnostic, Severity
from entrypoint.figures import count, megabytes
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import Target
from entrypoint.printable import printable
from entrypoint.release.difference import Difference
from entrypoint.release.findings import Diagnosis
from entrypoint.release.outcome import Outcome, Status
from entrypoint.release.plan import LayerChange, RegionPlan, warnings_of
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.status import RegionStatus
from entrypoint.report.lines import difference_lines, function_lines, layer_line, share_lines
from entrypoint.report.progress import Bars, Count, Downloads

_SHOWN = {Status.UPDATED: "green", Status.ROLLED_BACK: "yellow"}
_SEVERITIES = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}


class _Stream(RichConsole):
    """Prints no control characters, and no lines that `disarm` takes out.

    It goes silent when the reader closes its end, so that the work itself is not interrupted.
    """

    def __init__(self, *, disarm: Callable[[str], str], **options: Any) -> None:  # noqa: ANN401 - rich's own
        super().__init__(highlight=False, soft_wrap=True, **options)
        self._disarm = disarm

    def say(self, text: str) -> None:
        """Print a text with rich's markup."""
        self.print(self._disarm(text))

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


class Console:
    """Prints what happens. Threads may share it."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        results: bool = True,
        warnings: list[Diagnostic] | None = None,
        disarm: Callable[[str], str] | None = None,
    ) -> None:
        """Open the terminal, or the log.

        With `results=False`, no tables are printed, as JSON takes their place. `warnings` collects the
        warnings. `disarm` is for a workflow, whose runner obeys some lines and folds others: it returns a
        text without the lines that the runner would obey.
        """
        safe = disarm or printable
        self._out = _Stream(disarm=safe, quiet=not results)
        self._err = _Stream(disarm=safe, stderr=True, quiet=quiet)
        self._bars = Bars(self._err, visible=self._err.is_terminal and not quiet)
        self._folds = disarm is not None and not quiet
        self._done: Counter[tuple[str, str]] = Counter()
        self._counts: dict[str, Count] = {}
        self._warnings = [] if warnings is None else warnings
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print a line about what is being done."""
        self._err.say(escape(text))

    def warn(self, problems: Iterable[Diagnostic]) -> None:
        """Print warnings; they stop nothing."""
        for problem in problems:
            self._warnings.append(problem.as_warning())
            self._err.say(f"[yellow]warning:[/yellow] {escape(str(problem))}")

    def built(self, target: Target, archive: BuiltArchive) -> None:
        """Report a finished archive."""
        sizes = f"{megabytes(archive.compressed_size)} zipped, {megabytes(archive.unzipped_size)} unzipped"
        self._count("built", "archive")
        wheels = sum(package.origin.endswith(".whl") for package in archive.packages)
        system = sum(package.is_system for package in archive.packages)
        shown = [count(wheels, "package")] if wheels else []
        shown += [count(system, "system package")] if system else []
        self._err.say(f"[green]built[/green] {target}: {', '.join([*shown, sizes])}")

    def plans(self, plans: Iterable[RegionPlan]) -> None:
        """Show what would be done everywhere, layer by layer and function by function."""
        plans = tuple(plans)
        for plan in plans:
            self._plan(plan)
        self.warn(warnings_of(plans))
        layers = sum(len(plan.to_publish) for plan in plans)
        functions = sum(len(plan.to_update) for plan in plans)
        if layers or functions:
            text = f"to publish: {count(layers, 'layer')}, to update: {count(functions, 'function')}"
        elif shared := sum(len(plan.to_share) for plan in plans):
            text = f"to share or unshare: {count(shared, 'layer')}"
        elif alarms := sum(len(plan.alarms) for plan in plans):
            text = f"to create or update: {count(alarms, 'alarm')}"
        else:
            text = "nothing to do: AWS matches the manifest"
        self._out.say(f"[bold]{text}[/bold]")

    def statuses(self, statuses: Iterable[RegionStatus]) -> None:
        """Show where AWS differs from the manifest."""
        for status in statuses:
            self._out.say(f"[bold]{status.destination}[/bold]")
            for drift in status.drift:
                text = escape(f"{drift.subject}: has {drift.has}; expected: {drift.wanted}")
                self._out.say(f"  [yellow]{drift.kind:12}[/yellow] {text}")
            for warning in status.warnings:
                self._out.say(f"  [yellow]{'warning':12}[/yellow] {escape(str(warning))}")
            if not status.drift:
                known = f"{count(len(status.layers), 'layer')}, {count(len(status.functions), 'function')}"
                self._out.say(f"  [green]up to date[/green]   {known}")

    def diagnoses(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Show the findings everywhere, the worst first."""
        for diagnosis in diagnoses:
            self._out.say(f"[bold]{diagnosis.destination}[/bold]")
            for finding in diagnosis.findings:
                style = _SEVERITIES[finding.severity]
                self._out.say(f"  [{style}]{finding.severity:8}[/{style}] {escape(str(finding))}")

    def differences(self, differences: Iterable[Difference]) -> None:
        """Show what changed in each target, package by package."""
        for difference in differences:
            sides = escape(f"{difference.before} -> {difference.after}")
            self._out.say(f"[bold]{difference.target}[/bold]  {sides}")
            for note in difference.notes:
                self._out.say(f"  [dim]{escape(note)}[/dim]")
            for line in difference_lines(difference):
                self._out.say(f"  {line}")

    def deployed(self, deployment: Deployment) -> None:
        """Summarize what a deployment did."""
        layers = sum(len(region.published) for region in deployment.regions)
        functions = sum(len(region.updated) for region in deployment.regions)
        if layers or functions:
            text = f"published {count(layers, 'layer version')}, updated {count(functions, 'function')}"
            self._out.say(f"[bold green]{text}[/bold green]")
        if alarms := sum(len(region.alarms) for region in deployment.regions):
            self._out.say(f"[bold green]created or updated {count(alarms, 'alarm')}[/bold green]")
        for region in deployment.regions:
            self._deleted(region)
            for status in (Status.ROLLED_BACK, Status.NOT_BEGUN):
                if names := [outcome.function for outcome in region.having(status)]:
                    self._out.say(f"[yellow]{status}[/yellow] in {region.destination}: {', '.join(names)}")

    def pruned(self, pruned: Results[RegionResult], *, dry_run: bool) -> None:
        """Show the deleted layer versions, or those to delete."""
        for region in pruned.values:
            self._deleted(region, "to delete" if dry_run else "deleted")
        if not pruned.failures and not any(
            region.deleted or region.deleted_versions or region.deleted_archives or region.deleted_alarms
            for region in pruned.values
        ):
            self._out.say("nothing to delete")

    def _deleted(self, region: RegionResult, verb: str = "deleted") -> None:
        if region.deleted:
            self._out.say(f"{verb} in {region.destination}: {', '.join(region.deleted)}")
        if region.deleted_versions:
            names = ", ".join(region.deleted_versions)
            self._out.say(f"{verb} in {region.destination}, versions of functions: {names}")
        if region.deleted_archives:
            names = ", ".join(map(escape, region.deleted_archives))
            self._out.say(f"{verb} in {region.destination}, archives: {names}")
        if region.deleted_alarms:
            names = ", ".join(map(escape, region.deleted_alarms))
            self._out.say(f"{verb} in {region.destination}, alarms: {names}")
        for reason in region.kept:
            self._out.say(f"kept in {region.destination}: {escape(reason)}")

    def _plan(self, plan: RegionPlan) -> None:
        self._out.say(f"[bold]{plan.destination}[/bold]")
        for change in plan.layers:
            self._out.say(f"  layer    {layer_line(change)}")
            for line in share_lines(change):
                self._out.say(f"             {line}")
        for function in plan.functions:
            for line in function_lines(function, plan):
                self._out.say(f"  function {line}" if not line.startswith(" ") else f"           {line}")
        for alarm in plan.alarms:
            self._out.say(f"  alarm    [green]put     [/green] {escape(alarm.name)}")
            for difference in alarm.differences:
                self._out.say(f"             {escape(difference)}")

    def changed(self, destination: Destination, change: LayerChange | Outcome) -> None:
        """Report a published layer version, or how a function's update ended."""
        with self._lock:
            if isinstance(change, Outcome):
                self._updated(destination, change)
            elif change.version:
                self._count("published", "layer version")
                version = f"{change.layer.name}:{change.version.version}"
                self._err.say(f"[green]published[/green] {destination} {version}")

    def _updated(self, destination: Destination, outcome: Outcome) -> None:
        if outcome.status is Status.UPDATED:
            self._count("updated", "function")
        if outcome.error:
            error = escape(str(outcome.error))
            self._err.say(f"[red]failed[/red] {destination} {outcome.function}: {error}")
        elif outcome.status in _SHOWN:
            style = _SHOWN[outcome.status]
            self._err.say(f"[{style}]{outcome.status}[/{style}] {destination} {outcome.function}")

    @contextmanager
    def downloads(self, subject: object) -> Iterator[Downloads]:
        """Show the downloads for a target."""
        with self._bars.bar(f"downloading {subject}", None) as bar:
            downloads = Downloads(bar)
            yield downloads
        if downloads.wheels:
            self.say(
                f"downloaded {subject}: {count(downloads.wheels, 'wheel')}, {megabytes(downloads.received)}"
            )

    @contextmanager
    def counting(self, doing: str, total: int | None, thing: str, *, done: str = "") -> Iterator[Count]:
        """Show how many things of a stage are done; `done` is the line for its end, if any are."""
        begun = time.monotonic()
        with self._bars.bar(doing, total) as bar:
            counted = Count(bar, total, thing)
            yield counted
        if done and counted.done:
            self.say(f"{done.format(count(counted.done, thing))}, {time.monotonic() - begun:.1f} s")

    @contextmanager
    def releasing(self, plans: Iterable[RegionPlan]) -> Iterator[None]:
        """Show the progress of the plans everywhere; `changed` reports each change."""
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
        """Fold what is printed meanwhile, in a workflow's log."""
        if not self._folds:
            yield
            return
        self._err.print(f"::group::{escape(printable(title))}")
        try:
            yield
        finally:
            self._err.print("::endgroup::")

    def finished(self) -> None:
        """Report what was done when the command is interrupted."""
        done = ", ".join(f"{verb} {count(number, thing)}" for (verb, thing), number in self._done.items())
        self.say(f"completed before the interruption: {done or 'nothing'}")

    def _count(self, verb: str, thing: str) -> None:
        self._done[verb, thing] += 1
        if thing in self._counts:
            self._counts[thing]()
