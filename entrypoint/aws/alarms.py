"""CloudWatch alarms: those that the manifest requests, and those that guard a rollout."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrypoint.aws.alarm_model import ALARM_PREFIX, Alarm, ExistingAlarm
from entrypoint.aws.connection import Connection
from entrypoint.aws.pacing import Pace

_PUTS_PER_SECOND = 3
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_NAMES_AT_ONCE = 100
"""The maximum number of alarm names of DescribeAlarms and DeleteAlarms."""


class Alarms:
    """Reads and creates alarms."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def states(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the states of the alarms with these names that exist, by name."""
        states: dict[str, str] = {}
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = list(names[start : start + _NAMES_AT_ONCE])
            for alarm in self._described(AlarmNames=some, AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
                states[alarm["AlarmName"]] = alarm["StateValue"]
        return states

    def ours(self) -> Mapping[str, ExistingAlarm]:
        """Return the alarms with our prefix by name."""
        found = self._described(AlarmNamePrefix=ALARM_PREFIX)
        return {item["AlarmName"]: ExistingAlarm(item) for item in found}

    def delete(self, names: Sequence[str]) -> None:
        """Delete alarms."""
        for start in range(0, len(names), _NAMES_AT_ONCE):
            some = list(names[start : start + _NAMES_AT_ONCE])
            self._connection.ask("cloudwatch", "delete_alarms", AlarmNames=some)

    def put(self, alarms: Sequence[Alarm]) -> None:
        """Create or overwrite alarms, at CloudWatch's own pace."""
        pace = Pace(self._connection.rate(_PUTS_PER_SECOND), self._connection.clock, self._connection.sleep)
        for alarm in alarms:
            pace.wait()
            named = {"AlarmName": alarm.name, "AlarmDescription": alarm.description}
            self._connection.ask("cloudwatch", "put_metric_alarm", **named, **alarm.settings)

    def _described(self, **parameters: object) -> Iterator[dict[str, Any]]:
        for page in self._connection.paginate("cloudwatch", "describe_alarms", **parameters):
            yield from page.get("MetricAlarms", ())
            yield from page.get("CompositeAlarms", ())
