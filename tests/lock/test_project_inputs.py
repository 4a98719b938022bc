"""TOML files: pyproject.toml as an input, pylock.toml as a lock."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from layers import PYTHON313

from entrypoint.errors import Location, LockError, ManifestError
from entrypoint.lock.lock_file import read_pinned
from entrypoint.lock.project_table import project_requirements
from entrypoint.lock.requirements import read_requirements
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

PROJECT = """\
[project]
name = "x"
dependencies = ["requests>=2"]
[project.optional-dependencies]
Fast_JSON = ["orjson; platform_machine == 'aarch64'"]
[dependency-groups]
prod = ["boto3", {include-group = "base"}]
base = ["six"]
loop = [{include-group = "loop"}]
"""
ARM64 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
OLD = Platform(RUNTIMES["python3.9"], Architecture.X86_64)


def requirements_of(*, extras=(), groups=(), text=PROJECT):
    return project_requirements(tomllib.loads(text), extras, groups)


def test_dependencies_extras_and_groups():
    assert requirements_of() == ["requests>=2"]
    assert requirements_of(extras=["fast-json"]) == ["requests>=2", "orjson; platform_machine == 'aarch64'"]
    assert requirements_of(groups=["prod"]) == ["requests>=2", "boto3", "six"]
    assert requirements_of(groups=["base"], text="[dependency-groups]\nbase = ['six']\n") == ["six"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extras": ["slow"]}, r"unknown extra 'slow' \(available: fast-json\)"),
        ({"groups": ["dev"]}, "unknown dependency group 'dev'"),
        ({"groups": ["loop"]}, "cannot read the dependency group 'loop'"),
        (
            {"text": "[project]\ndynamic = ['dependencies']\n"},
            r"\[project\] has no static list `dependencies`",
        ),
        (
            {"extras": ["a"], "text": "[project]\ndependencies = []\noptional-dependencies = 1\n"},
            "is not a table",
        ),
        ({"groups": ["a"], "text": "dependency-groups = 1\n"}, "dependency-groups is not a table"),
        ({"text": ""}, r"\[project\] has no static list `dependencies`"),
        (
            {"extras": ["a"], "text": "[project]\ndependencies = []\noptional-dependencies = {a = 1}\n"},
            "is not a list of strings",
        ),
    ],
)
def test_missing_or_invalid_lists(options, message):
    with pytest.raises(ValueError, match=message):
        requirements_of(**options)


def test_requirements_have_the_lines_of_the_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    requirements = Requirements(
        files=(tmp_path / "pyproject.toml",), groups=("prod",), location=Location("lambda-layers.yml", 4)
    )
    found = read_requirements(requirements, root=tmp_path)
    assert [(line.name, line.location.line) for line in found.requirements] == [
        ("requests", 3),
        ("boto3", 7),
        ("six", 8),
    ]
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(ManifestError, match=r"pyproject\.toml: "):
        read_requirements(requirements, root=tmp_path)


PYLOCK = """\
lock-version = "1.0"
created-by = "tests"
[[packages]]
name = "pkg"
version = "1.0"
sdist = {{ name = "pkg-1.0.tar.gz", url = "https://example.org/pkg-1.0.tar.gz", hashes = {{ sha256 = "{}" }} }}
[[packages.wheels]]
name = "pkg-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"
url = "https://example.org/pkg-1.0-cp313-cp313-manylinux_2_17_x86_64.whl"
hashes = {{ sha256 = "{}" }}
[[packages.wheels]]
name = "pkg-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"
url = "https://example.org/pkg-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"
hashes = {{ sha256 = "{}" }}
[[packages]]
name = "only-arm"
version = "2.0"
marker = "platform_machine == 'aarch64'"
[[packages.wheels]]
name = "only_arm-2.0-py3-none-any.whl"
url = "https://example.org/only_arm-2.0-py3-none-any.whl"
hashes = {{ sha256 = "{}" }}
""".format(*(character * 64 for character in "0123"))


def pins(path, platform):
    return {pin.name: {digest[7] for digest in pin.hashes} for pin in read_pinned(path, platform).pins}


def test_each_platform_gets_its_own_file(tmp_path):
    path = tmp_path / "pylock.toml"
    path.write_text(PYLOCK)
    assert pins(path, PYTHON313) == {"pkg": {"2"}}  # the best wheel
    assert pins(path, ARM64) == {"pkg": {"0"}, "only-arm": {"3"}}  # no compatible wheel: the sdist


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[[packages]]", "[packages"), "invalid TOML"),
        (('lock-version = "1.0"', ""), r"invalid pylock\.toml"),
        (
            ('created-by = "tests"', 'created-by = "tests"\nrequires-python = ">=3.14"'),
            "incompatible with python3.13-x86_64",
        ),
        (('version = "1.0"\nsdist', "sdist"), "pkg has no version or no SHA-256 hash"),
    ],
)
def test_locks_that_cannot_be_used(tmp_path, change, message):
    path = tmp_path / "pylock.toml"
    path.write_text(PYLOCK.replace(*change))
    with pytest.raises(LockError, match=message):
        read_pinned(path, PYTHON313)


def test_a_package_outside_an_index(tmp_path):
    path = tmp_path / "pylock.toml"
    path.write_text(
        'lock-version = "1.0"\ncreated-by = "t"\n[[packages]]\nname = "own"\ndirectory = { path = "." }\n'
    )
    with pytest.raises(LockError, match=r"pylock\.toml: own is locked to a folder"):
        read_pinned(path, OLD)


@pytest.mark.network
def test_a_pylock_generated_by_pip(tmp_path):
    """`pip lock` is the reference implementation."""
    command = [sys.executable, "-I", "-m", "pip", "lock", "--quiet", "six==1.17.0", "-o", "pylock.toml"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    if made.returncode:
        pytest.skip(f"this pip cannot write pylock.toml: {made.stderr}")
    (pin,) = read_pinned(Path(tmp_path / "pylock.toml"), PYTHON313).pins
    assert (str(pin), len(pin.hashes)) == ("six==1.17.0", 1)
