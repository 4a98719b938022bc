"""Compiling from source, from the command line down to a real engine.

The images are those of AWS, or stand-ins for them; each test session adds a label to one, so that its
containers can be told from those of anybody else.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest
from docker.errors import NotFound
from layers import unzipped
from package_index import IndexServer, make_wheel, pip_environment, sha256
from sources import make_source

COMMAND = Path(sys.executable).with_name("lambda-layers")
BUILDER = "public.ecr.aws/sam/build-python3.13:latest-x86_64"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "aws-s3cret",
    "AWS_SESSION_TOKEN": "aws-t0ken",
    "GITHUB_TOKEN": "github-t0ken",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "actions-t0ken",
}


class Project:
    """A manifest with one layer, an index to lock it from, and the command to build it with."""

    def __init__(self, folder, environment, index=None):
        self.folder = folder / "project"
        self.folder.mkdir()
        self.index = index
        self.cache = folder / "cache" / "lambda-layers"
        self.environment = {**environment, "XDG_CACHE_HOME": str(self.cache.parent)}

    def declare(self, *requirements, **layer):
        layer = {"requirements": requirements, "runtimes": ["python3.13"], **layer}
        manifest = {"version": 1, "layers": {"web": layer}}
        (self.folder / "lambda-layers.yml").write_text(json.dumps(manifest))

    def start(self, *arguments, **variables):
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments, expect=0, **variables):
        with self.start(*arguments, **variables) as process:
            said, _ = process.communicate(timeout=600)
        assert process.returncode == expect, said
        assert "Traceback" not in said
        return said

    @property
    def lock(self):
        return (self.folder / "web-python3.13-x86_64.txt").read_text()

    @property
    def archive(self):
        return self.folder / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip"


def dockerfile(engine, text, **options):
    image, _ = engine.images.build(fileobj=io.BytesIO(text.encode()), rm=True, forcerm=True, **options)
    return image


@pytest.fixture(scope="module")
def builder(engine):
    """The image that compiles, under an id of our own."""
    name = f"lambda-layers-tests:{uuid.uuid4().hex}"
    image = dockerfile(engine, f"FROM {BUILDER}\nLABEL tests={name}\n", tag=name)
    yield image
    engine.images.remove(image.id, force=True)


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


@pytest.mark.engine
class TestInAContainer:
    def test_locked_compiled_and_built_once(self, project, builder):
        make_wheel(project.index.folder, "tiny", "1.0")
        source = make_source(project.index.folder, "tiny", "1.0")
        project.declare("tiny", from_source=["Tiny"], builder_image=builder.tags[0])
        project.run("lock")
        assert "# from source: tiny\n" in project.lock
        assert project.lock.count("--hash=") == project.lock.count(f"--hash=sha256:{sha256(source)}") == 1

        said = project.run("build", "--locked")
        assert f"compiling tiny 1.0 for web-python3.13-x86_64 in {builder.tags[0]}" in said
        assert "tiny 1.0: building the wheel" in said
        first = project.archive.read_bytes()
        assert "python/tiny.cpython-313-x86_64-linux-gnu.so" in unzipped(project.archive)
        (package,) = json.loads(project.archive.with_suffix(".json").read_bytes())["packages"]
        assert package["wheel"] == "tiny-1.0-cp313-cp313-linux_x86_64.whl"
        assert package["builtFrom"] == {
            "sdist": "tiny-1.0.tar.gz",
            "sha256": sha256(source),
            "builder": {"name": builder.tags[0], "id": builder.id},
            "systemPackages": [],
            "buildRequirements": [],
        }

        project.archive.unlink()
        nowhere = {"DOCKER_HOST": "unix:///nowhere.sock", "PIP_INDEX_URL": "http://127.0.0.1:1/"}
        assert "compiling" not in project.run("build", "--locked", **nowhere)
        assert project.archive.read_bytes() == first

        for kept in (project.cache / "wheels").rglob("*.whl"):
            kept.write_bytes(b"cut off")
        assert "compiling tiny" in project.run("build", "--locked")
        assert project.archive.read_bytes() == first

    def test_what_has_no_wheel_is_compiled_to_learn_what_it_needs_and_only_once(self, project):
        make_source(project.index.folder, "tiny", "1.0", requires=("below>=1",))
        make_wheel(project.index.folder, "tiny", "0.9", tag="cp313-cp313-win_amd64")
        make_wheel(project.index.folder, "below", "1.0")
        said = project.run("lock")
        assert "compiling tiny 1.0" in said
        assert "web-python3.13-x86_64 builds tiny==1.0 from source: it has no compatible wheel" in said
        assert "below==1.0" in project.lock
        assert "compiling" not in project.run("build", DOCKER_HOST="unix:///nowhere.sock")

    def test_nothing_of_ours_is_in_the_container_and_nothing_is_told(self, project):
        """The build prints all that it can see, and fails."""
        project.index.credentials = "user:s3cret-of-the-index"
        project.environment["PIP_INDEX_URL"] = project.index.url_with(project.index.credentials)
        home = Path(project.environment["HOME"])
        home.mkdir()
        (home / ".netrc").write_text(
            "machine 127.0.0.1 login a password s3cret-of-the-netrc\n"
            "machine other login b password other-s3cret\n"
        )
        script = (
            "os.system('env; ls -ld ../../settings ../../settings/*; cat ../../settings/*; "
            "cat /proc/1/environ; id -u'); sys.exit('that was all')"
        )
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first=script)
        project.run("lock")
        said = project.run("build", "--locked", expect=14, **SECRETS)
        assert "tiny 1.0 cannot be compiled for python3.13-x86_64" in said
        assert "that was all" in said
        assert (
            "python failed with exit code 1; add what is missing to system_packages, or pin a version that"
            in said
        )
        assert "NETRC=/lambda-layers/" in said
        assert "index-url = http://****@127.0.0.1" in said
        assert "machine 127.0.0.1 login a password ****" in said
        for secret in (*SECRETS.values(), "s3cret-of", "other-s3cret"):
            assert secret not in said

    def test_what_the_container_shows_to_others(self, project, containers):
        """The build waits for the file that says that the test has looked around."""
        wait = "import time; [time.sleep(0.1) for _ in iter(lambda: os.path.exists('/looked'), True)]"
        project.index.credentials = "user:s3cret-of-the-index"
        project.environment["PIP_INDEX_URL"] = project.index.url_with(project.index.credentials)
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first=wait)
        project.run("lock")
        with project.start("build", "--locked", **SECRETS) as process:
            until(process.stdout, "building the wheel")
            (container,) = containers()
            shown = json.dumps(container.attrs) + container.logs().decode()
            environment = container.exec_run(["sh", "-c", "cat /proc/*/environ"]).output.decode()
            files = container.exec_run(["sh", "-c", "ls -l /lambda-layers/*/settings"]).output.decode()
            commands = container.exec_run(["sh", "-c", "cat /proc/*/cmdline"]).output.decode()
            container.exec_run(["touch", "/looked"])
            process.communicate(timeout=60)
        assert process.returncode == 0
        for secret in (*SECRETS, *SECRETS.values(), "s3cret-of"):
            assert secret not in shown + environment + commands
        assert files.count("-rw-------") == 2
        assert container.attrs["HostConfig"]["Memory"] > 0
        assert container.attrs["HostConfig"]["NanoCpus"] > 0
        assert container.attrs["HostConfig"]["Binds"] is None
        assert container.attrs["Mounts"] == []

    @pytest.mark.parametrize("moment", ["building the wheel", "compiling tiny"])
    def test_ctrl_c_leaves_nothing(self, project, moment):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first="import time; time.sleep(600)")
        project.run("lock")
        with project.start("build", "--locked") as process:
            until(process.stdout, moment)
            process.send_signal(signal.SIGINT)
            said = ended(process)
        assert process.returncode == 130, said
        assert "Traceback" not in said

    def test_nothing_is_left_when_it_is_killed(self, project, containers):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2", first="import time; time.sleep(600)")
        project.run("lock")
        with project.start("build", "--locked") as process:
            until(process.stdout, "building the wheel")
            (container,) = containers()
            process.kill()
            process.communicate(timeout=60)
        with contextlib.suppress(NotFound):
            container.wait(condition="removed", timeout=60)

    def test_an_image_of_another_runtime(self, project, engine):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.run("lock")
        drifted = dockerfile(
            engine,
            "FROM public.ecr.aws/sam/build-python3.12\nRUN ln -s python3.12 /var/lang/bin/python3.13\n",
        )
        project.declare("tiny", builder_image=drifted.id)
        said = project.run("build", expect=14)
        assert "cannot build for python3.13: expected Python 3.13, found 'Python 3.12." in said
        project.declare("tiny", builder_image="public.ecr.aws/sam/build-python3.12")
        assert "expected Python 3.13, found none; set builder_image to an image of" in project.run(
            "build", expect=14
        )

    def test_an_image_that_is_not_there(self, project):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.run("lock")
        project.declare("tiny", builder_image="127.0.0.1:1/{runtime}:{architecture}")
        said = project.run("build", expect=14)
        assert "pulling 127.0.0.1:1/python3.13:x86_64" in said
        assert (
            "tiny 1.0 must be compiled for python3.13-x86_64 (tiny 1.0 has no wheels), but the "
            "image 127.0.0.1:1/python3.13:x86_64 cannot be pulled: " in said
        )

    def test_an_engine_that_cannot_run_the_architecture(self, project, engine):
        """Its commands are of a format that no kernel knows."""
        context = io.BytesIO()

        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, data in {
                "Dockerfile": b"FROM scratch\nCOPY true /bin/true\n",
                "true": b"\0" * 64,
            }.items():
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), 0o755
                archive.addfile(info, io.BytesIO(data))
        context.seek(0)
        image, _ = engine.images.build(fileobj=context, custom_context=True, platform="linux/arm64", rm=True)
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        project.declare("tiny", builder_image=image.id, architectures=["arm64"])
        project.run("lock")
        said = project.run("build", expect=14)
        assert "the Docker engine is x86_64 and cannot run arm64 images (" in said
        assert "exec format error" in said
        assert "docker/setup-qemu-action" in said
        assert "ubuntu-24.04-arm" in said


def ended(process):
    """What a process says until it ends, which must be soon."""
    try:
        return process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def until(stream, text):
    """Read a process' output until a line says so."""
    assert any(text in line for line in stream), f"it never said {text!r}"


