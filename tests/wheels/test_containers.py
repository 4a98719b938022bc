"""Containers of a real engine: what a command gets, and what it cannot do."""

import json
import os
import time
import uuid
from dataclasses import replace

import pytest
from compiling import dockerfile
from image_registry import ImageRegistry

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment, Limits
from entrypoint.wheels.containers import LABEL, Containers

pytestmark = pytest.mark.engine

X86_313 = Platform(RUNTIMES["python3.13"], Architecture.X86_64)
ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)


@pytest.fixture
def said():
    return []


@pytest.fixture
def opened(engine, said):
    """Containers with limits of the test's choice; all are removed behind it."""
    everything = []

    def opened(**limits):
        limits = Limits(**{"seconds": 60.0, **limits})
        everything.append(Containers(environment=os.environ, say=said.append, limits=limits))
        return everything[-1]

    yield opened
    for containers in everything:
        containers.close()


@pytest.fixture
def build_environment(builder):
    return BuildEnvironment(platform=X86_313, image=builder.tags[0])


@pytest.fixture
def shell(tmp_path):
    def shell(builder, script, files=None):
        lines = []
        results = tmp_path / uuid.uuid4().hex
        results.mkdir()
        result = builder.run(files or {}, ["sh", "-c", script], results=results, on_output=lines.append)
        assert result.output == "".join(f"{line}\n" for line in lines)
        return result

    return shell


def contents(result):
    return {name: path.read_bytes() for name, path in result.files.items()}


def test_files_go_in_and_come_out(opened, build_environment, shell, containers, tmp_path):
    (tmp_path / "large").write_bytes(b"content")
    files = {"in.txt": tmp_path / "large", "settings/secret": b"s3cret"}
    script = "cat in.txt; stat -c '%a %U %n' . settings settings/secret; pwd; mkdir out; cp in.txt out/copy; "
    script += "ln -s /etc/passwd out/link; mkdir out/folder; cp in.txt out/folder/deep; exit 3"
    result = shell(opened().open(build_environment), script, files)
    assert result.code == 3
    assert result.output == (
        "content700 nobody .\n700 nobody settings\n600 nobody settings/secret\n/lambda-layers/build\n"
    )
    assert contents(result) == {"copy": b"content"}
    assert containers() == []


def test_each_run_has_a_container_of_its_own_and_leaves_nothing(opened, build_environment, shell, containers):
    """A hostile build changes what it can, for the next one."""
    builder = opened().open(build_environment)
    script = "touch /tmp/left /var/tmp/left /dev/shm/left; (sleep 300 &); hostname"
    first = shell(builder, script).output
    assert containers() == []
    second = shell(builder, "ls /tmp /var/tmp /dev/shm | grep left; ls /lambda-layers; hostname").output
    assert second.splitlines()[0] == "build"
    assert second.splitlines()[1] != first.strip()


def test_it_runs_as_nobody_without_capabilities_and_network(opened, build_environment, shell):
    script = """\
id -u; id -g
grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs):' /proc/self/status | tr -d '\\t'
cut -d: -f1 -s /proc/net/dev | tr -d ' '
touch /usr/bin/changed /etc/ld.so.preload "$(dirname "$(readlink -f "$(command -v python3.13)")")/changed" 2>&1 \
  | grep -c 'Permission denied'
ls /var/run/docker.sock 2>&1 | grep -c 'No such file'
"""
    result = shell(opened().open(build_environment), script)
    none = "0000000000000000"
    assert result.output.split() == [
        *("65534", "65534"),
        *(f"CapPrm:{none}", f"CapEff:{none}", f"CapBnd:{none}", "NoNewPrivs:1"),
        "lo",
        "3",
        "1",
    ]


def test_what_the_container_shows_to_others(opened, build_environment, shell, containers):
    seen = []
    builder = opened().open(build_environment)
    builder.run(
        {"settings/environment.json": b"proxy-s3cret"},
        ["sh", "-c", "echo ready; sleep 2"],
        results=None,
        on_output=lambda _: seen.extend(containers()),
    )
    host = seen[0].attrs["HostConfig"]
    assert "s3cret" not in json.dumps(seen[0].attrs)
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["PidsLimit"] == 1024
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert host["NanoCpus"] > 0
    assert host["Binds"] is None
    assert seen[0].attrs["Mounts"] == []
    assert seen[0].labels[LABEL] == "python3.13-x86_64"


_FORKS = """\
import os, time
for number in range(200):
    try:
        if not os.fork():
            time.sleep(60)
    except OSError:
        print("stopped at", number, flush=True)
        break
"""


def test_processes_are_limited(opened, build_environment, shell):
    builder = opened(processes=50).open(build_environment)
    result = shell(builder, f"python3.13 -c '{_FORKS}'")
    word, number = result.output.strip().rsplit(" ", 1)
    assert (word, int(number) < 50) == ("stopped at", True)


