import contextlib
import os
import platform
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

import pytest
from command import NO_ENGINE

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import AL2, RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment, Limits
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.this_machine import ON_THIS_MACHINE, ThisMachine, is_runtime, why_exposed

MINOR = f"python3.{sys.version_info[1]}"
HERE = {"x86_64": Architecture.X86_64, "aarch64": Architecture.ARM64}.get(platform.machine())

pytestmark = pytest.mark.skipif(
    HERE is None or MINOR not in RUNTIMES or not shutil.which("cc"),
    reason="this machine has no runtime's interpreter, or no compiler",
)


@pytest.fixture
def amazon_linux(tmp_path):
    """An /etc/os-release as the runtime of this interpreter has it."""
    generation = "2" if RUNTIMES[MINOR].system is AL2 else "2023"
    path = tmp_path / "os-release"
    path.write_text(
        f'NAME="Amazon Linux"\nID="amzn"\nVERSION_ID="{generation}"\nPRETTY_NAME="Amazon Linux"\n'
    )
    return path


def build_environment(runtime=MINOR, architecture=HERE, **details):
    return BuildEnvironment(platform=Platform(RUNTIMES[runtime], architecture), image="builder", **details)


def test_it_serves_where_it_is_what_the_runtime_is_made_of(amazon_linux):
    other_runtime = next(name for name in RUNTIMES if name not in {MINOR, "provided.al2", "provided.al2023"})
    other_architecture = next(name for name in Architecture if name is not HERE)
    assert is_runtime(build_environment(), amazon_linux)
    assert not is_runtime(build_environment(other_runtime), amazon_linux)
    assert not is_runtime(build_environment(architecture=other_architecture), amazon_linux)
    assert not is_runtime(build_environment(chosen=True), amazon_linux)
    assert not is_runtime(build_environment(system_packages=("zlib",)), amazon_linux)
    assert not is_runtime(build_environment(), amazon_linux.with_name("missing"))
    amazon_linux.write_text("ID=debian\nVERSION_ID=12\n")
    assert not is_runtime(build_environment(), amazon_linux)


@pytest.mark.parametrize(
    ("variables", "files", "exposed"),
    [
        ({"LANG": "C", "AWS_REGION": "eu-west-1"}, [], None),
        ({"AWS_PROFILE": "prod"}, [], "AWS_PROFILE"),
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}, [], "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        ({"GH_TOKEN": "x"}, [], "GH_TOKEN"),
        ({"DATABASE_PASSWORD": "x"}, [], "DATABASE_PASSWORD"),
        ({"PIP_INDEX_URL": "https://user:s3cret@index.example/"}, [], "PIP_INDEX_URL"),
        ({}, [".aws/credentials"], ".aws/credentials"),
        ({}, [".netrc"], ".netrc"),
        ({}, [".docker/config.json"], ".docker/config.json"),
    ],
)
def test_credentials_that_a_build_of_the_same_user_could_read(tmp_path, variables, files, exposed):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    reason = why_exposed({"HOME": str(tmp_path), **variables}, user=1000)
    assert reason is None if exposed is None else reason.endswith(exposed)


def test_as_root_only_files_that_are_open_to_everyone_matter():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # the folders above it are open to everyone
        home = Path(name)
        (home / ".aws").mkdir()
        credentials = home / ".aws" / "credentials"
        credentials.touch()
        environment = {"HOME": name, "AWS_SECRET_ACCESS_KEY": "x"}
        credentials.chmod(0o644)
        assert why_exposed(environment, user=0) is None
        home.chmod(0o755)
        assert why_exposed(environment, user=0) == f"every user can read {credentials}"
        credentials.chmod(0o600)
        assert why_exposed(environment, user=0) is None


def builders_of(amazon_linux, said, **environment):
    return Builders(environment=environment, say=said.append, os_release=amazon_linux)


def test_only_the_operator_can_allow_it(tmp_path, amazon_linux):
    nowhere = {"DOCKER_HOST": NO_ENGINE, "HOME": str(tmp_path)}
    with pytest.raises(CompileError, match="no Docker engine is available"):
        builders_of(amazon_linux, [], **nowhere).open(build_environment())
    allowed = {**nowhere, ON_THIS_MACHINE: "true"}
    assert builders_of(amazon_linux, [], **allowed).open(build_environment()).name == "this machine"


@pytest.mark.skipif(os.getuid() == 0, reason="root builds as another user")
def test_it_is_refused_where_credentials_cannot_be_hidden(tmp_path, amazon_linux):
    builders = builders_of(amazon_linux, [], HOME=str(tmp_path), GH_TOKEN="x", **{ON_THIS_MACHINE: "1"})
    with pytest.raises(CompileError, match=r"cannot be built on this machine: .* credentials in GH_TOKEN"):
        builders.open(build_environment())


@pytest.fixture
def machine(tmp_path):
    """This machine, with a shell as the command: others may not be able to run this Python."""
    results = tmp_path / "results"
    results.mkdir()

    def run(script, files=None, **limits):
        lines = []
        machine = ThisMachine(os_release=tmp_path / "no", limits=Limits(**limits))
        return machine.run(files or {}, ["sh", "-c", script], results=results, on_output=lines.append)

    return run


class TestCommands:
    def test_output_and_files(self, machine, tmp_path):
        (tmp_path / "in").write_bytes(b"content")
        script = "env; mkdir out; cp sub/in out/copy; ln -s /etc/passwd out/link; mkfifo out/pipe; exit 3"
        result = machine(script, {"sub/in": tmp_path / "in"})
        assert (result.code, list(result.files)) == (3, ["copy"])
        assert result.files["copy"].read_bytes() == b"content"
        variables = {line.partition("=")[0] for line in result.output.splitlines()}
        assert variables <= {"HOME", "LD_LIBRARY_PATH", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}

    @pytest.mark.skipif(os.getuid() != 0, reason="only root can run it as another user")
    def test_as_root_each_run_has_a_user_of_its_own_and_sees_no_process_of_ours(self, machine, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "aws-s3cret")
        script = f"id -u; id -G; cat /proc/{os.getpid()}/environ /proc/*/environ; cat /proc/self/status"
        output = machine(script).output
        user, groups = output.split()[:2]
        assert user == groups != machine("id -u").output.strip()
        assert 61184 <= int(user) < 65520
        assert "aws-s3cret" not in output
        assert "NoNewPrivs:\t1" in output
        assert "CapBnd:\t0000000000000000" in output

    @pytest.mark.parametrize(
        ("script", "limits", "message"),
        [
            ("sleep 600 & sleep 600", {"seconds": 0.5}, "the command timed out after"),
            ("mkdir out; head -c 3M /dev/zero > out/large", {"results": 1 << 20}, "the result exceeds 1 MB"),
            ("yes", {"log": 1 << 20}, "the command printed more than 1 MB"),
        ],
    )
    def test_one_that_exceeds_a_limit(self, machine, script, limits, message):
        with pytest.raises(CompileError, match=message):
            machine(script, **limits)

    def test_what_it_started_ends_with_it(self, machine):
        seconds = f"618.{uuid.uuid4().int}"  # no other process has it
        assert machine(f"sleep {seconds} > /dev/null 2>&1 &").code == 0
        commands = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # a process may end at any time
                commands.append(path.read_bytes())
        assert not [command for command in commands if seconds.encode() in command]
