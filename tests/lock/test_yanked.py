"""Yanked versions: reported with the index's reason, and left as soon as the requirement allows it."""

import json
import os
import sys
from pathlib import Path

import command
import pytest
from package_index import IndexServer, make_wheel, pip_environment

LOCK = "web-python3.13-x86_64.txt"


@pytest.fixture(params=[("pip-compile", False), ("uv", False), ("pip-compile", True)], ids=str)
def kind(request):
    """The engine, and whether the index has pages of HTML; uv needs HEAD there, which this one has not."""
    return request.param


@pytest.fixture
def engine(kind):
    return kind[0]


@pytest.fixture
def index(kind, tmp_path):
    shelf = tmp_path / "shelf"
    for version in ("1.0", "2.0"):
        make_wheel(shelf, "app", version)
    with IndexServer(shelf, html_only=kind[1]) as server:
        yield server


@pytest.fixture
def run(tmp_path, index):
    folder = tmp_path / "project"
    folder.mkdir()
    environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])  # uv
    environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "DOCKER_HOST": command.NO_ENGINE}

    def run(*arguments, requirements=None):
        if requirements:
            layer = {"requirements": requirements, "runtimes": ["python3.13"], "bytecode": False}
            (folder / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {"web": layer}}))
        result = command.run(arguments, folder=folder, environment=environment)
        assert result.returncode == 0, result.stderr
        return result.stdout + result.stderr

    run.folder = folder
    return run


def test_a_pin_that_is_yanked(run, index, engine):
    run("lock", "--engine", engine, requirements=["app==2.0"])
    index.yanked["app-2.0-py3-none-any.whl"] = "it deletes files"
    warning = (
        "web-python3.13-x86_64: app==2.0 was yanked from the index: it deletes files; require another version"
    )
    assert warning in run("check", "--wheels")
    assert warning in run("lock", "--engine", engine)
    assert "app==2.0" in (run.folder / LOCK).read_text()
    said = run("lock", "--engine", engine, requirements=["app"])
    assert "yanked" not in said
    assert "app==1.0" in (run.folder / LOCK).read_text()


def test_without_a_reason(run, index, engine):
    index.yanked["app-2.0-py3-none-any.whl"] = ""
    said = run("lock", "--engine", engine, requirements=["app==2.0"])
    assert "app==2.0 was yanked from the index; require another version" in said


def test_the_archives_in_a_folder_of_ones_own(run, index):
    run("lock", requirements=["app"])
    run("build", "--output", "out/deep")
    (archive,) = (run.folder / "out" / "deep").iterdir()
    own = run.folder / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip"
    assert (archive.name, archive.read_bytes()) == (own.name, own.read_bytes())
