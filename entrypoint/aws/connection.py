"""The connection to one account and region: session, clients, pace, and errors in our words."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from entrypoint.aws.access import Access
from entrypoint.aws.calls import LambdaCalls, answered, is_throttle, of_lambda, refusal, unreachable
from entrypoint.limits import CONTROL_PLANE_CALLS_PER_SECOND, LOCAL_CALLS_PER_SECOND
from entrypoint.manifest.model import Destination

_LAMBDA = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=10,
    read_timeout=120,
    max_pool_connections=64,
)
_OTHERS = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=10)
"""For services whose quotas are far away; botocore's default retry mode has changed, so it is explicit."""
_S3 = _OTHERS.merge(Config(signature_version="s3v4"))
"""In older regions, botocore signs URLs with version 2, which S3 refuses for objects with KMS keys."""
_PAGE = 50
_THROTTLED_INVOCATION = 60.0
"""Seconds for which a throttled invocation is repeated."""
_INVOKED_AGAIN = 5.0
_THIS_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})


class Connection:
    """What all calls to an account and region share. Threads may share it.

    `quota` is in calls per second; the default is that of the endpoint.

    Raises:
        AwsError: the credentials or the region are invalid.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        access: Access,
        quota: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.destination = destination
        self.clock = clock
        self.sleep = sleep
        self._endpoint = access.endpoint_url
        self._user_agent = access.user_agent
        self._session = access.session(destination.role)
        try:
            self._lambda = self._session.client("lambda", **self._options(_LAMBDA))
        except BotoCoreError as error:
            raise unreachable(error) from None
        self._others: dict[str, Any] = {}
        self._lock = Lock()
        #: Calls Lambda, at the pace of the account and region.
        quota = quota or self.rate(CONTROL_PLANE_CALLS_PER_SECOND)
        self.call = LambdaCalls(self._lambda, quota=quota, clock=clock, sleep=sleep)

    @property
    def has_own_endpoint(self) -> bool:
        """Whether an endpoint was given, such as the embedded AWS; no proxy is used then."""
        return self._endpoint is not None

    def rate(self, quota: float) -> float:
        """Return a service's quota of calls per second, or that of an endpoint on this machine."""
        return _quota(self._lambda.meta.endpoint_url, quota)

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        for client in (self._lambda, *self._others.values()):
            client.close()

    def invoke(self, timeout: float, **parameters: object) -> tuple[bytes, bool]:
        """Invoke a function once, and wait for its response for `timeout` seconds.

        The second value is whether it failed. A throttled invocation is repeated, for at most a minute.

        Raises:
            RolloutError: AWS refuses.
            AwsError: there is no answer.
        """
        settings = Config(
            read_timeout=timeout,
            retries={"mode": "standard", "total_max_attempts": 1},
            tcp_keepalive=True,  # no byte is sent until the function has ended, after up to 30 minutes
        )
        deadline = self.clock() + _THROTTLED_INVOCATION
        session: Any = self._session
        with closing(session.client("lambda", **self._options(_LAMBDA.merge(settings)))) as client:
            while True:
                try:
                    answer = of_lambda(client.invoke, parameters)
                    return answer["Payload"].read(), "FunctionError" in answer
                except (BotoCoreError, ClientError, ResponseParserError) as error:
                    if not is_throttle(error) or self.clock() >= deadline:
                        raise (
                            refusal(error, parameters)
                            if isinstance(error, ClientError)
                            else unreachable(error)
                        ) from None
                    self.sleep(_INVOKED_AGAIN)

    def client(self, service: str, region: str | None = None) -> Any:  # noqa: ANN401 - see _other
        """Return a client for a service other than Lambda, in any region; the caller closes it."""
        session: Any = self._session
        options = self._options(_S3 if service == "s3" else _OTHERS)
        return session.client(service, **options | ({"region_name": region} if region else {}))

    def ask(self, service: str, operation: str, **parameters: object) -> dict[str, Any]:
        """Call a service other than Lambda and return its answer."""
        with explained(service):
            return answered(getattr(self._other(service), operation), parameters)

    def paginate(self, service: str, operation: str, **parameters: object) -> Iterator[dict[str, Any]]:
        """Yield the pages of a list that a service other than Lambda returns."""
        with explained(service):
            pages = iter(self._other(service).get_paginator(operation).paginate(**parameters))
            while page := answered(next, {}, pages, None):
                yield page

    def _other(self, service: str) -> Any:  # noqa: ANN401 - boto3 creates its clients at run time
        """Return a client that is kept: creating one takes longer than a call."""
        with self._lock:
            if service not in self._others:
                self._others[service] = self.client(service)
            return self._others[service]

    def pages(self, operation: str, **parameters: str) -> Iterator[dict[str, Any]]:
        """Yield the pages of a list that Lambda returns; each page waits for its turn in the pace."""
        marker: dict[str, str] = {}
        while True:
            page = self.call(operation, MaxItems=_PAGE, **marker, **parameters)
            yield page
            if not page.get("NextMarker"):
                return
            marker = {"Marker": page["NextMarker"]}

    def _options(self, config: Config) -> dict[str, Any]:
        """Return a client's options; an endpoint that is given explicitly is local, behind no proxy."""
        config = config.merge(Config(user_agent_extra=self._user_agent))
        config = config.merge(Config(proxies={})) if self._endpoint else config
        return {"region_name": self.destination.region, "endpoint_url": self._endpoint, "config": config}


def _quota(endpoint_url: str, of_aws: float) -> float:
    is_local = urlsplit(endpoint_url).hostname in _THIS_MACHINE
    return LOCAL_CALLS_PER_SECOND if is_local else of_aws


@contextmanager
def explained(service: str) -> Iterator[None]:
    """Turn botocore's errors into ours."""
    try:
        yield
    except ClientError as error:
        raise refusal(error, {}, service=service) from None
    except (BotoCoreError, ResponseParserError) as error:
        raise unreachable(error) from None
