"""Event source mappings and the queues behind them; nothing is changed."""

from collections.abc import Mapping
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import EventSource, Queue
from entrypoint.manifest.arn import Arn, is_arn


class EventSources:
    """Reads what invokes functions: queues and streams, and how asynchronous events are retried."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Mapping[str, tuple[EventSource, ...]]:
        """Return the event sources of all functions, by the function's name."""
        found: dict[str, tuple[EventSource, ...]] = {}
        for page in self._connection.pages("list_event_source_mappings"):
            for item in page["EventSourceMappings"]:
                name = Arn.parse(item["FunctionArn"]).name
                found[name] = (*found.get(name, ()), _event_source(item))
        return found

    def queue(self, arn: str) -> Queue:
        """Return the settings of an SQS queue."""
        queue = Arn.parse(arn)
        url = self._connection.ask(
            "sqs", "get_queue_url", QueueName=queue.resource, QueueOwnerAWSAccountId=queue.account
        )["QueueUrl"]
        wanted = ["VisibilityTimeout", "RedrivePolicy"]
        answer = self._connection.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=wanted)
        attributes = answer.get("Attributes", {})
        return Queue(
            visibility_timeout=int(attributes.get("VisibilityTimeout", 30)),
            has_dead_letters="RedrivePolicy" in attributes,
        )

    def has_failure_destination(self, function: str) -> bool:
        """Whether asynchronous events that keep failing go to a destination."""
        answer = self._connection.call.if_present("get_function_event_invoke_config", FunctionName=function)
        return bool(_on_failure(answer or {}))


def _event_source(item: Mapping[str, Any]) -> EventSource:
    arn = item.get("EventSourceArn", "")
    return EventSource(
        arn=arn,
        service=Arn.parse(arn).service if is_arn(arn) else "",
        is_enabled=item.get("State", "Enabled") not in {"Disabled", "Disabling"},
        batch_size=item.get("BatchSize", 0),
        batching_window=item.get("MaximumBatchingWindowInSeconds", 0),
        maximum_concurrency=item.get("ScalingConfig", {}).get("MaximumConcurrency"),
        parallelization_factor=item.get("ParallelizationFactor", 1),
        bisects=item.get("BisectBatchOnFunctionError", False),
        maximum_retries=item.get("MaximumRetryAttempts", -1),
        maximum_age=item.get("MaximumRecordAgeInSeconds", -1),
        has_failure_destination=bool(_on_failure(item)),
    )


def _on_failure(item: Mapping[str, Any]) -> str:
    return str(item.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") or "")
