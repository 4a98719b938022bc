"""Packages that a project takes from elsewhere are never looked up in an index that anyone can upload to."""

import os
import sys
from pathlib import Path

import command
import pytest
from package_index import IndexServer, make_wheel, pip_environment

MANIFEST = "version: 1\nlayers:\n  web: {requirements: [pyproject.toml], runtimes: [python3.13]}\n"
PROJECT = '[project]\nname = "orders"\nversion = "1"\ndependencies = ["idna", "certifi>=2"]\n'


@pytest.fixture
def public(tmp_path):
    """What anyone can upload."""
    for name in ("idna", "certifi", "pipfile"):
        make_wheel(tmp_path / "public", name, "99.0")
    with IndexServer(tmp_path / "public") as server:
        yield server


@pytest.fixture
def house(tmp_path):
    for name in ("idna", "certifi"):
        make_wheel(tmp_path / "house", name, "2.0")
    with IndexServer(tmp_path / "house") as server:
        yield server


@pytest.fixture
def lock(tmp_path, public):
    folder = tmp_path / "project"
    folder.mkdir()

    def run(more="", *, manifest=MANIFEST, engine="pip-compile", words=("lock",), **variables):
        (folder / "lambda-layers.yml").write_text(manifest)
        (folder / "pyproject.toml").write_text(PROJECT + more)
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=public.url) | variables
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        arguments = [*words, "--engine", engine] if words == ("lock",) else words
        done = command.run(arguments, folder=folder, environment=environment)
        locked = folder / "pyproject-python3.13-x86_64.txt"
        return done, locked.read_text() if locked.exists() else ""

    return run


def plain(server):
    return server.url.rstrip("/")


ELSEWHERE = {
    "uv workspace": ("[tool.uv.sources]\nidna = { workspace = true }\n", "idna comes from a workspace", 6),
    "uv path": ('[tool.uv.sources]\nIdna = { path = "../idna" }\n', "Idna comes from a path", 6),
    "uv git": (
        '[tool.uv.sources.idna]\ngit = "https://git.example.org/idna"\n',
        "idna comes from a git",
        5,
    ),
    "uv by marker": (
        "[tool.uv.sources]\nidna = [{ url = 'https://x/idna.whl', marker = \"os_name == 'nt'\" }]\n",
        "idna comes from a url",
        6,
    ),
    "poetry path": (
        '[tool.poetry.dependencies]\ncertifi = { path = "../certifi" }\n',
        "certifi comes from a path",
        6,
    ),
}


@pytest.mark.parametrize("engine", ["pip-compile", "uv"])
@pytest.mark.parametrize(("more", "message", "line"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_no_index_is_asked(lock, public, engine, more, message, line):
    done, locked = lock(more, engine=engine)
    assert done.returncode == 5
    assert f"pyproject.toml:{line}: {message}, and would be looked up in a package index" in done.stderr
    assert locked == ""
    assert public.requests == []
    assert lock()[0].returncode == 0  # as before this kind of source was looked at
    done, _ = lock(more, words=("check",))
    assert done.returncode
    assert message in done.stderr


NAMED = {
    "uv": "[tool.uv.sources]\ncertifi = {{ index = 'house' }}\n"
    "[[tool.uv.index]]\nname = 'house'\nurl = '{url}'\nexplicit = true\n",
    "poetry": "[tool.poetry.dependencies]\ncertifi = {{ source = 'house' }}\n"
    "[[tool.poetry.source]]\nname = 'house'\nurl = '{url}/'\npriority = 'explicit'\n",
}


@pytest.mark.parametrize("engine", ["pip-compile", "uv"])
@pytest.mark.parametrize("more", NAMED.values(), ids=NAMED)
def test_a_package_of_one_index(lock, public, house, engine, more):
    more = more.format(url=house.url.rstrip("/"))
    done, locked = lock(more, engine=engine)
    assert done.returncode == 6
    assert (
        f"pyproject.toml:6: certifi comes from {plain(house)}, and would be looked up in {plain(public)}"
        in done.stderr
    )
    assert locked == ""
    done, locked = lock(more, engine=engine, PIP_EXTRA_INDEX_URL=house.url)  # the newest of both would win
    assert done.returncode == 6
    done, locked = lock(more, engine=engine, PIP_INDEX_URL=house.url)
    assert done.returncode == 0, done.stderr
    assert "certifi==2.0" in locked


FOR_ALL = {
    "uv": "[[tool.uv.index]]\nurl = '{url}'\ndefault = true\n",
    "poetry": "[[tool.poetry.source]]\nname = 'house'\nurl = '{url}'\n",
}


@pytest.mark.parametrize("more", FOR_ALL.values(), ids=FOR_ALL)
def test_an_index_for_all_packages_has_to_be_configured(lock, house, more):
    done, locked = lock(more.format(url=house.url.rstrip("/")))
    assert done.returncode == 6
    assert f"this project uses the index {plain(house)}, which is not configured" in done.stderr
    done, locked = lock(more.format(url=house.url.rstrip("/")), PIP_INDEX_URL=house.url)
    assert done.returncode == 0, done.stderr
    assert "idna==2.0" in locked


def test_sources_of_other_packages_do_not_matter(lock):
    done, locked = lock('[tool.uv.sources]\nother = { path = "../other" }\n')
    assert done.returncode == 0, done.stderr
    assert "idna==99.0" in locked


@pytest.mark.parametrize("name", ["Pipfile", "setup.py", "idna"])
def test_a_name_that_is_a_file_or_folder_here(lock, tmp_path, public, name):
    path = tmp_path / "project" / name
    path.mkdir() if name == "idna" else path.write_text("")
    done, _ = lock(manifest=MANIFEST.replace("pyproject.toml", name))
    assert done.returncode == 5
    kind = "folder" if name == "idna" else "file"
    assert f"{name} is a {kind} here, and would be looked up as a package in the index" in done.stderr
    assert public.requests == []


def test_a_package_with_the_name_of_a_folder(lock, tmp_path):
    (tmp_path / "project" / "idna").mkdir()
    manifest = MANIFEST.replace("[pyproject.toml]", '["idna>=0"]').replace(
        "runtimes", "lock: x.txt, runtimes"
    )
    (tmp_path / "project" / "x.txt").write_text("")
    assert lock(manifest=manifest, words=("check",))[0].returncode != 5


def test_poetrys_own_list_is_not_read(tmp_path, lock):
    (tmp_path / "project" / "pyproject.toml").write_text("")
    done, _ = lock(more='[tool.poetry.dependencies]\npython = "^3.12"\n')
    assert done.returncode == 0, done.stderr
