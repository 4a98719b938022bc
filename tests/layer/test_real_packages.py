"""The promise as a whole, on packages that people use: locked, built, verified, and imported."""

import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pythons import python

pytestmark = pytest.mark.network

COMMAND = Path(sys.executable).with_name("lambda-layers")
MANIFEST = """\
version: 1
layers:
  everything:
    requirements: [numpy, pandas, cryptography, pydantic, orjson, psycopg2-binary, boto3]
    runtimes: [python3.12, python3.13]
    architectures: [x86_64, arm64]
    bytecode: false # it has tests of its own, and takes its time
"""
MODULES = "numpy, pandas, cryptography.hazmat.bindings._rust, pydantic, orjson, psycopg2, boto3"
IMPORT = f"import sys; sys.path.insert(0, sys.argv[1]); import {MODULES}; print(numpy.__file__)"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    subprocess.run([COMMAND, "lock"], cwd=folder, check=True, timeout=300)
    return folder


def build(project, cache):
    subprocess.run([COMMAND, "build", "--cache", cache, "--locked"], cwd=project, check=True, timeout=300)
    return {path.name: path.read_bytes() for path in (project / ".lambda-layers" / "build").iterdir()}


def interpreter():
    return python("3.13") or pytest.skip("there is no CPython 3.13 on this machine to import the layer with")


def test_four_verified_archives_the_same_bytes_twice_and_they_import(project, tmp_path):
    first = build(project, tmp_path / "one")
    assert sorted(first) == sorted(
        f"everything-{python}-{architecture}.{kind}"
        for python in ("python3.12", "python3.13")
        for architecture in ("x86_64", "arm64")
        for kind in ("zip", "json", "cdx.json")
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
