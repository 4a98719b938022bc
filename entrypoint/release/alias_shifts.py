"""Moves the aliases of one function to a version: at once, as a canary, or by AWS CodeDeploy; and back.

What an alias had is what the plan read. If another tool moves it at the same time, it is left unchanged.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from entrypoint.aws.model import Alias, StaleRevisionError, UpdateInProgressError
from entrypoint.errors import Diagnostic, RolloutError
from entrypoint.manifest.arn import Arn
from entrypoint.manifest.model import Rollout
from entrypoint.release.function_change import FunctionChange

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

ATTEMPTS = 10
_PERCENT = 100


class AliasShifts:
    """The aliases of a function that this run has moved, or may have moved.

    `going_back` does not use CodeDeploy.
    """

    def __init__(
        self,
        change: FunctionChange,
        *,
        aws: "Aws",
        rollout: Rollout,
        going_back: bool,
        sleep: Callable[[float], None],
    ) -> None:
        self._change = change
        self._name = change.function.name
        self._aws = aws
        self._sleep = sleep
        shift = rollout.shift
        self._code_deploy = shift and shift.in_account(Arn.parse(change.function.arn).account)
        self._alarms = rollout.alarms
        self._canary = rollout.canary
        self._going_back = going_back
        #: The versions that the aliases are to have in the end.
        self._targets: dict[str, str] = {}
        #: The aliases as they were read last.
        self._known: dict[str, Alias] = {}

    def begin(self, name: str, version: str) -> None:
        """Give a version all traffic of an alias, or the canary's share.

        Raises:
            RolloutError: it is not possible, or CodeDeploy has given the alias its previous version again.
        """
        self._targets[name] = version
        if not self._by_code_deploy(name, version):
            self._shift(name, version, self._canary)

    def finish(self) -> None:
        """Give the versions all traffic of their aliases, after a canary."""
        for name, version in self._targets.items():
            self._shift(name, version, None)

    def roll_back(self) -> None:
        """Give the aliases what they had, unless they were moved outside lambda-layers."""
        for name, version in self._targets.items():
            if self._code_deploy and (running := self._aws.code_deploy.unfinished(self._name, name)):
                self._aws.code_deploy.stop(running)
            self._return(self.first(name), version)

    def first(self, name: str) -> Alias:
        """Return an alias as the plan read it."""
        details = self._change.details
        if details is None or name not in details.aliases:
            raise RolloutError.of(f"{self._name} has no alias {name!r}", "create it first")
        return details.aliases[name].alias

    def _by_code_deploy(self, name: str, version: str) -> bool:
        """Let CodeDeploy shift the traffic, and wait; return whether it has.

        A deployment of an earlier run is waited for if it leads to this version, and stopped otherwise.
        """
        shift, first = self._code_deploy, self.first(name)
        if shift is None:
            return False
        deploy = self._aws.code_deploy
        running = deploy.unfinished(self._name, name)
        if running and (running.target != version or self._going_back):
            deploy.stop(running)
            self._known[name] = self._aws.aliases.get(self._name, name)
            running = None
        if running is None:
            current = self._known.get(name, first)
            if self._going_back or current.weights or current.version == version:
                return False
            running = deploy.begin(self._name, name, (current.version, version), shift, self._alarms)
        deploy.wait(running)
        self._known[name] = found = self._aws.aliases.get(self._name, name)
        if found.routing != (version, {}):
            raise _moved_outside(self._name, name)
        return True

    def _shift(self, name: str, version: str, canary: int | None) -> None:
        first = self.first(name)
        wanted: tuple[str, Mapping[str, float]] = (version, {})
        if canary is not None and version != first.version:
            wanted = (first.version, {version: canary / _PERCENT})
        known = self._known.get(name, first)
        for attempt in range(ATTEMPTS):
            if known.routing in (wanted, (version, {})):  # or another run has finished already
                return
            try:
                self._known[name] = self._aws.aliases.move(self._name, known, *wanted)
            except (UpdateInProgressError, StaleRevisionError):
                self._sleep(attempt)
                current = self._aws.aliases.get(self._name, name)
                if current.routing not in (wanted, known.routing, (version, {})):
                    raise _moved_outside(self._name, name) from None
                known = self._known[name] = current
            else:
                return
        raise busy(f"{self._name}:{name}")

    def _return(self, first: Alias, version: str) -> None:
        """Give an alias' own version all traffic again, unless it was moved outside lambda-layers."""
        for attempt in range(ATTEMPTS):
            alias = self._aws.aliases.get(self._name, first.name)
            if alias.routing in ((first.version, {}), first.routing):
                return
            if version not in {alias.version, *alias.weights}:
                raise _moved_outside(self._name, first.name)
            try:
                self._aws.aliases.move(self._name, alias, first.version, {})
            except (UpdateInProgressError, StaleRevisionError):
                self._sleep(attempt)
            else:
                return
        raise busy(f"{self._name}:{first.name}")


def deployments_in_progress(aws: "Aws", changes: Iterable[FunctionChange]) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each alias whose traffic CodeDeploy shifts."""
    for change in changes:
        function = change.function.name
        for name, state in change.details.aliases.items() if change.details else ():
            running = aws.code_deploy.unfinished(function, name) if state.alias.weights else None
            if running:
                shift = f"CodeDeploy shifts the alias {name} of {function} to version {running.target}"
                hint = "deploy waits for its end, or stops it if another version is wanted"
                yield Diagnostic(f"{shift} (deployment {running.id})", hint, change.location)


def _moved_outside(function: str, alias: str) -> RolloutError:
    message = f"the alias {alias} of {function} was moved outside lambda-layers during this run"
    return RolloutError.of(message, "it is left unchanged")


def busy(name: str) -> RolloutError:
    """Return the error for a function or alias that other updates do not let go."""
    message = f"another update of {name} was in progress at each of {ATTEMPTS} attempts"
    return RolloutError.of(message, "run again when the other deployment has finished")
