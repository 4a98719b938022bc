"""What every test needs of the outside world."""

import functools
import gc
import os
import signal

import docker
import hypothesis
import pytest
from botocore.client import ClientCreator
from docker.errors import DockerException
from pythons import link_all

from entrypoint.errors import FetchError
from entrypoint.index.package_index import PackageIndex

# A suite that nohup or some CI runners start ignores SIGINT, and every process that it starts would too.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _share_methods_of_clients():
    """Let all clients of a service share their methods, which botocore makes anew for each: hundreds for EC2."""
    make, made = ClientCreator._create_methods, {}  # noqa: SLF001 - botocore keeps none itself

    def shared(creator, model):
        if model.service_name not in made:
            made[model.service_name] = make(creator, model)
        return dict(made[model.service_name])

    ClientCreator._create_methods = shared  # noqa: SLF001


_share_methods_of_clients()


# Tests that need more than the default say how many times as many.
hypothesis.settings.register_profile("fast", max_examples=10)
OUTSIDE = {
    "IndexServer",
    "LocalAws",
    "OsvServer",
    "RawServer",
    "aws",
    "command",
    "docker",
    "engine",
    "isolated",
    "run",
    "subprocess",
}
"""What a module imports, or a test's fixtures, that starts servers, processes or containers."""


SLOW = {"network", "engine", "emulated", "large"}
"""Markers of the tests that --fast leaves out."""


def pytest_addoption(parser):
    parser.addoption(
        "--fast", action="store_true", help="run only tests that start nothing and have small inputs"
    )
    parser.addoption("--nightly", action="store_true", help="also run tests that take minutes")


def pytest_configure(config):
    if config.getoption("--fast"):
        hypothesis.settings.load_profile("fast")


def pytest_collection_modifyitems(config, items):
    left_out = set() if config.getoption("--nightly") else {"nightly"}
    is_fast = config.getoption("--fast")
    left_out |= SLOW if is_fast else set()
    slow = {
        item
        for item in items
        if left_out & {mark.name for mark in item.iter_markers()} or (is_fast and _starts_something(item))
    }
    config.hook.pytest_deselected(items=list(slow))
    items[:] = [item for item in items if item not in slow]


def pytest_collection_finish():
    gc.freeze()  # thousands of modules and tests, which no collection need look at again


def pytest_runtest_setup(item):
    if (
        item.get_closest_marker("network")
        and (reason := _unreachable())
        and not os.environ.get("REQUIRE_ENGINE")
    ):
        pytest.skip(f"there is no package index: {reason}")


@functools.cache
def _unreachable():
    """Why the package index of this machine cannot be read; None if it can."""
    with PackageIndex(environment=dict(os.environ), pause=lambda _: None) as index:
        try:
            return None if index.files("pip") else "it has no pip"
        except FetchError as error:
            return str(error)


def _starts_something(item):
    return OUTSIDE & {*vars(item.module), *item.fixturenames}


@pytest.fixture(scope="session", autouse=True)
def machine(tmp_path_factory):
    """A folder for the key of the cache, in place of the one in this user's home, and fast other Pythons."""
    pythons = link_all(tmp_path_factory.mktemp("pythons"))
    with pytest.MonkeyPatch.context() as context:
        for name in ("NO_PROXY", "no_proxy"):  # a proxy is for the package index, not for servers of tests
            context.setenv(name, ",".join(filter(None, ["127.0.0.1,localhost", os.environ.get(name)])))
        context.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        context.setenv("PATH", os.pathsep.join([str(pythons), os.environ["PATH"]]))
        yield


@pytest.fixture(scope="session")
def engine():
    """A Docker engine; without one its tests are skipped, or fail where REQUIRE_ENGINE is set."""
    try:
        client = docker.from_env(timeout=600)
        client.ping()
    except DockerException as error:
        if os.environ.get("REQUIRE_ENGINE"):
            raise
        pytest.skip(f"there is no Docker engine on this machine: {error}")
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _no_engine(request, monkeypatch):
    """Hide the engine of this machine from tests that do not need one: builds would use its images."""
    if "engine" not in request.fixturenames and not request.node.get_closest_marker("engine"):
        monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
