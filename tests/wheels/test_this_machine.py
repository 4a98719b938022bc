import json
import os
import platform
import shutil
import sys

import pytest
from sources import make_source

from entrypoint.errors import CompileError, Location
from entrypoint.index.options import IndexOptions
from entrypoint.manifest.runtimes import AL2, RUNTIMES, Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.fetch import Sdist
from entrypoint.wheels.source_builds import Compiler
from entrypoint.wheels.this_machine import ThisMachine, is_runtime

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
    environment = {"PATH": os.environ["PATH"]}
    other_runtime = next(name for name in RUNTIMES if name not in {MINOR, "provided.al2", "provided.al2023"})
    other_architecture = next(name for name in Architecture if name is not HERE)
    assert is_runtime(build_environment(), environment, amazon_linux)
    assert not is_runtime(build_environment(other_runtime), environment, amazon_linux)
    assert not is_runtime(build_environment(architecture=other_architecture), environment, amazon_linux)
    assert not is_runtime(build_environment(chosen=True), environment, amazon_linux)
    assert not is_runtime(build_environment(system_packages=("zlib",)), environment, amazon_linux)
    assert not is_runtime(build_environment(), {"PATH": "/nowhere"}, amazon_linux)
    assert not is_runtime(build_environment(), {**environment, "AWS_SESSION_TOKEN": "x"}, amazon_linux)
    assert not is_runtime(build_environment(), environment, amazon_linux.with_name("missing"))
    amazon_linux.write_text("ID=debian\nVERSION_ID=12\n")
    assert not is_runtime(build_environment(), environment, amazon_linux)


def test_a_package_is_compiled_here_and_sees_nothing_of_ours(tmp_path, amazon_linux):
    dump = "import json; print('seen:', json.dumps(dict(os.environ)), flush=True)"
    path = make_source(tmp_path, "tiny", "1.0", first=f"{dump}; print(sys.version)")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MY_SECRET": "x"}
    said = []
    builders = Builders(environment=environment, say=said.append, os_release=amazon_linux)
    compiler = Compiler(builders, cache=tmp_path / "cache", say=said.append)
    sdist = Sdist(
        name="tiny",
        version="1.0",
        filename=path.name,
        sha256="0" * 64,
        path=path,
        location=Location("lock.txt"),
    )
    wheel = compiler.wheel(sdist, build_environment(), options=IndexOptions(), wanted_by="web")
    assert wheel.built_from["builder"]["name"] == "this machine"
    assert f"CPython {platform.python_version()}" in wheel.built_from["builder"]["id"]
    assert said[:2] == ["compiling tiny 1.0 for web in this machine", "tiny 1.0: building the wheel"]
    assert compiler.wheel(sdist, build_environment(), options=IndexOptions(), wanted_by="web") == wheel
    builders.close()


class TestCommands:
    def test_output_and_files(self, tmp_path):
        lines = []
        machine = ThisMachine(
            environment={"PATH": os.environ["PATH"], "SECRET": "x"}, os_release=tmp_path / "no"
        )
        script = "import os, json; print(json.dumps(sorted(os.environ))); os.mkdir('out'); "
        script += "open('out/copy', 'w').write(open('sub/in').read()); raise SystemExit(3)"
        outcome = machine.run(
            {"sub/in": b"content"}, [sys.executable, "-I", "-c", script], on_output=lines.append
        )
        assert (outcome.code, outcome.files) == (3, {"copy": b"content"})
        assert set(json.loads(lines[0])) <= {"HOME", "LC_CTYPE", "PATH"}

    def test_one_that_takes_too_long(self, tmp_path):
        machine = ThisMachine(environment=os.environ, os_release=tmp_path / "no", seconds=0.5)
        with pytest.raises(CompileError, match="the command timed out after"):
            machine.run({}, ["sh", "-c", "sleep 600 & sleep 600"], on_output=lambda _: None)
