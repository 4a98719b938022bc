"""Invocations of health checks: a function may run for 30 minutes, and is invoked once."""

import threading

import pytest

from entrypoint.aws.access import Access
from entrypoint.aws.connection import Connection
from entrypoint.aws.functions import Functions
from entrypoint.errors import AwsError
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination


class Recorded:
    """A connection that keeps what it is asked for."""

    def __init__(self, **configuration):
        self.configuration = configuration
        self.invoked = []

    def call(self, _operation, **_parameters):
        return {"Configuration": self.configuration}

    def invoke(self, timeout, **parameters):
        self.invoked.append((timeout, parameters.get("Qualifier")))
        return b"{}", False


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"Timeout": 3}, (63, None)),
        ({"Timeout": 1800}, (1860, None)),
        ({"Timeout": 1800, "DurableConfig": {}}, (1860, "$LATEST")),
        ({"Timeout": 1800, "DurableConfig": {}, "CapacityProviderConfig": {}}, (1860, "$LATEST.PUBLISHED")),
    ],
)
def test_how_long_it_waits_and_for_which_version(configuration, expected):
    connection = Recorded(**configuration)
    Functions(connection).invoke("api", None, b"{}")
    assert connection.invoked == [expected]


def test_what_takes_longer_is_not_invoked_again():
    invocations, end = [], threading.Event()
    with LocalAws() as aws:
        aws.declare_function("api")
        aws.answer_invocations("api", lambda request: invocations.append(request) or end.wait(10) or b"{}")
        access = Access(endpoint_url=aws.endpoint_url, access_key="123456789012", secret_key="local")
        connection = Connection(Destination(aws.region), access=access)
        with pytest.raises(AwsError, match="Read timeout"):
            connection.invoke(0.3, FunctionName="api")
        connection.close()
        end.set()
    assert len(invocations) == 1
