"""What tests all over the place need of the outside world."""

import os

import docker
import pytest
from docker.errors import DockerException


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory):
    """A folder for the key of the cache, in place of the one in this user's home."""
    with pytest.MonkeyPatch.context() as context:
        context.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
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
