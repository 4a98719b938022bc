"""What PyPI gets: `make dist`, and what uvx and pip make of it."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest
import shared

ROOT = Path(__file__).parent.parent
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
BUILD = ("-m", "hatchling", "build", "--directory")


def run(*command, folder):
    answer = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300, env=os.environ
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory):
    return shared.folder(
        tmp_path_factory, "dist", lambda path: run(sys.executable, *BUILD, path, folder=ROOT)
    )


@pytest.fixture(scope="session")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    return path


def test_the_sdist_builds_the_same_wheel(dist, wheel, tmp_path):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    run(sys.executable, *BUILD, tmp_path / "again", "-t", "wheel", folder=source)
    assert (tmp_path / "again" / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_wheel_is_complete(wheel):
    """Every module, what `demo` and `explain` read, and what PyPI shows."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (path,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = BytesParser().parsebytes(archive.read(path))
        points = archive.read(path.replace("METADATA", "entry_points.txt")).decode()
    tracked = subprocess.check_output(["git", "ls-files", "entrypoint", "hooks"], cwd=ROOT, text=True)
    assert set(tracked.split()) <= names
    assert {"entrypoint/rules.md", "entrypoint/quickstart/lambda-layers.yml"} <= names
    assert not {name for name in names if name.startswith(("tests", "benchmarks"))}
    assert {"lambda-layers", "lambda-layer-pipeline"} <= {
        line.split(" = ")[0] for line in points.splitlines()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata["Summary"] == project["description"]
    assert len(metadata.get_all("Project-URL")) == len(project["urls"])
    assert metadata.get_payload().startswith("# Lambda Layer Pipeline")


@pytest.mark.network
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_with_nothing_else(wheel, tmp_path, python):
    """`uvx lambda-layer-pipeline`: the base is enough to check a manifest."""
    once = (UV, "tool", "run", "--quiet", "--python", python, "--from", str(wheel), "lambda-layer-pipeline")
    version = run(*once, "--version", folder=tmp_path)
    assert version.startswith("lambda-layers 0.")
    assert f"Python {python}." in version
    assert "botocore not installed" in version
    layers = "version: 1\nlayers:\n  web: {content: files, runtimes: [python3.13]}\n"
    (tmp_path / "lambda-layers.yml").write_text(layers)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "tool.txt").touch()
    assert "lambda-layers.yml" in run(*once, "check", folder=tmp_path)
    assert run(*once, "explain", "symbol-version", folder=tmp_path).startswith("symbol-version\n")