class TestWithoutAnEngine:
    @pytest.fixture
    def project(self, isolated):
        isolated.declare("tiny")
        isolated.environment["DOCKER_HOST"] = "unix:///nowhere.sock"
        return isolated

    def test_it_is_told_what_to_do(self, project):
        make_source(project.index.folder, "tiny", "1.0", metadata="2.2")
        make_wheel(project.index.folder, "tiny", "1.0", tag="cp313-cp313-manylinux_2_39_x86_64")
        said = project.run("lock")
        assert "web-python3.13-x86_64 builds tiny==1.0 from source" in said
        assert (
            "error: web-python3.13-x86_64.txt:5: tiny 1.0 must be compiled for python3.13-x86_64 "
            "(tiny-1.0-cp313-cp313-manylinux_2_39_x86_64.whl (requires glibc 2.39, python3.13 has 2.34)), "
            "but no Docker engine is available: "
        ) in (said := project.run("build", expect=14))
        assert "start Docker, set DOCKER_HOST to a Docker engine, or pin a version that has a wheel" in said

    def test_docker_is_not_imported_where_nothing_is_compiled(self, project):
        project.declare("tiny", bytecode=False)  # which may be made in an image too
        make_wheel(project.index.folder, "tiny", "1.0")
        broken = project.folder / "broken"
        (broken / "docker").mkdir(parents=True)
        (broken / "docker" / "__init__.py").write_text("raise SystemExit('docker was imported')\n")
        for command in ("lock", "check", "build"):
            project.run(command, PYTHONPATH=str(broken))
        project.declare("tiny", from_source=["tiny"], bytecode=False)
        make_source(project.index.folder, "tiny", "1.0")
        project.run("lock", PYTHONPATH=str(broken))
        project.run("build", PYTHONPATH=str(broken), expect=1)  # so it would have been noticed


