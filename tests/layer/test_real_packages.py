"""The promise as a whole, on packages that people use: built from their locks, verified, and imported."""

import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import command
import pytest
from pythons import python

pytestmark = pytest.mark.network

REAL = Path(__file__).parents[1] / "data" / "real"
TARGETS = ["everything-python3.12-arm64", "everything-python3.13-x86_64"]
MODULES = "numpy, pandas, cryptography.hazmat.bindings._rust, pydantic, orjson, psycopg2, boto3"
IMPORT = f"import sys; sys.path.insert(0, sys.argv[1]); import {MODULES}; print(numpy.__file__)"


@pytest.fixture
def project(tmp_path):
    return Path(shutil.copytree(REAL, tmp_path / "project"))


def build(project, cache):
    chosen = [word for target in TARGETS for word in ("--target", target)]
    arguments = ["build", "--cache", cache, "--locked", *chosen]
    made = command.run(arguments, folder=project, environment=os.environ)
    assert made.returncode == 0, made.stderr
    return {path.name: path.read_bytes() for path in (project / ".lambda-layers" / "build").iterdir()}


def interpreter():
    return python("3.13") or pytest.skip("there is no CPython 3.13 on this machine to import the layer with")


def test_verified_archives_the_same_bytes_twice_and_they_import(project, tmp_path):
    first = build(project, tmp_path / "one")
    assert sorted(first) == sorted(
        f"{target}.{kind}" for target in TARGETS for kind in ("zip", "json", "cdx.json")
    )
    assert build(project, tmp_path / "two") == first  # from an empty cache: fetched and inspected anew

    opt = tmp_path / "opt"
    with zipfile.ZipFile(
        project / ".lambda-layers" / "build" / "everything-python3.13-x86_64.zip"
    ) as archive:
        archive.extractall(opt)
    for path in (opt, *opt.rglob("*")):  # as /opt is: nobody may write
        path.chmod(stat.S_IRUSR | stat.S_IXUSR if path.is_dir() else stat.S_IRUSR)
    result = subprocess.run(
        [
            interpreter(),
            "-I",
            "-B",
            "-c",
            IMPORT,
            opt / "python",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    for path in (opt, *opt.rglob("*")):
        path.chmod(stat.S_IRWXU)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(opt))
