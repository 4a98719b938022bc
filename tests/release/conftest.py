"""An embedded AWS with a fault layer, and the edge that the pipeline reaches it by, on virtual time."""

from __future__ import annotations

import contextlib
import io
import zipfile
from typing import TYPE_CHECKING

import boto3
import pytest
from alarms import set_alarm
from faults import Faults
from planning import ACCOUNT, REGION, plan_of, read
from rolling import OLD
from virtual_time import VirtualTime

from entrypoint.aws.access import Access
from entrypoint.aws.client import Aws
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination
from entrypoint.release.rollout import roll_out
from entrypoint.release.selection import select
from entrypoint.release.state import LayerState, RegionState, read_details

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def clock() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def faults(clock) -> Faults:
    return Faults(clock=clock)


@pytest.fixture
def aws(faults, clock) -> Iterator[LocalAws]:
    with LocalAws(region=REGION, middleware=faults, clock=clock, deployment_minute=60.0) as local:
        yield local


def access_to(aws: LocalAws) -> Access:
    return Access(endpoint_url=aws.endpoint_url, access_key=ACCOUNT, secret_key="local", region=REGION)


@pytest.fixture
def connect(clock) -> Iterator[Callable[..., Aws]]:
    """The edge under test; its waiting is virtual, unless a test wants it otherwise."""
    with contextlib.ExitStack() as opened:

        def to(aws: LocalAws, **options) -> Aws:
            settings = {"quota": 15.0, "clock": clock, "sleep": clock.sleep, **options}
            edge = Aws(Destination(REGION), access=access_to(aws), **settings)
            opened.callback(edge.close)
            return edge

        yield to


@pytest.fixture
def edge(aws, connect) -> Aws:
    return connect(aws)


@pytest.fixture
def other(aws) -> Iterator[object]:
    """A boto3 client that is not of the project: somebody else, or a look at what stands."""
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "local"}
    with contextlib.closing(
        boto3.client("lambda", endpoint_url=aws.endpoint_url, region_name=REGION, **keys)
    ) as client:
        yield client


@pytest.fixture
def calls(aws) -> Callable[[str], int]:
    """How often an operation was called."""
    return lambda operation: sum(call.operation == operation for call in aws.call_log)


@pytest.fixture
def code() -> bytes:
    """A function's code."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.py", "def b(event, context): ...\n")
    return buffer.getvalue()


@pytest.fixture
def two_versions(aws) -> None:
    """The layer `web` in two versions, of which functions are to get the newer one."""
    for number in (1, 2):
        aws.declare_layer_version("web", account=ACCOUNT, version=number)


@pytest.fixture
def roll(edge, clock):
    """Plan a manifest, and roll out a version, by default the newest one; `said` gets the messages.

    `meanwhile` is called between the plan and the roll-out.
    """

    def roll_it(text, *, said=None, number=None, going_back=False, meanwhile=lambda: None):
        manifest, layers = read(text)
        versions = {each.version: each for each in edge.layers.versions("web")}
        newest = versions[number or max(versions)]
        destination = Destination(REGION)
        tags = edge.functions.tags()
        state = RegionState(
            destination=destination,
            layers={"web": LayerState(latest=newest, current=newest)},
            functions=tuple(sorted(edge.functions.all(), key=lambda each: each.name)),
            tags=tags,
        )
        selection = select(manifest, layers, state.functions, tags, destination)
        plan = plan_of(text, state, read_details(edge, selection.functions))
        meanwhile()
        rolled = roll_out(
            edge,
            plan.to_update,
            plan.versions,
            lambda _: None,
            rollout=manifest.rollout,
            going_back=going_back,
            say=(said if said is not None else []).append,
            sleep=clock.sleep,
            clock=clock,
        )
        return {outcome.function: outcome for outcome in rolled.functions}, rolled.trouble

    return roll_it


@pytest.fixture
def layers_of(other):
    def layers(name, **qualifier):
        configuration = other.get_function(FunctionName=name, **qualifier)["Configuration"]
        return [each["Arn"] for each in configuration.get("Layers", [])]

    return layers


@pytest.fixture
def api(aws, other, two_versions):
    """A function whose alias `live` points to version 1, with the old layer."""
    aws.declare_function("api", layers=[OLD])
    assert other.publish_version(FunctionName="api")["Version"] == "1"
    other.create_alias(FunctionName="api", Name="live", FunctionVersion="1")


@pytest.fixture
def now(other, layers_of):
    """What AWS has: version and weights of the alias, the layers that it serves, and those of $LATEST."""

    def read_now():
        alias = other.get_alias(FunctionName="api", Name="live")
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return alias["FunctionVersion"], weights, layers_of("api", Qualifier="live"), layers_of("api")

    return read_now


@pytest.fixture
def alarm(aws) -> Iterator[Callable[[str, str], None]]:
    """Set an alarm's state, creating it first."""
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "local"}
    with contextlib.closing(
        boto3.client("cloudwatch", endpoint_url=aws.endpoint_url, region_name=REGION, **keys)
    ) as client:
        yield lambda name, state: set_alarm(client, name, state)
