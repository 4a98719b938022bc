"""The client of AWS that the stages use: one object for each account and region."""

import time
from collections.abc import Callable

from entrypoint.aws.access import Access
from entrypoint.aws.account import AccountSettings
from entrypoint.aws.alarms import Alarms
from entrypoint.aws.aliases import Aliases
from entrypoint.aws.code_deploy import CodeDeploy
from entrypoint.aws.concurrency import ConcurrencySettings
from entrypoint.aws.connection import Connection
from entrypoint.aws.event_sources import EventSources
from entrypoint.aws.functions import Functions
from entrypoint.aws.layers import Layers
from entrypoint.aws.metrics import Metrics
from entrypoint.aws.network import Networks
from entrypoint.aws.parameters import Parameters
from entrypoint.aws.runtimes import Runtimes
from entrypoint.aws.storage import Storage
from entrypoint.manifest.model import Bucket, Destination


class Aws:
    """One account and region of AWS. Threads may share it.

    Raises:
        AwsError: the credentials or the region are invalid.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        access: Access,
        bucket: Bucket | None = None,
        quota: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        connection = Connection(destination, access=access, quota=quota, clock=clock, sleep=sleep)
        self.destination = destination
        self.storage = Storage(connection, bucket)
        self.layers = Layers(connection, self.storage)
        self.functions = Functions(connection)
        self.aliases = Aliases(connection)
        self.code_deploy = CodeDeploy(connection)
        self.concurrency = ConcurrencySettings(connection)
        self.alarms = Alarms(connection)
        self.metrics = Metrics(connection)
        self.event_sources = EventSources(connection)
        self.network = Networks(connection)
        self.account = AccountSettings(connection)
        self.parameters = Parameters(connection)
        self.runtimes = Runtimes(connection)
        self._connection = connection

    @property
    def is_local(self) -> bool:
        """Whether this is the embedded AWS, or another endpoint on this machine: it has no VPCs."""
        return self._connection.has_own_endpoint

    def close(self) -> None:
        """Cancel what is being uploaded, and close the connections."""
        self.storage.close()
        self._connection.close()
