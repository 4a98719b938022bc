"""CloudWatch alarms: those that the manifest requests, and those that guard a rollout."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import ALARM_PREFIX, Alarm
from entrypoint.aws.pacing import Pace

_PUTS_PER_SECOND = 3
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_NAMES_AT_ONCE = 100
"""The maximum number of alarm names of DescribeAlarms."""
_PERIOD = 60
"""Seconds; Lambda's metrics have one-minute resolution."""
_NAMESPACE = "AWS/Lambda"


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

    def ours(self) -> Mapping[str, Alarm | None]:
        """Return the alarms with our prefix by name; None for one with settings that we never write."""
        return {item["AlarmName"]: _alarm(item) for item in self._described(AlarmNamePrefix=ALARM_PREFIX)}

    def put(self, alarms: Sequence[Alarm]) -> None:
        """Create or overwrite alarms, at CloudWatch's own pace."""
        pace = Pace(_PUTS_PER_SECOND, self._connection.clock, self._connection.sleep)
        for alarm in alarms:
            pace.wait()
            self._connection.ask("cloudwatch", "put_metric_alarm", AlarmName=alarm.name, **_settings(alarm))

    def _described(self, **parameters: object) -> Iterator[dict[str, Any]]:
        for page in self._connection.paginate("cloudwatch", "describe_alarms", **parameters):
            yield from page.get("MetricAlarms", ())
            yield from page.get("CompositeAlarms", ())


def _settings(alarm: Alarm) -> dict[str, Any]:
    """Return the parameters of PutMetricAlarm."""
    of_function = [{"Name": "FunctionName", "Value": alarm.function}] if alarm.function else []
    is_percentile = alarm.statistic.startswith("p")
    return {
        "Namespace": _NAMESPACE,
        "MetricName": alarm.metric,
        "Dimensions": of_function,
        "ExtendedStatistic" if is_percentile else "Statistic": alarm.statistic,
        "Period": _PERIOD,
        "EvaluationPeriods": alarm.datapoints,
        "DatapointsToAlarm": alarm.datapoints,
        "ComparisonOperator": alarm.comparison,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.missing,
        "AlarmActions": list(alarm.actions),
    }


def _alarm(item: Mapping[str, Any]) -> Alarm | None:
    """Return an alarm of DescribeAlarms; None unless PutMetricAlarm with `_settings` creates exactly it."""
    dimensions = {each["Name"]: each["Value"] for each in item.get("Dimensions", ())}
    alarm = Alarm(
        metric=item.get("MetricName", ""),
        function=dimensions.get("FunctionName"),
        statistic=item.get("ExtendedStatistic") or item.get("Statistic", ""),
        comparison=item["ComparisonOperator"],
        threshold=item.get("Threshold", 0.0),
        datapoints=item["EvaluationPeriods"],
        missing=item.get("TreatMissingData", "missing"),
        actions=tuple(sorted(item.get("AlarmActions", ()))),
    )
    given = {key: item.get(key) for key in ("Namespace", "Period", "DatapointsToAlarm")}
    ours = {key: _settings(alarm)[key] for key in given}
    return alarm if given == ours and len(dimensions) == bool(alarm.function) else None
