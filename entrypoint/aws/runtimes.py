"""Customer-managed runtimes: until when AWS updates the functions on them."""

from datetime import date
from threading import Lock

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import CustomRuntime
from entrypoint.errors import AwsError


class Runtimes:
    """Reads customer-managed runtimes, each one once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[CustomRuntime, date | None] = {}
        self._lock = Lock()

    def updates_blocked(self, runtime: CustomRuntime) -> date | None:
        """Return the day from which AWS refuses updates of functions, if one is set and can be read.

        It is only for an early report: AWS refuses the updates itself.
        """
        with self._lock:
            if runtime not in self._known:
                self._known[runtime] = self._read(runtime)
            return self._known[runtime]

    def _read(self, runtime: CustomRuntime) -> date | None:
        try:
            answer = self._connection.ask(
                "lambda-core", "get_runtime_alias", RuntimeName=runtime.arn, Name=runtime.alias
            )
        except AwsError:  # such as a runtime of another account, whose policy allows only its use
            return None
        day = answer.get("ReleaseLifecycle", {}).get("FunctionUpdateBlockDate")
        return date.fromisoformat(day) if day else None
