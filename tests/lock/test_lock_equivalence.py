"""A lock has the versions that pip-compile finds on the target itself.

What pip-compile finds on the runtimes' own interpreters is recorded, together with the index that it found it
in: see record_index.py, which `make refresh` runs.
"""

import os
import platform
import sys
from pathlib import Path

import pytest
import recorded_index
from package_index import IndexServer, make_wheel, pip_environment, undescribed
from record_index import compiled_natively

from entrypoint.errors import Location
from entrypoint.index.package_index import PackageIndex
from entrypoint.lock.lock_file import lock_text
from entrypoint.lock.pip_compile import PipCompile
from entrypoint.lock.resolve import resolve
from entrypoint.lock.uv import UvCompile
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

ARCHITECTURES = {"x86_64": Architecture.X86_64, "aarch64": Architecture.ARM64}
HOST = ARCHITECTURES.get(platform.machine())
ON_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
RECORDED = recorded_index.read()
SETS = RECORDED["sets"]

pytestmark = pytest.mark.skipif(
    HOST is None or sys.platform != "linux",
    reason="the targets are Linux on x86_64 or arm64, and this is neither",
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The environment in which pip and uv see the recorded index."""
    with recorded_index.RecordedIndex(RECORDED["packages"]) as server:
        folder = tmp_path_factory.mktemp("recorded")
        yield pip_environment(folder, PIP_INDEX_URL=server.url, PATH=ON_PATH)


def locked(target, lines, environment, engine=PipCompile):
    location = Location("lambda-layers.yml", 1)
    requirements = Requirements(lines=tuple((line, location) for line in lines), location=location)
    with PackageIndex(environment=environment) as index:
        compiler = engine(environment=environment, mask=index.mask)
        return resolve(requirements, target, engine=compiler, index=index, describe=undescribed)


def pins(lock):
    return [str(pin) for pin in lock.pins]


RECORDED_ON = ARCHITECTURES[RECORDED["machine"]]
"""Pins were recorded on one architecture; on the other one, the largest set shows nothing more."""


@pytest.mark.parametrize(
    ("architecture", "name"),
    [(each, name) for each in Architecture for name in SETS if each is RECORDED_ON or name != "services"],
)
@pytest.mark.parametrize("runtime", ["python3.11", "python3.12", "python3.13"])
def test_real_packages(recorded, runtime, architecture, name):
    """Locks of both engines."""
    target = Platform(RUNTIMES[runtime], architecture)
    locks = [locked(target, SETS[name], recorded, engine) for engine in (PipCompile, UvCompile)]
    texts = [lock_text(lock, made_from=["lambda-layers.yml"]) for lock in locks]
    assert texts[0] == texts[1]
    if architecture is RECORDED_ON:
        assert pins(locks[0]) == RECORDED["pins"][f"{name} {runtime}"]


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
        yield pip_environment(tmp_path, PIP_INDEX_URL=server.url, PATH=ON_PATH), needs


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
