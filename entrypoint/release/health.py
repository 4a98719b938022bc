"""Whether all is well after a wave: alarms that must be quiet, and a function that must answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from entrypoint.errors import LayersError, RolloutError
from entrypoint.manifest.model import Rollout

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_POLL = 10.0
"""Seconds between two looks at the alarms; CloudWatch judges them once a minute at the most often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """The health check of the manifest, in one account and region."""

    aws: "Aws"
    rollout: Rollout
    sleep: Callable[[float], None]
    clock: Callable[[], float]

    def begun(self, *, going_back: bool) -> "HealthCheck":
        """Return the check with the alarms that can show something.

        Going back is for when alarms are in state ALARM already, so these are not looked at then.

        Raises:
            RolloutError: going forward, an alarm is missing, or in state ALARM already.
        """
        states = self._alarms()
        if going_back:
            quiet = tuple(name for name in self.rollout.alarms if states.get(name, "ALARM") != "ALARM")
            return replace(self, rollout=self.rollout._replace(alarms=quiet))
        for name in self.rollout.alarms:
            if name not in states:
                message = f"the alarm {name!r} does not exist"
                raise RolloutError.of(message, "create it, or remove it from 'rollout'")
            if states[name] == "ALARM":
                message = f"the alarm {name!r} was in state ALARM before anything was updated"
                raise RolloutError.of(message, "fix the cause and run again")
        return self

    def trouble(self, versions: Mapping[str, str]) -> str | None:
        """Invoke, and watch the alarms for the soak time; return why the check failed, None if it passed.

        `versions` are the versions that this run published, by function: they are invoked, not their alias,
        most of whose traffic goes to the old version during a canary. A check that cannot be read has failed.
        """
        try:
            return self._wrong_answer(versions) or self._ringing()
        except LayersError as error:
            return f"the check failed: {error.problems[0].message}"

    def _ringing(self) -> str | None:
        until = self.clock() + self.rollout.soak
        while self.rollout.alarms:
            states = self._alarms()
            if missing := [name for name in self.rollout.alarms if name not in states]:
                return f"the alarm {', '.join(map(repr, missing))} was deleted"
            ringing = [name for name, state in states.items() if state == "ALARM"]
            if ringing:
                return f"the alarm {', '.join(map(repr, ringing))} went off"
            if self.clock() >= until:
                break
            self.sleep(min(_POLL, until - self.clock()))
        return None

    def _alarms(self) -> Mapping[str, str]:
        return self.aws.alarms.states(self.rollout.alarms) if self.rollout.alarms else {}

    def _wrong_answer(self, versions: Mapping[str, str]) -> str | None:
        invoke = self.rollout.invoke
        if invoke is None:
            return None
        payload = invoke.payload.read_bytes() if invoke.payload else b"{}"
        name, _, qualifier = invoke.function.partition(":")
        if qualifier and name in versions:
            qualifier = versions[name]
        try:
            answer = self.aws.functions.invoke(name, qualifier or None, payload)
        except RolloutError as error:
            return str(error.problems[0])
        if invoke.expect is None:
            return None
        try:
            found = json.loads(answer)
        except ValueError:
            shown = answer[:200].decode(errors="replace")
            return f"the response of {invoke.function} is not JSON: {shown!r}"
        if not _holds(found, json.loads(invoke.expect.read_text("utf-8"))):
            response = json.dumps(found)[:200]
            return f"the response of {invoke.function}, {response}, does not match {invoke.expect.name}"
        return None


def _holds(found: object, expected: object) -> bool:
    """Return whether a response contains everything expected; objects may contain more."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _holds(found[key], value) for key, value in expected.items())
    return found == expected
