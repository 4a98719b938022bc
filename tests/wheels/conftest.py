"""The engine's image to compile in, a small index, and a project.

The images are those of AWS, or local replacements; each worker adds a label to one, so that its containers
can be told from others.
"""

import uuid

import pytest
from compiling import BUILDER, Project, dockerfile, open_builder
from package_index import IndexServer, pip_environment


@pytest.fixture(scope="session")
def builder(engine, tmp_path_factory):
    """The image that compiles, under an id of our own."""
    open_builder(engine, tmp_path_factory)
    name = f"lambda-layers-tests:{uuid.uuid4().hex}"
    image = dockerfile(engine, f"FROM {BUILDER}\nLABEL tests={name}\n", tag=name)
    yield image
    engine.images.remove(image.id, force=True, noprune=True)


@pytest.fixture
def containers(engine, builder):
    """The containers of that image; none may be left when a test is over."""

    def containers():
        return engine.containers.list(all=True, filters={"ancestor": builder.id})

    yield containers
    assert containers() == []


@pytest.fixture
def index(tmp_path):
    (tmp_path / "shelf").mkdir()
    with IndexServer(tmp_path / "shelf") as server:
        yield server


@pytest.fixture
def isolated(tmp_path, index):
    """A project that sees one small index, and nothing of this machine's settings."""
    environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url, PIP_RETRIES="0")
    return Project(tmp_path, environment, index)


@pytest.fixture
def project(isolated, builder, containers):
    isolated.declare("tiny", builder_image=builder.tags[0])
    return isolated
