import os
import uuid

import pytest
from image_registry import ImageRegistry

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment
from entrypoint.wheels.containers import LABEL, Containers

pytestmark = pytest.mark.engine

X86_313 = Platform(RUNTIMES["python3.13"], Architecture.X86_64)
ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
BUILDER = "public.ecr.aws/sam/build-python3.13:latest-x86_64"


@pytest.fixture
def said():
    return []


@pytest.fixture
def opened(engine, said):
    """Containers with a time limit of the test's choice; all are removed behind it."""
    everything = []

    def opened(seconds=60.0):
        everything.append(Containers(environment=os.environ, say=said.append, seconds=seconds))
        return everything[-1]

    yield opened
    for containers in everything:
        containers.close()


@pytest.fixture
def build_environment(engine):
    """A workplace in an image of our own, so that its containers can be told from all others."""
    name = f"lambda-layers-tests:{uuid.uuid4().hex}"
    container = engine.containers.create(BUILDER)
    container.commit(*name.split(":"), changes=f"LABEL tests={name}")
    container.remove()
    yield BuildEnvironment(platform=X86_313, image=name)
    engine.images.remove(name, force=True)


def running(engine, build_environment):
    return engine.containers.list(
        all=True, filters={"ancestor": engine.images.get(build_environment.image).id}
    )


def shell(container, script, files=None):
    lines = []
    outcome = container.run(files or {}, ["sh", "-c", script], on_output=lines.append)
    assert outcome.output == "".join(f"{line}\n" for line in lines)
    return outcome


def test_files_go_in_and_come_out(opened, build_environment):
    container = opened().open(build_environment)
    files = {"in.txt": b"content", "settings/secret": b"s3cret"}
    script = "cat in.txt; stat -c '%a %n' settings settings/secret; mkdir out; cp in.txt out/copy; exit 3"
    outcome = shell(container, script, files)
    assert outcome.code == 3
    assert outcome.output == "content700 settings\n600 settings/secret\n"
    assert outcome.files == {"copy": b"content"}
    assert len(shell(container, "ls /lambda-layers").output.splitlines()) == 1  # that of this very command


def test_the_folder_depends_on_the_files_and_not_on_the_settings(opened, build_environment):
    container = opened().open(build_environment)
    folders = [
        shell(container, "pwd", {"a": content, "settings/b": secret}).output
        for content, secret in ((b"1", b"1"), (b"1", b"2"), (b"2", b"1"))
    ]
    assert folders[0] == folders[1] != folders[2]


def test_one_container_serves_until_the_end(opened, build_environment, engine):
    containers = opened()
    assert containers.open(build_environment).session == containers.open(build_environment).session
    (container,) = running(engine, build_environment)
    assert container.labels[LABEL] == "python3.13-x86_64"
    containers.close()
    assert running(engine, build_environment) == []
    with pytest.raises(CompileError, match="being stopped"):
        containers.open(build_environment)


def test_a_command_that_takes_too_long_ends_with_its_container(opened, build_environment, engine):
    containers = opened(seconds=0.5)
    container = containers.open(build_environment)
    with pytest.raises(CompileError, match="the command timed out after"):
        shell(container, "sleep 600")
    assert containers.open(build_environment).session != container.session
    containers.close()
    assert running(engine, build_environment) == []


def test_a_container_that_somebody_else_removes(opened, build_environment, engine):
    container = opened().open(build_environment)
    for found in running(engine, build_environment):
        found.remove(force=True)
    with pytest.raises(CompileError, match=r"the container of .* stopped unexpectedly"):
        shell(container, "true")


def test_what_an_image_is_made_of_is_told_without_fetching_it(opened, build_environment, engine, said):
    containers = opened()
    assert containers.identity(build_environment) == engine.images.get(build_environment.image).id
    assert containers.identity(BuildEnvironment(platform=ARM_313, image=build_environment.image)) is None
    assert containers.identity(BuildEnvironment(platform=X86_313, image="127.0.0.1:1/no:image")) is None
    assert said == []


def test_an_image_is_pulled_once_and_only_where_it_is_missing(opened, said, engine):
    with ImageRegistry(layers=4) as registry:
        missing = BuildEnvironment(platform=X86_313, image=registry.image)
        for _ in range(2):
            with pytest.raises(CompileError, match=r"a container of .* cannot be started: .*cat"):
                opened().open(missing)
        assert said[0] == f"pulling {registry.image}"
        assert said[-1] == f"pulling {registry.image}: 4 of 4 layers"
        assert said.count(said[0]) == 1
        engine.images.remove(registry.image, force=True)


def test_an_image_of_another_architecture(opened, engine):
    with ImageRegistry(layers=1) as registry:
        wrong = BuildEnvironment(platform=ARM_313, image=registry.image)
        with pytest.raises(CompileError) as caught:
            opened().open(wrong)
        assert "builder" in str(caught.value)
        assert "arm64" in str(caught.value)
        engine.images.remove(registry.image, force=True)
