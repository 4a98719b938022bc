"""What tells whether functions are well, and which there are: alarms, invocations, tags."""

from collections.abc import Mapping, Sequence

from entrypoint.aws.client import Region
from entrypoint.errors import RolloutError

_AT_ONCE = 100
"""The most alarms that DescribeAlarms takes by name."""


class Health(Region):
    """The calls to CloudWatch and to the tags' API, and invocations."""

    def alarms(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the states of those of these alarms that exist, by name."""
        states: dict[str, str] = {}
        for start in range(0, len(names), _AT_ONCE):
            asked = list(names[start : start + _AT_ONCE])
            both = ["MetricAlarm", "CompositeAlarm"]
            answer = self._ask("cloudwatch", "describe_alarms", AlarmNames=asked, AlarmTypes=both)
            found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
            states |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
        return states

    def invoke(self, function: str, payload: bytes) -> bytes:
        """Return what a function answers; RolloutError where it fails."""
        name, _, alias = function.partition(":")
        which = {"FunctionName": name} | ({"Qualifier": alias} if alias else {})
        answer = self._call("invoke", **which, Payload=payload)
        content: bytes = answer["Payload"].read()
        if "FunctionError" in answer:
            message = f"{function} failed when it was invoked: {content.decode('utf-8', 'replace')[:300]}"
            raise RolloutError.of(message, "mend it and run again")
        return content

    def tags(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of the functions that have any, by ARN."""
        found: dict[str, dict[str, str]] = {}
        token = ""
        while True:
            answer = self._ask(
                "resourcegroupstaggingapi",
                "get_resources",
                ResourceTypeFilters=["lambda:function"],
                PaginationToken=token,
            )
            for item in answer["ResourceTagMappingList"]:
                found[item["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
            token = answer.get("PaginationToken", "")
            if not token:
                return found
