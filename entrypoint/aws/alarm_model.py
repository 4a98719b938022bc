"""CloudWatch alarms as values: those that the manifest leads to, and those that exist."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

ALARM_PREFIX = "lambda-layers-"
"""The prefix of the names of alarms that this tool creates."""
_NAMESPACE = "AWS/Lambda"
_PERIOD = 60
"""Seconds; Lambda's metrics have one-minute resolution."""
_OWNER = "By lambda-layers, for the layers: "
_LONGEST = 1_024
"""Characters of a description: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""
_LABELS = {
    "ActionsEnabled": "actions enabled",
    "AlarmActions": "actions",
    "ComparisonOperator": "comparison",
    "DatapointsToAlarm": "datapoints to alarm",
    "EvaluationPeriods": "evaluation periods",
    "ExtendedStatistic": "statistic",
    "MetricName": "metric",
    "OKActions": "OK actions",
    "TreatMissingData": "missing data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm on a Lambda metric, of one function or of the whole account and region."""

    metric: str
    function: str | None = None
    #: Such as Sum or p90.
    statistic: str
    comparison: str
    threshold: float
    #: How many minutes in a row.
    datapoints: int
    missing: str = "missing"
    #: ARNs to notify, sorted, since their order has no meaning: on ALARM, and on OK.
    actions: tuple[str, ...]
    ok_actions: tuple[str, ...] = ()
    #: The manifest's layers in AWS, which say in the description whose it is.
    layers: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """The name in CloudWatch."""
        return "-".join(filter(None, (ALARM_PREFIX.removesuffix("-"), self.function, self.metric)))

    @property
    def description(self) -> str:
        """The description: it is no reason to overwrite an alarm, as names of layers change."""
        names = list(self.layers)
        while len(text := _OWNER + ", ".join(names)) > _LONGEST:
            names.pop()
        return text

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters of PutMetricAlarm that are compared."""
        is_percentile = self.statistic.startswith("p")
        return {
            "Namespace": _NAMESPACE,
            "MetricName": self.metric,
            "Dimensions": [{"Name": "FunctionName", "Value": self.function}] if self.function else [],
            "ExtendedStatistic" if is_percentile else "Statistic": self.statistic,
            "Period": _PERIOD,
            "EvaluationPeriods": self.datapoints,
            "DatapointsToAlarm": self.datapoints,
            "ComparisonOperator": self.comparison,
            "Threshold": self.threshold,
            "TreatMissingData": self.missing,
            "ActionsEnabled": True,
            "AlarmActions": list(self.actions),
            "OKActions": list(self.ok_actions),
        }


class ExistingAlarm(NamedTuple):
    """An alarm with our prefix, as DescribeAlarms returns it."""

    settings: Mapping[str, Any]

    @property
    def actions(self) -> tuple[frozenset[str], frozenset[str]]:
        """What it notifies, on ALARM and on OK."""
        return frozenset(self.settings.get("AlarmActions", ())), frozenset(self.settings.get("OKActions", ()))

    @property
    def layers(self) -> frozenset[str]:
        """The layers of the manifest that it was created from; none for an alarm of another tool."""
        text = str(self.settings.get("AlarmDescription") or "")
        return (
            frozenset(re.findall(r"[\w-]+", text.removeprefix(_OWNER)))
            if text.startswith(_OWNER)
            else frozenset()
        )


class AlarmChange(NamedTuple):
    """An alarm to put; `differences` say what differs, and are empty for a missing one."""

    alarm: Alarm
    differences: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in CloudWatch."""
        return self.alarm.name

    @property
    def reason(self) -> str:
        """Why it is put."""
        return "; ".join(self.differences) or "missing"


def differences(wanted: Alarm, existing: ExistingAlarm) -> Iterator[str]:
    """Yield how an existing alarm differs."""
    defaults = {"Dimensions": [], "TreatMissingData": "missing", "AlarmActions": [], "OKActions": []}
    for key, value in wanted.settings.items():
        has = existing.settings.get(key, defaults.get(key))
        if key in {"AlarmActions", "OKActions"}:
            has = sorted(has or ())
        if has != value:
            label = _LABELS.get(key, key.lower())
            yield f"{label}: {_shown(has)} instead of {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        texts = [str(each.get("Value") if isinstance(each, dict) else each) for each in value]
        return ", ".join(texts) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
