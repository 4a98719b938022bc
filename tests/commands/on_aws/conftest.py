"""A project to stand in, and an embedded AWS that the environment leads to."""

import contextlib
import os

import boto3
import faults as fault
import pytest
from deploying import MANIFEST
from package_index import make_wheel, sha256

from entrypoint.local_aws.server import LocalAws


@pytest.fixture
def faults():
    return fault.Faults()


@pytest.fixture
def aws(faults):
    with LocalAws(middleware=faults) as local:
        local.declare_function("api")
        local.declare_function("report-daily", runtime="python3.12")
        yield local


@pytest.fixture
def pin(tmp_path):
    """Write a lock of the user's own, of one package that lies at hand."""

    def write(lock: str, name: str, version: str) -> None:
        wheel = make_wheel(tmp_path / "wheels", name, version)
        (tmp_path / "project" / lock).write_text(f"{name}=={version} --hash=sha256:{sha256(wheel)}\n")

    return write


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch, aws, pin):
    """A project to stand in, with an environment that leads to the embedded AWS and to no index."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    pin("web.txt", "six", "1.0")
    pin("tools.txt", "attrs", "3.0")
    for name in [name for name in os.environ if name.startswith(("AWS_", "PIP_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    settings = {
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
    }
    for name, value in (settings | aws.environment()).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def written(aws):
    """The calls since one last asked that change something."""
    seen = 0

    def since() -> list[str]:
        nonlocal seen
        new, seen = aws.call_log[seen:], len(aws.call_log)
        return sorted(call.operation for call in new if not call.reads_only)

    return since


@pytest.fixture
def client(aws):
    """A boto3 client that is not of the project: somebody else, or a look at what stands."""
    with contextlib.closing(boto3.client("lambda")) as client:
        yield client
