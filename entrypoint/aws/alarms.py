"""The alarms that the manifest asks for, in CloudWatch."""

from collections.abc import Mapping, Sequence
from typing import Any

from entrypoint.aws.health import Health
from entrypoint.aws.pacing import Pace
from entrypoint.release.alarms import PREFIX, Alarm

_PUTS_PER_SECOND = 3
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""
_PERIOD = 60
"""Seconds; Lambda's metrics are those of minutes."""
_NAMESPACE = "AWS/Lambda"
_STREAMS = {"kinesis", "dynamodb", "rds"}
"""The services of event sources with an iterator; DocumentDB's clusters are rds in ARNs."""
_FUNCTION_NAME = 6


class Alarms(Health):
    """The calls about our own alarms."""

    def standing_alarms(self) -> Mapping[str, Alarm | None]:
        """Return our alarms by name; None for one that is of another form than ours."""
        found: dict[str, Alarm | None] = {}
        token: dict[str, str] = {}
        while True:
            answer = self._ask(
                "cloudwatch", "describe_alarms", AlarmNamePrefix=PREFIX, MaxRecords=100, **token
            )
            found |= {item["AlarmName"]: _alarm(item) for item in answer.get("MetricAlarms", ())}
            if not answer.get("NextToken"):
                return found
            token = {"NextToken": answer["NextToken"]}

    def streamed(self) -> frozenset[str]:
        """Return the names of the functions that a stream feeds: Kinesis, DynamoDB or DocumentDB."""
        return frozenset(
            mapping["FunctionArn"].split(":")[_FUNCTION_NAME]
            for page in self._pages("list_event_source_mappings")
            for mapping in page["EventSourceMappings"]
            if _service_of(mapping.get("EventSourceArn", "")) in _STREAMS
        )

    def put_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Create alarms, or make them what they are to be; at CloudWatch's own pace."""
        pace = Pace(_PUTS_PER_SECOND, self._clock, self._sleep)
        for alarm in alarms:
            pace.wait()
            self._ask("cloudwatch", "put_metric_alarm", AlarmName=alarm.name, **_settings(alarm))


def _service_of(arn: str) -> str:
    return arn.split(":")[2] if arn.startswith("arn:") else ""


def _settings(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as PutMetricAlarm takes it."""
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
    """Return what DescribeAlarms tells, if PutMetricAlarm as above would make just that."""
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
