"""Against the real package index, with this machine's own settings of pip.

Every version is pinned: what is asserted must not change with what is released tomorrow.
"""

import os

import pytest
from package_index import undescribed
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from entrypoint.errors import Location, LockError
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.tags import tag_ranks
from entrypoint.lock.pip_compile import PipCompile
from entrypoint.lock.resolve import resolve
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.fetch import fetch

pytestmark = pytest.mark.network
CONSTRAINTS = """\
certifi==2025.8.3
charset-normalizer==3.4.3
idna==3.10
urllib3==2.5.0
"""


@pytest.fixture
def index():
    with PackageIndex(environment=os.environ) as opened:
        yield opened


def locked(index, platform, folder, *lines):
    (folder / "constraints.txt").write_text(CONSTRAINTS)
    (folder / "web.in").write_text("\n".join(["-c constraints.txt", *lines, ""]))
    requirements = Requirements(files=(folder / "web.in",), location=Location("lambda-layers.yml", 1))
    compiler = PipCompile(environment=os.environ, mask=index.mask)
    return resolve(requirements, platform, engine=compiler, index=index, describe=undescribed)


@pytest.mark.parametrize(
    ("runtime", "architecture", "numpy", "numpy_tag"),
    [
        ("python3.13", Architecture.ARM64, "2.2.6", Tag("cp313", "cp313", "manylinux_2_17_aarch64")),
        ("python3.9", Architecture.X86_64, "2.0.2", Tag("cp39", "cp39", "manylinux_2_17_x86_64")),
    ],
)
def test_the_locked_hashes_are_those_of_the_best_wheels(
    index, tmp_path, runtime, architecture, numpy, numpy_tag
):
    platform = Platform(RUNTIMES[runtime], architecture)
    lock = locked(index, platform, tmp_path, f"numpy=={numpy}", "requests==2.32.5")
    assert {"certifi", "charset-normalizer", "idna", "numpy", "requests", "urllib3"} == {
        pin.name for pin in lock.pins
    }
    ranks = tag_ranks(platform)
    for wheel, pin in zip(
        fetch(lock, platform, index=index, cache=tmp_path / "cache"), lock.pins, strict=True
    ):
        assert f"sha256:{wheel.sha256}" in pin.hashes
        assert len(pin.hashes) == 2  # the wheel and the sdist
        others = [
            file.filename
            for file in index.files(pin.name)
            if file.filename.startswith(f"{wheel.filename.split('-')[0]}-{pin.version}-")
            and file.filename.endswith(".whl")
        ]
        assert best_rank(wheel.filename, ranks) == min(best_rank(filename, ranks) for filename in others)
        if pin.name == "numpy":
            assert numpy_tag in parse_wheel_filename(wheel.filename)[3]


def best_rank(filename, ranks):
    return min(ranks.get(tag, len(ranks)) for tag in parse_wheel_filename(filename)[3])


def test_a_release_that_dropped_the_runtime_is_explained(index, tmp_path):
    platform = Platform(RUNTIMES["python3.9"], Architecture.X86_64)
    with pytest.raises(LockError, match=r"numpy 2\.3\.0 has no compatible wheel for"):
        locked(index, platform, tmp_path, "numpy==2.3.0")
