"""Lambda's metrics in CloudWatch."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import Metric, Series

_METRICS_AT_ONCE = 500
_HOUR, _MINUTE = 3_600, 60


class Metrics:
    """Reads metrics."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hourly(self, metrics: Sequence[Metric], since: datetime, until: datetime) -> tuple[Series, ...]:
        """Return a series, hour by hour, for each metric."""
        return self._series(metrics, since, until, _HOUR)

    def busiest_minutes(
        self, metrics: Sequence[Metric], since: datetime, until: datetime
    ) -> tuple[Series, ...]:
        """Return a series with the value of the minute that had the most, for each hour and metric."""
        found = []
        for series in self._series(metrics, since, until, _MINUTE):
            most: dict[datetime, float] = {}
            for time, value in series.items():
                hour = time.replace(minute=0, second=0, microsecond=0)
                most[hour] = max(value, most.get(hour, 0.0))
            found.append(most)
        return tuple(found)

    def _series(
        self, metrics: Sequence[Metric], since: datetime, until: datetime, period: int
    ) -> tuple[Series, ...]:
        series: list[dict[datetime, float]] = [{} for _ in metrics]
        for start in range(0, len(metrics), _METRICS_AT_ONCE):
            queries = [
                _query(number, metric, period)
                for number, metric in enumerate(metrics[start : start + _METRICS_AT_ONCE], start)
            ]
            for page in self._connection.paginate(
                "cloudwatch",
                "get_metric_data",
                MetricDataQueries=queries,
                StartTime=since,
                EndTime=until,
            ):
                for result in page["MetricDataResults"]:
                    hours = (time.astimezone(UTC) for time in result["Timestamps"])
                    series[int(result["Id"][1:])].update(zip(hours, result["Values"], strict=True))
        return tuple(series)


def _query(number: int, metric: Metric, period: int) -> dict[str, Any]:
    dimensions = [{"Name": "FunctionName", "Value": metric.function}] if metric.function else []
    named = {"Namespace": "AWS/Lambda", "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": f"m{number}", "MetricStat": {"Metric": named, "Period": period, "Stat": metric.statistic}}