@pytest.mark.parametrize(
    ("limits", "script", "message"),
    [
        ({"seconds": 0.5}, "sleep 600", "the command timed out after"),
        ({}, "mkdir out; truncate -s 3G out/huge", "the result exceeds 1,074 MB or 1,000 files"),
        ({}, "mkdir out; cd out; seq 2000 | xargs touch", "the result exceeds 1,074 MB or 1,000 files"),
        ({"log": 1 << 20}, "yes", "the command printed more than 1 MB"),
        ({"log": 1 << 20}, "tr '\\0' x < /dev/zero", "the command printed more than 1 MB"),
        (
            {"disk": 50_000_000},
            "head -c 60M /dev/zero > one; for name in a b c; do head -c 40M /dev/zero > $name; done; sleep 60",
            "the command wrote more than 0.1 GB to the disk",
        ),
    ],
)
def test_what_exceeds_a_limit_ends_with_its_container(
    opened, build_environment, shell, containers, limits, script, message
):
    before = time.monotonic()
    with pytest.raises(CompileError, match=message):
        shell(opened(**limits).open(build_environment), script)
    assert time.monotonic() - before < 30
    assert containers() == []


def test_a_container_that_somebody_else_removes(opened, build_environment, shell, containers):
    def remove(_):
        for found in containers():
            found.remove(force=True)

    with pytest.raises(CompileError, match=r"the container of .* stopped unexpectedly"):
        opened().open(build_environment).run(
            {}, ["sh", "-c", "echo ready; sleep 60"], results=None, on_output=remove
        )


def test_a_shared_container_lasts_until_the_end(opened, build_environment, shell, containers):
    manager = opened()
    shared = manager.open_shared(build_environment)
    names = [shell(shared, "hostname; ls /lambda-layers | wc -l; touch left").output for _ in "ab"]
    assert names[0] == names[1]
    assert names[0].split()[1] == "1"
    assert len(containers()) == 1
    manager.close()
    assert containers() == []
    with pytest.raises(CompileError, match="being stopped"):
        shell(manager.open(build_environment), "true")


def derived(engine, builder):
    """The images made from an image of this worker; others come and go at the same time."""
    label = f"tests={builder.labels['tests']}"
    return {image.id for image in engine.images.list(all=True, filters={"label": label})}


def test_system_packages_are_installed_by_root_in_an_image_that_is_removed(
    opened, builder, shell, engine, tmp_path
):
    environment = BuildEnvironment(platform=X86_313, image=builder.tags[0], system_packages=("some",))
    manager = opened()
    before = derived(engine, builder)
    script = "id -u; touch /usr/bin/installed; cat settings/environment.json"
    result = manager.install(
        environment,
        {"settings/environment.json": b"proxy"},
        ["sh", "-c", script],
        results=tmp_path,
        on_output=lambda _: None,
    )
    assert result.output.split() == ["0", "proxy"]
    seen = shell(
        manager.open(environment), "id -u; ls /usr/bin/installed; ls /lambda-layers/build | wc -l"
    ).output
    assert seen.split() == ["65534", "/usr/bin/installed", "0"]
    assert manager.open(environment).identity == builder.id
    assert derived(engine, builder) > before
    manager.close()
    assert derived(engine, builder) == before


def test_an_interpreter_in_a_folder_of_root(opened, shell, engine, builder, build_environment):
    image = dockerfile(
        engine,
        f"FROM {builder.tags[0]}\nRUN mkdir -m 700 /private && cp /bin/echo /private && chown -R 0:0 /private "
        "&& ln -sf /private/echo /usr/bin/python3.13 && ln -sf /private/echo /var/lang/bin/python3.13\n",
    )
    before = derived(engine, builder)
    manager = opened()
    opened_builder = manager.open(replace(build_environment, image=image.id))
    for _ in range(2):
        result = opened_builder.run({}, ["python3.13", "reached"], results=None, on_output=lambda _: None)
        assert (result.code, result.output) == (0, "reached\n")
    assert shell(opened_builder, "chmod o+x /private 2>&1; id -u").output.endswith("not permitted\n65534\n")
    manager.close()
    assert derived(engine, builder) == before
    engine.images.remove(image.id, force=True)


def test_what_an_image_is_made_of_is_told_without_fetching_it(opened, build_environment, engine, said):
    containers = opened()
    assert containers.identity(build_environment) == engine.images.get(build_environment.image).id
    assert containers.identity(BuildEnvironment(platform=ARM_313, image=build_environment.image)) is None
    assert containers.identity(BuildEnvironment(platform=X86_313, image="127.0.0.1:1/no:image")) is None
    assert said == []


def test_an_image_is_pulled_once_and_only_where_it_is_missing(opened, said, engine, shell):
    with ImageRegistry(layers=4) as registry:
        missing = BuildEnvironment(platform=X86_313, image=registry.image)
        for _ in range(2):
            with pytest.raises(CompileError, match=r"a container of .* cannot be started: .*cat"):
                shell(opened().open(missing), "true")
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
