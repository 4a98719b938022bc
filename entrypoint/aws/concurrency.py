"""Reserved and provisioned concurrency."""

from collections.abc import Mapping

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import WeightsError
from entrypoint.errors import RolloutError

_LONGEST_PREPARATION = 1560.0
"""Seconds; as long as botocore's waiter `published_version_active` waits."""
_LONGEST_SHIFT = 900.0
"""Seconds to wait for an alias to lose the weights that another tool, or a lost answer, has left on it."""
_POLL = 2.0
_SHIFT_POLL = 10.0


class ConcurrencySettings:
    """Reads and sets the concurrency of functions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Reserve concurrent executions for a function; with None, remove the reservation."""
        if concurrency is None:
            self._connection.call("delete_function_concurrency", FunctionName=function)
        else:
            self._connection.call(
                "put_function_concurrency", FunctionName=function, ReservedConcurrentExecutions=concurrency
            )

    def provisioned(self, function: str, alias: str) -> int:
        """Return the requested provisioned concurrency of an alias; 0 where there is none."""
        which = {"FunctionName": function, "Qualifier": alias}
        answer = self._connection.call.if_present("get_provisioned_concurrency_config", **which)
        return int(answer["RequestedProvisionedConcurrentExecutions"]) if answer else 0

    def all_provisioned(self, function: str) -> Mapping[str, int]:
        """Return the provisioned concurrency of a function by qualifier: versions and aliases."""
        pages = self._connection.pages("list_provisioned_concurrency_configs", FunctionName=function)
        return {
            item["FunctionArn"].rpartition(":")[2]: item["RequestedProvisionedConcurrentExecutions"]
            for page in pages
            for item in page["ProvisionedConcurrencyConfigs"]
        }

    def provision(self, function: str, alias: str, concurrency: int) -> None:
        """Set the provisioned concurrency of an alias and wait until it is ready; 0 removes it.

        Raises:
            RolloutError: AWS cannot provide it.
        """
        call, clock = self._connection.call, self._connection.clock
        which = {"FunctionName": function, "Qualifier": alias}
        if not concurrency:
            call("delete_provisioned_concurrency_config", **which)
            return
        self._put(which, concurrency)
        deadline = clock() + _LONGEST_PREPARATION
        while clock() < deadline:
            answer = call("get_provisioned_concurrency_config", **which)
            if answer["Status"] == "READY":
                return
            if answer["Status"] == "FAILED":
                message = (
                    f"provisioned concurrency of {function}:{alias} failed: {answer.get('StatusReason')}"
                )
                raise RolloutError.of(message, "lower it, or raise the account's limit, and run again")
            self._connection.sleep(_POLL)
        message = (
            f"provisioned concurrency of {function}:{alias} not ready after {_LONGEST_PREPARATION:.0f} s"
        )
        raise RolloutError.of(message, "check the alias in AWS, then run again")

    def _put(self, which: Mapping[str, str], concurrency: int) -> None:
        """Request provisioned concurrency, once the alias has no weights: AWS refuses both at once."""
        deadline = self._connection.clock() + _LONGEST_SHIFT
        while True:
            try:
                self._connection.call(
                    "put_provisioned_concurrency_config",
                    **which,
                    ProvisionedConcurrentExecutions=concurrency,
                )
            except WeightsError:
                if self._connection.clock() >= deadline:
                    raise
                self._connection.sleep(_SHIFT_POLL)
            else:
                return
