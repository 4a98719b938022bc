"""Packages that a project takes from elsewhere are never looked up in an index that anyone can upload to."""

import os
import shutil
import sys
from pathlib import Path

import command
import pytest
from package_index import IndexServer, make_wheel, pip_environment

from entrypoint.index.options import plain_url

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
    "uv archive": ('[tool.uv.sources]\nIdna = { path = "../idna-1.zip" }\n', "Idna comes from a path", 6),
    "uv branch": (
        '[tool.uv.sources]\nidna = { git = "https://git.example.org/idna", branch = "main" }\n',
        "idna comes from a git",
        6,
    ),
    "uv path by marker": (
        "[tool.uv.sources]\nidna = [{ path = '../idna', marker = \"os_name == 'nt'\" }]\n",
        "idna comes from a path",
        6,
    ),
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
        '[tool.poetry.dependencies]\ncertifi = { path = "../certifi", extras = ["x"] }\n',
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


MEMBER = '[project]\nname = "api"\nversion = "1"\ndependencies = ["idna", " certifi"]\n'
WORKSPACE = """\
[tool.uv.workspace]
members = ["packages/*"]
exclude = ["packages/old"]
[tool.uv.sources]
idna = { workspace = true }
certifi = { git = "https://git.example.org/certifi" }
[[tool.uv.index]]
url = "https://house.example.org/simple"
"""


def test_what_a_workspace_says_of_its_members(lock, public, tmp_path):
    def lock_member(folder, more=""):
        path = tmp_path / "project" / folder / "pyproject.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(MEMBER + more)
        manifest = MANIFEST.replace("pyproject.toml", f"{folder}/pyproject.toml")
        return lock(WORKSPACE, manifest=manifest)[0]

    done = lock_member("packages/api")
    assert done.returncode == 5
    assert "pyproject.toml:9: idna comes from a workspace, and would be looked up" in done.stderr
    assert "pyproject.toml:10: certifi comes from a git, and would be looked up" in done.stderr
    assert public.requests == []
    done = lock_member(
        "packages/api", "[tool.uv.sources]\nidna = { index = 'a' }\ncertifi = { path = '../c.whl' }\n"
    )
    assert done.stderr.count("would be looked up") == 1
    assert "packages/api/pyproject.toml:7: certifi comes from a path" in done.stderr
    done = lock_member(
        "packages/api", "[tool.uv]\nsources = { idna = { index = 'a' }, certifi = { index = 'a' } }\n"
    )
    assert "pyproject.toml:12: this project uses the index https://house.example.org/simple" in done.stderr
    for folder in ("packages/old", "tools"):
        assert lock_member(folder).returncode == 0


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
    assert f"add to the layer: index_of: {{certifi: {plain(house)}}}" in done.stderr
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


class TestSeveralIndexes:
    @pytest.fixture
    def both(self, lock, house):
        def run(index_of="", **options):
            indexes = f", index_of: {{{index_of}}}" if index_of else ""
            manifest = MANIFEST.replace("[pyproject.toml]", f"[pyproject.toml]{indexes}")
            return lock(manifest=manifest, PIP_EXTRA_INDEX_URL=house.url, **options)

        return run

    @pytest.mark.parametrize("engine", ["pip-compile", "uv"])
    def test_that_have_no_file_in_common(self, both, public, house, engine):
        done, locked = both(engine=engine)
        assert done.returncode == 6
        assert (
            f"pyproject.toml:4: idna may be different packages on {plain(public)} and on {plain(house)}: these "
            f"have no file in common, or different ones of the same name; 99.0 is on {plain(public)}; say which "
        ) in done.stderr
        assert "certifi may be" in done.stderr
        assert locked == ""

    @pytest.mark.parametrize("engine", ["pip-compile", "uv"])
    def test_that_have_different_files_of_the_same_name(self, tmp_path, both, engine):
        for name in ("idna", "certifi"):
            make_wheel(tmp_path / "house", name, "99.0", files={f"{name}.py": "mine = True\n"})
        done, _ = both(engine=engine)
        assert done.returncode == 6
        assert "idna may be different packages" in done.stderr

    @pytest.mark.parametrize("engine", ["pip-compile", "uv"])
    def test_of_which_one_mirrors_a_part_of_the_other(self, tmp_path, both, engine):
        for path in (tmp_path / "house").glob("*-2.0-*"):
            shutil.copy(path, tmp_path / "public")
        done, locked = both(engine=engine)
        assert done.returncode == 0, done.stderr
        assert "idna==99.0" in locked

    def test_of_which_two_mirror_different_parts_of_the_third(self, tmp_path, lock, house):
        for path in (tmp_path / "house").glob("*-2.0-*"):
            shutil.copy(path, tmp_path / "public")
        for name in ("idna", "certifi"):
            make_wheel(tmp_path / "more", name, "99.0")
        with IndexServer(tmp_path / "more") as more:
            done, locked = lock(PIP_EXTRA_INDEX_URL=f"{more.url} {house.url}")
        assert done.returncode == 0, done.stderr
        assert "idna==99.0" in locked

    def test_each_package_comes_from_its_own(self, both, public, house):
        done, locked = both(f'IDNA: "{house.url}", "*": "{plain(public)}"')
        assert done.returncode == 0, done.stderr
        assert "idna==2.0" in locked
        assert "certifi==99.0" in locked
        assert not [path for path in public.requests if "idna" in path]

    def test_what_a_package_requires_comes_from_its_index_too(self, tmp_path, both, house):
        make_wheel(tmp_path / "public", "idna", "2.0", requires=("pipfile",))  # of a stranger
        done, locked = both(f'"*": "{house.url}"')
        assert done.returncode == 0, done.stderr
        assert "pipfile" not in locked

    def test_a_changed_index_makes_the_lock_out_of_date(self, both, house, public):
        assert both(f'"*": "{house.url}"')[0].returncode == 0
        assert both(f'"*": "{house.url}"', words=("check",))[0].returncode == 0
        assert both(f'"*": "{public.url}"', words=("check",))[0].returncode == 6

    def test_uv_refuses(self, both, house):
        done, _ = both(f'"*": "{house.url}"', engine="uv")
        assert "uv cannot resolve with 'index_of'; use --engine pip-compile" in done.stderr

    def test_an_index_that_is_not_configured(self, both):
        done, _ = both('"*": "https://example.org/simple"')
        assert done.returncode == 6
        assert "https://example.org/simple under 'index_of' is none of the indexes" in done.stderr


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://user:secret@example.org/simple/", "https://example.org/simple"),
        ("https://example.org/simple?token=secret", "https://example.org/simple"),
        ("https://evil.example/a@pypi.org/simple", "https://****@pypi.org/simple"),
        ("https://user:pa/ss@example.org/simple", "https://****@example.org/simple"),
        ("https://[::1/simple", "https://[::1/simple"),
    ],
)
def test_a_url_is_compared_by_its_host_and_shows_no_secret(url, plain):
    assert plain_url(url) == plain
