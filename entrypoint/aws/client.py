"""One account and region of AWS: its session, its clients, its pace."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from entrypoint.aws.access import Access
from entrypoint.aws.calls import LambdaCalls, answered, refusal, unreachable
from entrypoint.limits import CONTROL_PLANE_CALLS_PER_SECOND
from entrypoint.manifest.model import Bucket, Destination

_LAMBDA = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=120,
    max_pool_connections=64,
)
_OTHERS = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=10)
"""Services whose quotas we come nowhere near; botocore's default mode has changed, so it is spelt out."""


class Region:
    """What the calls to an account and region share; safe to share between threads.

    Raises:
        AwsError: where the credentials or the region cannot be what they are said to be.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        access: Access,
        bucket: Bucket | None = None,
        quota: float = CONTROL_PLANE_CALLS_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.destination = destination
        self._bucket = bucket
        self._access = access
        self._session = access.session(destination.role)
        self._clock = clock
        self._sleep = sleep
        try:
            self._lambda = self._session.client("lambda", **self._reached(_LAMBDA))
        except BotoCoreError as error:
            raise unreachable(error) from None
        self._call = LambdaCalls(self._lambda, quota=quota, clock=clock, sleep=sleep)

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._lambda.close()

    def _client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return a client of another service than Lambda; the caller closes it."""
        session: Any = self._session
        return session.client(service, **self._reached(_OTHERS))

    def _ask(self, service: str, operation: str, **parameters: object) -> dict[str, Any]:
        """Return the answer of another service than Lambda."""
        try:
            with closing(self._client(service)) as client:
                answer = answered(getattr(client, operation), parameters)
        except ClientError as error:
            raise refusal(error, {}, service=service) from None
        except (BotoCoreError, ResponseParserError) as error:
            raise unreachable(error) from None
        return answer

    def _reached(self, config: Config) -> dict[str, Any]:
        """Say how a client gets there: an endpoint that is named outright is near, behind no proxy."""
        endpoint = self._access.endpoint_url
        config = config.merge(Config(proxies={})) if endpoint else config
        return {"region_name": self.destination.region, "endpoint_url": endpoint, "config": config}

    def _pages(self, operation: str, **parameters: str) -> Iterator[dict[str, Any]]:
        marker: dict[str, str] = {}
        while True:
            page = self._call(operation, MaxItems=50, **marker, **parameters)
            yield page
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}
