"""Whether all is well after a wave: alarms that must be quiet, and a function that must answer."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from entrypoint.aws.model import ChangesLambda
from entrypoint.errors import RolloutError
from entrypoint.manifest.model import Invocation, Rollout

_POLL = 10.0
"""Seconds between two looks at the alarms; CloudWatch judges them once a minute at the most often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """The check that the manifest asks for, in one account and region."""

    aws: ChangesLambda
    rollout: Rollout
    sleep: Callable[[float], None]
    clock: Callable[[], float]

    def begin(self) -> None:
        """Refuse to begin where the check could tell nothing: an alarm is missing, or is on already."""
        states = self._alarms()
        for name in self.rollout.alarms:
            if name not in states:
                message = f"there is no alarm {name!r}"
                raise RolloutError.of(message, "create it, or take it out of the check")
            if states[name] == "ALARM":
                message = f"the alarm {name!r} was on before anything was updated"
                raise RolloutError.of(message, "mend what it warns of, and run again")

    def trouble(self) -> str | None:
        """Watch the alarms for the soak time, and invoke; return what is not well, None where all is."""
        invoke = self.rollout.invoke
        if invoke and (wrong := self._answer(invoke)):
            return wrong
        until = self.clock() + self.rollout.soak
        while self.rollout.alarms:
            loud = [name for name, state in self._alarms().items() if state == "ALARM"]
            if loud:
                return f"the alarm {', '.join(map(repr, loud))} went off"
            if self.clock() >= until:
                break
            self.sleep(min(_POLL, until - self.clock()))
        return None

    def _alarms(self) -> Mapping[str, str]:
        return self.aws.alarms(self.rollout.alarms) if self.rollout.alarms else {}

    def _answer(self, invoke: Invocation) -> str | None:
        payload = invoke.payload.read_bytes() if invoke.payload else b"{}"
        try:
            answer = self.aws.invoke(invoke.function, payload)
        except RolloutError as error:
            return str(error.problems[0])
        if invoke.expect is None:
            return None
        try:
            found = json.loads(answer)
        except ValueError:
            shown = answer[:200].decode(errors="replace")
            return f"{invoke.function} answered with what is no JSON: {shown!r}"
        if not _holds(found, json.loads(invoke.expect.read_text("utf-8"))):
            return (
                f"{invoke.function} answered {json.dumps(found)[:200]}, which is not as {invoke.expect.name}"
            )
        return None


def _holds(found: object, expected: object) -> bool:
    """Tell whether an answer holds all that is expected; objects may hold more."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _holds(found[key], value) for key, value in expected.items())
    return found == expected
