"""A lock has the versions that pip-compile finds on the target itself.

The targets' interpreters represent the targets: pip-compile, in the versions that this project is tested
with, runs natively in a venv of each. `_manylinux` makes it see the runtime's glibc, which is the purpose of
that module (PEP 600).
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from package_index import IndexServer, make_wheel, pip_environment, undescribed
from pythons import python

from entrypoint.errors import Location
from entrypoint.index.package_index import PackageIndex
from entrypoint.lock.lock_file import lock_text
from entrypoint.lock.pip_compile import PipCompile
from entrypoint.lock.resolve import resolve
from entrypoint.lock.uv import UvCompile
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

ROOT = Path(__file__).parents[2]
HOST = {"x86_64": Architecture.X86_64, "aarch64": Architecture.ARM64}.get(platform.machine())
OPTIONS = ("--quiet", "--no-config", "--no-header", "--no-annotate", "--strip-extras", "--allow-unsafe")
OPTIONS += ("--no-emit-options", "--no-emit-index-url", "--pip-args=--prefer-binary", "--output-file=-")
SETS = {
    "science": ("numpy", "pandas", "tzdata; python_version >= '3.12'", "scipy"),
    "backports": (
        "importlib-metadata",
        "exceptiongroup; python_version < '3.12'",
        "keyring",  # needs backports before 3.12, and SecretStorage on Linux alone
        "redis",  # needs async-timeout before 3.11.3
        "audioop-lts; python_version >= '3.13'",
        "coverage[toml]",
        "typing-extensions<4.15",
    ),
    "services": ("uvicorn[standard]", "sqlalchemy", "aiohttp", "pydantic", "cryptography", "boto3"),
}

pytestmark = pytest.mark.skipif(
    HOST is None or sys.platform != "linux",
    reason="the targets are Linux on x86_64 or arm64, and this is neither",
)


def interpreter(version):
    return python(version) or pytest.skip(f"there is no Python {version} on this machine")


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """Make one venv for each runtime; return its Python."""
    made = {}

    def python_of(runtime):
        if runtime not in made:
            folder = tmp_path_factory.mktemp(str(runtime))
            pinned = re.findall(
                r"^pip(?:-tools)?==.*$", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE
            )
            version = ".".join(map(str, runtime.python_version))
            subprocess.run([interpreter(version), "-m", "venv", folder], check=True)
            native = folder / "bin" / "python"
            subprocess.run([native, "-I", "-m", "pip", "install", "--quiet", *pinned], check=True)
            packages = folder / "lib" / f"python{version}" / "site-packages"
            text = f"def manylinux_compatible(major, minor, _): return (major, minor) <= {runtime.glibc}\n"
            (packages / "_manylinux.py").write_text(text)
            made[runtime] = native
        return made[runtime]

    return python_of


def compiled_natively(python, folder, lines, environment):
    """Return the pins of a native pip-compile, without markers, as in a generated lock."""
    (folder / "native.in").write_text("".join(f"{line}\n" for line in lines))
    command = [python, "-I", "-m", "piptools", "compile", *OPTIONS, "native.in"]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return [line.partition(" ;")[0] for line in answer.stdout.splitlines() if "==" in line]


def locked(target, lines, environment, engine=PipCompile):
    location = Location("lambda-layers.yml", 1)
    requirements = Requirements(lines=tuple((line, location) for line in lines), location=location)
    with PackageIndex(environment=environment) as index:
        compiler = engine(environment=environment, mask=index.mask)
        return resolve(requirements, target, engine=compiler, index=index, describe=undescribed)


def pins(lock):
    return [str(pin) for pin in lock.pins]


@pytest.mark.network
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("runtime", ["python3.11", "python3.12", "python3.13"])
def test_real_packages(native, tmp_path, runtime, name):
    target = Platform(RUNTIMES[runtime], HOST)
    expected = compiled_natively(native(target.runtime), tmp_path, SETS[name], os.environ)
    assert pins(locked(target, SETS[name], os.environ)) == expected
    assert len(expected) >= len(SETS[name]) - 1


@pytest.mark.network
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("architecture", Architecture)
@pytest.mark.parametrize("runtime", ["python3.11", "python3.13"])
def test_uv_makes_the_same_locks_of_real_packages(runtime, architecture, name):
    target = Platform(RUNTIMES[runtime], architecture)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    texts = [
        lock_text(locked(target, SETS[name], environment, engine), made_from=["lambda-layers.yml"])
        for engine in (PipCompile, UvCompile)
    ]
    assert texts[0] == texts[1]


MARKERS = {
    "platform_machine": ("x86_64", "aarch64", "arm64", "AMD64"),
    "sys_platform": ("linux", "darwin", "win32", "cygwin"),
    "platform_system": ("Linux", "Darwin", "Windows"),
    "os_name": ("posix", "nt"),
    "implementation_name": ("cpython", "pypy"),
    "platform_python_implementation": ("CPython", "PyPy"),
}
VERSIONS = (
    "python_version < '3.10'",
    "python_version >= '3.11'",
    "python_full_version >= '3.13'",
    "extra == 'more'",
)


@pytest.fixture
def marked(tmp_path):
    """A package that requires another one for each value of each marker."""
    markers = [f"{name} == '{value}'" for name, values in MARKERS.items() for value in values]
    markers += [f"{name} != '{values[0]}'" for name, values in MARKERS.items()]
    markers += [*VERSIONS, "sys_platform == 'linux' and (platform_machine == 'aarch64' or os_name == 'nt')"]
    needs = {f"need-{number:02}": marker for number, marker in enumerate(markers)}
    for name in needs:
        make_wheel(tmp_path / "shelf", name, "1.0")
    requires = tuple(f"{name}; {marker}" for name, marker in needs.items())
    make_wheel(tmp_path / "shelf", "app", "1.0", requires=requires, extras=("more",))
    with IndexServer(tmp_path / "shelf") as server:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        yield pip_environment(tmp_path, PIP_INDEX_URL=server.url, PATH=path), needs


def expected_of(needs, **true):
    """The packages whose markers are true, evaluated by Python: markers are Python expressions."""
    environment = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "extra": "more"}
    environment |= {"implementation_name": "cpython", "platform_python_implementation": "CPython"} | true
    return sorted(
        ["app==1.0", *(f"{name}==1.0" for name, marker in needs.items() if eval(marker, {}, environment))]
    )


@pytest.mark.parametrize("engine", [PipCompile, UvCompile])
@pytest.mark.parametrize(
    ("architecture", "machine"), [(Architecture.ARM64, "aarch64"), (Architecture.X86_64, "x86_64")]
)
def test_markers_of_platform_and_architecture(marked, architecture, machine, engine):
    environment, needs = marked
    # As text, 3.9 would be greater than 3.11; the versions here compare the same either way.
    target = Platform(RUNTIMES["python3.13"], architecture)
    expected = expected_of(
        needs, platform_machine=machine, python_version="3.13", python_full_version="3.13.0"
    )
    assert pins(locked(target, ["app[more]"], environment, engine)) == expected


def test_markers_of_this_machine_are_evaluated_as_in_pip_compile(marked, tmp_path):
    environment, _ = marked
    version = ".".join(map(str, sys.version_info[:2]))
    target = Platform(RUNTIMES[f"python{version}"], HOST)
    assert pins(locked(target, ["app[more]"], environment)) == compiled_natively(
        sys.executable, tmp_path, ["app[more]"], environment
    )
