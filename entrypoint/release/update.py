"""One function: its layers, its VPC, its concurrency, its aliases; and all of that back again.

A function that somebody else updates at the same moment is waited for, read again, and what is to be
changed is worked out anew from what then stands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TypeVar

from entrypoint.aws.model import (
    Alias,
    ChangesLambda,
    Function,
    StaleRevisionError,
    UpdateInProgressError,
)
from entrypoint.errors import LayersError, RolloutError
from entrypoint.manifest.model import Vpc
from entrypoint.release.function_change import Aspect, FunctionChange

_ATTEMPTS = 10
_PERCENT = 100
_NO_VPC = Vpc((), ())
_Result = TypeVar("_Result")


class Status(StrEnum):
    """How a function's update ended."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    """It was what it is to be already, by somebody else's doing."""
    FAILED = "failed"
    PUT_BACK = "put back"
    """It is what it was before the run, as the wave was not well."""
    NOT_BEGUN = "not begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What a function was before its update; `aliases` are those that were moved."""

    layers: tuple[str, ...]
    #: Empty where it was attached to none; None where that was not changed.
    vpc: Vpc | None = None
    aliases: tuple[Alias, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a function's update ended: the layers it has now, or why it could not be updated."""

    function: str
    layers: tuple[str, ...]
    status: Status
    error: LayersError | None = None
    before: Before | None = None
    #: The version that was published for its aliases.
    version: str | None = None

    @property
    def changed(self) -> bool:
        """Tell whether the function is another than before the run."""
        return self.status is Status.UPDATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Updating:
    """Updates functions of one account and region; `canary` is a percentage, or None to shift at once."""

    aws: ChangesLambda
    versions: Mapping[str, str]
    sleep: Callable[[float], None]
    canary: int | None = None

    def update(self, change: FunctionChange) -> Outcome:
        """Make a function what it is to be; its aliases get the canary's share of traffic first."""
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
        """Give a version that was a canary all of its aliases' traffic."""
        try:
            for alias in outcome.before.aliases if outcome.before and outcome.version else ():
                self._shift(outcome.function, alias.name, outcome.version or "", None)
            self._provision(change)
        except LayersError as refusal:
            return replace(outcome, status=Status.FAILED, error=refusal)
        return outcome

    def put_back(self, outcome: Outcome) -> Outcome:
        """Make a function what it was before; what somebody else changed meanwhile stays as it is."""
        before = outcome.before
        if before is None or (outcome.layers == before.layers and not before.vpc and not before.aliases):
            return outcome
        try:
            for alias in before.aliases:
                self._return(outcome.function, alias, outcome.version)
            self._reset(outcome, before)
        except LayersError as refusal:
            return replace(outcome, status=Status.FAILED, error=refusal)
        return replace(outcome, status=Status.PUT_BACK, layers=before.layers)

    def _configure(self, change: FunctionChange) -> tuple[Function, Status]:
        """Set layers, VPC and reserved concurrency; return the function as it was just before that."""
        function, status = self._update(change)
        reserved = change.concurrency.reserved
        if reserved is not None and Aspect.RESERVED in change.aspects(self.versions):
            self._patiently(function.name, lambda: self.aws.reserve(function.name, reserved))
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
                self.aws.update(function, layers, vpc)
            except (UpdateInProgressError, StaleRevisionError):
                # By somebody else, or by ourselves in a call whose answer was lost. And what GetFunction
                # says may lag behind what the update met.
                self.sleep(attempt)
                before, function = function, self.aws.function(function.name)
            else:
                return function, Status.UPDATED
        raise _busy(function.name)

    def _reset(self, outcome: Outcome, before: Before) -> None:
        def reset() -> None:
            function = self.aws.function(outcome.function)
            if function.layers not in {outcome.layers, before.layers}:
                message = f"somebody else changed the layers of {function.name} since this run did"
                raise RolloutError.of(message, "it is left as they made it")
            if function.layers != before.layers or before.vpc:
                self.aws.update(function, before.layers, before.vpc)

        self._patiently(outcome.function, reset)

    def _refuse_other_code(self, change: FunctionChange) -> None:
        """Refuse to release code that somebody put into $LATEST and has not published yet."""
        name, details = change.function.name, change.details
        for alias in details.aliases.values() if details else ():
            if alias.code_sha256 != change.function.code_sha256:
                message = (
                    f"the alias {alias.name} of {name} stays: $LATEST has code that it does not serve yet"
                )
                raise RolloutError.of(message, "publish that code, or take it back, and run again")

    def _publish(self, function: Function) -> str:
        name, code = function.name, function.code_sha256
        return self._patiently(name, lambda: self.aws.publish_version(name, code_sha256=code))

    def _shift(self, function: str, name: str, version: str, canary: int | None) -> Alias:
        """Move an alias, or a share of its traffic; return where it pointed."""

        def shift() -> Alias:
            alias = self.aws.alias(function, name)
            if canary is None:
                self.aws.move_alias(function, alias, version, {})
            elif alias.version != version:
                self.aws.move_alias(function, alias, alias.version, {version: canary / _PERCENT})
            return alias

        return self._patiently(f"{function}:{name}", shift)

    def _return(self, function: str, before: Alias, version: str | None) -> None:
        def give_back() -> None:
            alias = self.aws.alias(function, before.name)
            if version in {alias.version, *alias.weights}:  # else somebody moved it on
                self.aws.move_alias(function, alias, before.version, before.weights)

        self._patiently(f"{function}:{before.name}", give_back)

    def _provision(self, change: FunctionChange) -> Status | None:
        wanted, details = change.concurrency.provisioned, change.details
        if not wanted or details is None:
            return None
        lacking = [alias for alias in change.aliases if details.provisioned.get(alias) != wanted]
        for alias in lacking:
            ready = partial(self.aws.provision, change.function.name, alias, wanted)
            self._patiently(f"{change.function.name}:{alias}", ready)
        return Status.UPDATED if lacking else None

    def _patiently(self, name: str, attempt: Callable[[], _Result]) -> _Result:
        """Try until nobody else is in the way."""
        for number in range(_ATTEMPTS):
            try:
                return attempt()
            except (UpdateInProgressError, StaleRevisionError):
                self.sleep(number)
        raise _busy(name)


def _busy(name: str) -> RolloutError:
    message = f"{name} was being updated by somebody else at each of {_ATTEMPTS} attempts"
    return RolloutError.of(message, "run again when the other deployment is over")
