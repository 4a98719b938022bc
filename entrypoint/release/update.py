"""Updates one function: its layers, VPC and concurrency, and then its aliases; and restores all of that.

What the function had is what was read first, by the plan. What is about to be changed is recorded before the
call, because the call may succeed although its answer is lost. If another tool changes the function at
the same time, the update waits, reads the function again, and goes on only if what the plan compared is
still the same.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from entrypoint.aws.model import (
    Function,
    StaleRevisionError,
    StillUpdatingError,
    UpdateInProgressError,
)
from entrypoint.errors import Diagnostic, LayersError, RolloutError
from entrypoint.manifest.arn import short_name, without_version
from entrypoint.manifest.model import NO_VPC
from entrypoint.release.alias_shifts import ATTEMPTS, AliasShifts, busy
from entrypoint.release.concurrency import ConcurrencyUpdate
from entrypoint.release.function_change import Aspect, FunctionChange, different_settings
from entrypoint.release.outcome import Outcome, Status

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_Published = TypeVar("_Published")
_CONFIGURATION = frozenset({Aspect.LAYERS, Aspect.VPC})
_PUBLISHED = frozenset({Aspect.PUBLISHED})
_CONCURRENCY = frozenset({Aspect.RESERVED, Aspect.PROVISIONED})


class FunctionUpdate:
    """The update of one function in this run, step by step, and the way back."""

    def __init__(
        self,
        change: FunctionChange,
        *,
        aws: "Aws",
        versions: Mapping[str, str],
        aliases: AliasShifts,
        sleep: Callable[[float], None],
    ) -> None:
        self.change = change
        self.name = change.function.name
        self._aws = aws
        self._versions = versions
        self._aliases = aliases
        self._sleep = sleep
        #: What this run has changed, or may have changed.
        self._touched: set[Aspect] = set()
        self._concurrency = ConcurrencyUpdate(change, aws=aws, touched=self._touched, sleep=sleep)
        #: $LATEST as it was read last, and the layers that this run gave it.
        self._latest = change.function
        self._set = change.function.layers
        self._version: str | None = None

    @property
    def _only_returns(self) -> bool:
        """Whether aliases can go back without $LATEST, which has what nobody released."""
        change = self.change
        layers = change.layers_after(change.function.layers, self._versions)
        return not change.is_unpublished(layers) and all(
            name in change.returns for name in change.aliases if change.is_behind(name, layers)
        )

    @property
    def is_touched(self) -> bool:
        """Whether the function may differ from before the run."""
        return bool(self._touched)

    def begin(self, *, is_canary: bool) -> Outcome:
        """Update the function; after a canary, `finish` does what is left."""
        try:
            obstacle = self.change.obstacle(self._versions)
            if obstacle and not self._only_returns:
                raise RolloutError(obstacle)
            if not obstacle:
                self._configure()
                self._publish_for_callers()
            self._concurrency.reserve()
            self._release()
            if not is_canary:
                self._concurrency.provide()
        except LayersError as error:
            return self._failed(error)
        return self._outcome(Status.UPDATED)

    def finish(self) -> Outcome:
        """Give the new version all traffic of the aliases, after a canary."""
        try:
            self._aliases.finish()
            self._concurrency.provide()
        except LayersError as error:
            return self._failed(error)
        return self._outcome(Status.UPDATED)

    def roll_back(self) -> Outcome:
        """Restore what this run changed; what another tool changed in the meantime is left unchanged."""
        problems: list[Diagnostic] = []
        steps = [
            (frozenset({Aspect.ALIASES}), self._aliases.roll_back),
            (_CONCURRENCY, self._concurrency.roll_back),
            (_PUBLISHED, self._restore_published),
            (_CONFIGURATION, self._restore_configuration),
        ]
        for aspects, restore in steps:
            if self._touched & aspects:
                try:
                    restore()
                except LayersError as error:
                    problems.extend(error.problems)
                else:
                    self._touched -= aspects
        if problems:
            return self._outcome(Status.FAILED, RolloutError(*problems))
        return self._outcome(Status.ROLLED_BACK)

    def _failed(self, error: LayersError) -> Outcome:
        """Restore the function at once, so that nothing stays half done, and return why it failed."""
        problems = error.problems
        if self._touched and not isinstance(error, StillUpdatingError):
            restored = self.roll_back().error
            problems += restored.problems if restored else ()
        return self._outcome(Status.FAILED, RolloutError(*problems))

    def _outcome(self, status: Status, error: LayersError | None = None) -> Outcome:
        return Outcome(
            function=self.name,
            before=self._layers_before,
            layers=self._latest.layers,
            status=status,
            error=error,
            version=self._version,
        )

    # The way forward.

    def _configure(self) -> None:
        """Set layers and VPC."""
        change = self.change
        for attempt in range(ATTEMPTS):
            function = self._latest
            layers = change.layers_after(function.layers, self._versions)
            vpc = change.vpc if change.vpc not in {None, function.vpc or NO_VPC} else None
            if layers == function.layers and vpc is None and not function.failure:
                return
            self._set = layers
            self._touched |= {Aspect.LAYERS} | ({Aspect.VPC} if vpc else set())
            try:
                self._latest = self._aws.functions.update(function, layers, vpc)
            except (UpdateInProgressError, StaleRevisionError):
                # By another tool, or by this run in a call whose answer was lost. And GetFunction may lag
                # behind the state that the update met.
                self._sleep(attempt)
                self._latest = self._read_again()
                continue
            if self._latest.layers != layers:
                message = f"the layers of {self.name} were changed by another tool during the update"
                raise RolloutError.of(message, "run again when that has ended")
            return
        raise busy(self.name)

    def _read_again(self) -> Function:
        """Read the function, and refuse to go on if another tool changed what the plan compared."""
        first, current = self.change.function, self._aws.functions.get(self.name)
        for wanted in self.change.wanted:
            has, had = (
                [arn for arn in function.layers if without_version(arn) in wanted.replaces]
                for function in (current, first)
            )
            after = [arn for arn in self._set if without_version(arn) in wanted.replaces]
            if has and has not in (had, after):
                message = f"{self.name} was given {', '.join(map(short_name, has))} by another run"
                raise RolloutError.of(
                    message, "the function is left as that run wants it; check which is newer"
                )
        if (self.change.aliases or self.change.published) and (new := self._news(first, current)):
            message = f"{', '.join(new)} of {self.name} came from another tool since the plan"
            raise RolloutError.of(message, "it is not released without a plan; run again")
        return current

    def _news(self, before: Function, now: Function) -> list[str]:
        """Return what differs between two configurations, beside layers and what this run sets."""
        changed = [] if before.code_sha256 == now.code_sha256 else ["new code"]
        if self.change.vpc is None and before.vpc != now.vpc and not now.is_managed:
            changed.append("a new VPC")
        return changed + [f"a new {name}" for name in different_settings(before, now)]

    def _release(self) -> None:
        """Publish a version for the aliases that are behind, and end what an earlier run left unfinished."""
        change = self.change
        layers = change.layers_after(self._latest.layers, self._versions)
        behind = [name for name in change.aliases if change.is_behind(name, layers)]
        if behind:
            if self._layers_before != change.function.layers:  # as an earlier run set them
                self._touched.add(Aspect.LAYERS)
            if any(name not in change.returns for name in behind):
                self._version = self._publish(self._aws.aliases.publish_version)
        for name in change.aliases:
            if name in behind:
                self._shift(name, change.returns.get(name) or self._version or "")
            elif change.is_unfinished(name, layers):
                self._shift(name, self._aliases.first(name).version)

    def _shift(self, name: str, version: str) -> None:
        self._touched.add(Aspect.ALIASES)
        self._aliases.begin(name, version)

    def _publish_for_callers(self) -> None:
        """Publish what callers of a function on managed instances reach, if it is behind."""
        change = self.change
        if change.published and change.is_unpublished(self._latest.layers):
            if self._layers_before != change.function.layers:  # as an earlier run set them
                self._touched.add(Aspect.LAYERS)
            self._touched.add(Aspect.PUBLISHED)
            self._publish_again(change.published)

    def _publish_again(self, published: Function) -> None:
        description = published.description
        self._publish(lambda latest: self._aws.aliases.publish_for_callers(latest, description))

    def _publish(self, publish: Callable[[Function], _Published]) -> _Published:
        """Publish $LATEST, unless another tool changed it."""
        for attempt in range(ATTEMPTS):
            try:
                return publish(self._latest)
            except (UpdateInProgressError, StaleRevisionError):
                self._sleep(attempt)
                current = self._aws.functions.get(self.name)  # once no update is in progress
            new = self._news(self._latest, current)
            if new or current.layers != self._latest.layers:
                message = f"{', '.join(new or ['other layers'])} of {self.name} came from another tool"
                raise RolloutError.of(message, "it is not released; run again")
            self._latest = current
        raise busy(self.name)

    # The way back.

    @cached_property
    def _layers_before(self) -> tuple[str, ...]:
        """The layers before the run, or before an earlier run that did not finish.

        If such a run gave $LATEST the wanted layers, and what callers reach is behind, that is from before.
        """
        change, first = self.change, self.change.function.layers
        wanted = change.layers_after(first, self._versions)
        if first == wanted and change.published and change.is_unpublished(wanted):
            return change.published.layers
        behind = [name for name in change.aliases if change.details and change.is_behind(name, wanted)]
        states = [change.details.aliases[name] for name in behind] if change.details else []
        return states[0].main.layers if states and first == wanted else first

    def _restore_published(self) -> None:
        """Publish again what callers reached, with $LATEST as it was then."""
        if published := self.change.published:
            self._restore_configuration(published.layers)
            self._set = published.layers
            now = self._aws.functions.published(self.name)
            if now and (now.layers, now.failure) == (published.layers, published.failure):  # AWS refused
                return
            if new := self._news(published, self._latest):
                message = f"{', '.join(new)} of {self.name} came from another tool"
                raise RolloutError.of(message, "its previous layers are not published again; publish it")
            self._publish_again(published)

    def _restore_configuration(self, layers: tuple[str, ...] | None = None) -> None:
        """Restore VPC and layers: those from before the run, or others."""
        layers, vpc = self._layers_before if layers is None else layers, self.change.function.vpc
        for attempt in range(ATTEMPTS):
            current = self._aws.functions.get(self.name)
            if current.layers not in {self._set, layers}:
                message = f"the layers of {self.name} were changed outside lambda-layers during this run"
                raise RolloutError.of(message, "they are left unchanged")
            has_vpc = Aspect.VPC not in self._touched or current.vpc == vpc
            self._latest = current
            if current.layers == layers and has_vpc:
                return
            try:
                self._latest = self._aws.functions.update(
                    current, layers, None if has_vpc else (vpc or NO_VPC)
                )
            except (UpdateInProgressError, StaleRevisionError):
                self._sleep(attempt)
            else:
                return
        raise busy(self.name)
