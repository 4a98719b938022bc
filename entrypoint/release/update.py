"""Updates one function: its layers, VPC, concurrency and aliases; and rolls all of that back.

If another tool updates the function at the same time, the update waits, reads the function again, and works
out the change from its new state.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from entrypoint.aws.model import (
    Alias,
    Function,
    StaleRevisionError,
    UpdateInProgressError,
)
from entrypoint.errors import LayersError, RolloutError
from entrypoint.manifest.model import Vpc
from entrypoint.release.function_change import Aspect, FunctionChange

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_ATTEMPTS = 10
_PERCENT = 100
_NO_VPC = Vpc((), ())
_Result = TypeVar("_Result")


class Status(StrEnum):
    """How a function's update ended."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    """It matched the manifest already: another tool updated it in the meantime."""
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    """It is what it was before the run, as its wave failed."""
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A function before its update; `aliases` are those that were moved."""

    layers: tuple[str, ...]
    #: Empty if it was attached to none; None if it was not changed.
    vpc: Vpc | None = None
    aliases: tuple[Alias, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a function's update ended: its layers now, or why it could not be updated."""

    function: str
    layers: tuple[str, ...]
    status: Status
    error: LayersError | None = None
    before: Before | None = None
    #: The version that was published for its aliases.
    version: str | None = None

    @property
    def changed(self) -> bool:
        """Return whether the function differs from before the run."""
        return self.status is Status.UPDATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Updating:
    """Updates functions of one account and region; `canary` is a percentage, or None to shift at once."""

    aws: "Aws"
    versions: Mapping[str, str]
    sleep: Callable[[float], None]
    canary: int | None = None

    def update(self, change: FunctionChange) -> Outcome:
        """Update a function; its aliases get the canary's share of traffic first."""
        layers, version = change.function.layers, None
        before = Before(layers=layers)
        try:
            function, status = self._configure(change)
            layers = change.layers_after(function.layers, self.versions)
            moves = change.vpc not in {None, function.vpc}
            before = Before(layers=function.layers, vpc=(function.vpc or _NO_VPC) if moves else None)
            behind = [alias for alias in change.aliases if change.is_behind(alias, layers)]
            if behind:
                self._refuse_other_code(change)
                version = self._publish(function)
                for name in behind:
                    moved = self._shift(function.name, name, version, self.canary)
                    before = replace(before, aliases=(*before.aliases, moved))
                status = Status.UPDATED
            if self.canary is None:
                status = self._provision(change) or status
        except LayersError as refusal:
            return Outcome(
                function=change.function.name,
                layers=layers,
                status=Status.FAILED,
                error=refusal,
                before=before,
                version=version,
            )
        return Outcome(function=function.name, layers=layers, status=status, before=before, version=version)

    def finish(self, change: FunctionChange, outcome: Outcome) -> Outcome:
        """Shift all traffic of the aliases to the version that was a canary."""
        try:
            for alias in outcome.before.aliases if outcome.before and outcome.version else ():
                self._shift(outcome.function, alias.name, outcome.version or "", None)
            self._provision(change)
        except LayersError as refusal:
            return replace(outcome, status=Status.FAILED, error=refusal)
        return outcome

    def roll_back(self, outcome: Outcome) -> Outcome:
        """Restore a function; what another tool changed in the meantime is left unchanged."""
        before = outcome.before
        if before is None or (outcome.layers == before.layers and not before.vpc and not before.aliases):
            return outcome
        try:
            for alias in before.aliases:
                self._return(outcome.function, alias, outcome.version)
            self._reset(outcome, before)
        except LayersError as refusal:
            return replace(outcome, status=Status.FAILED, error=refusal)
        return replace(outcome, status=Status.ROLLED_BACK, layers=before.layers)

    def _configure(self, change: FunctionChange) -> tuple[Function, Status]:
        """Set layers, VPC and reserved concurrency; return the function as it was just before."""
        function, status = self._update(change)
        reserved = change.concurrency.reserved
        if reserved is not None and Aspect.RESERVED in change.aspects(self.versions):
            self._patiently(function.name, lambda: self.aws.concurrency.reserve(function.name, reserved))
            status = Status.UPDATED
        return function, status

    def _update(self, change: FunctionChange) -> tuple[Function, Status]:
        function, before = change.function, change.function
        for attempt in range(_ATTEMPTS):
            layers = change.layers_after(function.layers, self.versions)
            vpc = change.vpc if change.vpc not in {None, function.vpc} else None
            if layers == function.layers and vpc is None:
                return before, Status.UNCHANGED if before is function else Status.UPDATED
            try:
                self.aws.functions.update(function, layers, vpc)
            except (UpdateInProgressError, StaleRevisionError):
                # By another tool, or by this run in a call whose answer was lost. And GetFunction may lag
                # behind the state that the update met.
                self.sleep(attempt)
                before, function = function, self.aws.functions.get(function.name)
            else:
                return function, Status.UPDATED
        raise _busy(function.name)

    def _reset(self, outcome: Outcome, before: Before) -> None:
        def reset() -> None:
            function = self.aws.functions.get(outcome.function)
            if function.layers not in {outcome.layers, before.layers}:
                message = f"the layers of {function.name} were changed outside lambda-layers during this run"
                raise RolloutError.of(message, "they are left unchanged")
            if function.layers != before.layers or before.vpc:
                self.aws.functions.update(function, before.layers, before.vpc)

        self._patiently(outcome.function, reset)

    def _refuse_other_code(self, change: FunctionChange) -> None:
        """Refuse to release code in $LATEST that is not published yet."""
        name, details = change.function.name, change.details
        for alias in details.aliases.values() if details else ():
            if alias.code_sha256 != change.function.code_sha256:
                message = f"the alias {alias.name} of {name} was not moved: $LATEST has unpublished code"
                raise RolloutError.of(message, "publish that code, or revert it, and run again")

    def _publish(self, function: Function) -> str:
        name, code = function.name, function.code_sha256
        return self._patiently(name, lambda: self.aws.aliases.publish_version(name, code_sha256=code))

    def _shift(self, function: str, name: str, version: str, canary: int | None) -> Alias:
        """Move an alias, or a share of its traffic; return its previous routing."""

        def shift() -> Alias:
            alias = self.aws.aliases.get(function, name)
            if canary is None:
                self.aws.aliases.move(function, alias, version, {})
            elif alias.version != version:
                self.aws.aliases.move(function, alias, alias.version, {version: canary / _PERCENT})
            return alias

        return self._patiently(f"{function}:{name}", shift)

    def _return(self, function: str, before: Alias, version: str | None) -> None:
        def restore() -> None:
            alias = self.aws.aliases.get(function, before.name)
            if version in {alias.version, *alias.weights}:  # else it was moved outside lambda-layers
                self.aws.aliases.move(function, alias, before.version, before.weights)

        self._patiently(f"{function}:{before.name}", restore)

    def _provision(self, change: FunctionChange) -> Status | None:
        wanted, details = change.concurrency.provisioned, change.details
        if not wanted or details is None:
            return None
        missing = [alias for alias in change.aliases if details.provisioned.get(alias) != wanted]
        for alias in missing:
            ready = partial(self.aws.concurrency.provision, change.function.name, alias, wanted)
            self._patiently(f"{change.function.name}:{alias}", ready)
        return Status.UPDATED if missing else None

    def _patiently(self, name: str, attempt: Callable[[], _Result]) -> _Result:
        """Retry while another update of the function is in progress."""
        for number in range(_ATTEMPTS):
            try:
                return attempt()
            except (UpdateInProgressError, StaleRevisionError):
                self.sleep(number)
        raise _busy(name)


def _busy(name: str) -> RolloutError:
    message = f"another update of {name} was in progress at each of {_ATTEMPTS} attempts"
    return RolloutError.of(message, "run again when the other deployment has finished")