@pytest.mark.engine
@pytest.mark.network
@pytest.mark.usefixtures("engine")
class TestRealPackages:
    SOURCES = ("psutil", "markupsafe", "PyYAML")

    @pytest.fixture
    def project(self, tmp_path):
        return Project(tmp_path, os.environ)

    def test_for_the_current_runtime(self, project):
        project.declare(*self.SOURCES, from_source=self.SOURCES)
        project.run("lock")
        project.run("build", "--locked")
        packages = json.loads(project.archive.with_suffix(".json").read_bytes())["packages"]
        assert [package["name"] for package in packages] == ["markupsafe", "psutil", "pyyaml"]
        for package in packages:
            names = {item["name"].lower() for item in package["builtFrom"]["buildRequirements"]}
            assert "setuptools" in names
            assert all(len(item["sha256"]) == 64 for item in package["builtFrom"]["buildRequirements"])

    def test_system_packages_are_there_when_it_is_compiled(self, project):
        project.declare("PyYAML", from_source=["PyYAML"], system_packages=["libyaml-dev"])
        project.run("lock")
        said = project.run("build", "--locked")
        assert "installing libyaml-dev with apt-get" in said
        assert "python/yaml/_yaml.cpython-313-x86_64-linux-gnu.so" in unzipped(project.archive)

    @pytest.mark.emulated
    def test_for_another_architecture_and_an_older_system(self, project, engine):
        """The stand-in's C library is newer than the runtime's, and that is found; AWS' own image passes."""
        name = "public.ecr.aws/sam/build-python3.11:latest-arm64"
        if not (image := next(iter(engine.images.list(name)), None)):
            pytest.skip(f"the engine has no {name}")
        project.declare(
            *self.SOURCES, from_source=self.SOURCES, runtimes=["python3.11"], architectures=["arm64"]
        )
        project.run("lock")
        if image.labels.get("stand-in"):
            said = project.run("build", "--locked", expect=9)
            assert "_psutil_linux.abi3.so of psutil-" in said
            assert "needs GLIBC_2.34; python3.11 has 2.26 [symbol-version]" in said
        else:
            project.run("build", "--locked")
        (record,) = project.cache.glob("wheels/*/psutil-*.whl")
        assert record.name.endswith("linux_aarch64.whl")
