"""Requirements with the URL and digest of a file: locked as they are, and looked up in no index."""

import os
import sys
from pathlib import Path

import command
import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, sha256

MANIFEST = "version: 1\nlayers:\n  web: {requirements: [web.in], runtimes: [python3.13], bytecode: false}\n"
ENGINES = pytest.mark.parametrize("engine", ["pip-compile", "uv"])


@pytest.fixture
def servers(tmp_path):
    """An index, where a stranger has a newer `model`, and a server of files."""
    make_wheel(tmp_path / "index", "model", "99.0")
    make_wheel(tmp_path / "index", "base", "1.0")
    make_wheel(tmp_path / "files", "model", "1.0", requires=("base",), files={"model.py": "x = 1\n"})
    with IndexServer(tmp_path / "index") as index, IndexServer(tmp_path / "files") as files:
        yield index, files


@pytest.fixture
def url(tmp_path, servers):
    path = next((tmp_path / "files").glob("model*"))
    return f"{servers[1].url.removesuffix('simple/')}files/{path.name}#sha256={sha256(path)}"


@pytest.fixture
def run(tmp_path, servers):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "lambda-layers.yml").write_text(MANIFEST)

    def run(text, *words, **variables):
        if text is not None:
            (folder / "web.in").write_text(text)
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=servers[0].url) | variables
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        done = command.run(words or ["lock"], folder=folder, environment=environment)
        path = folder / "web-python3.13-x86_64.txt"
        return done, path.read_text() if path.exists() else ""

    return run


@ENGINES
def test_a_wheel(tmp_path, run, url, servers, engine):
    done, locked = run(f"model @ {url}\n", "lock", "--engine", engine)
    assert done.returncode == 0, done.stderr
    assert f"model==1.0 \\\n    --hash=sha256:{url.rpartition('=')[2]}\n    # via -r web.in" in locked
    assert "base==1.0" in locked
    assert "    # via model" in locked
    assert not [path for path in servers[0].requests if "model" in path]
    done, _ = run(None, "build", "--locked")
    assert done.returncode == 0, done.stderr
    assert run(None, "check")[0].returncode == 0
    assert run(None, "lock", "--engine", engine)[1] == locked


def test_another_file_at_the_same_url(tmp_path, run, url):
    assert run(f"model @ {url}\n")[0].returncode == 0
    make_wheel(tmp_path / "files", "model", "1.0", files={"model.py": "stolen = True\n"})
    done, _ = run(None, "build", "--locked")
    assert done.returncode
    assert "model-1.0-py3-none-any.whl" in done.stderr


def test_a_changed_digest_makes_the_lock_out_of_date(run, url):
    assert run(f"model @ {url}\n")[0].returncode == 0
    done, _ = run(f"model @ {url[:-1]}{'0' if url[-1] != '0' else '1'}\n", "check")
    assert done.returncode == 6
    assert "out of sync" in done.stderr


def test_a_cooldown_does_not_apply_to_it(tmp_path, run, url):
    (tmp_path / "project" / "lambda-layers.yml").write_text(
        MANIFEST.replace("version: 1\n", "version: 1\ncooldown: 7 days\ncooldown_exceptions: [base]\n")
    )
    assert run(f"model @ {url}\n")[0].returncode == 0


def test_a_source_archive(tmp_path, run, servers):
    path = make_sdist(tmp_path / "files", "source", "2.0", metadata="2.2", requires=("base",))
    at = f"{servers[1].url.removesuffix('simple/')}files/{path.name}#sha256={sha256(path)}"
    done, locked = run(f"source @ {at}\n")
    assert done.returncode == 0, done.stderr
    assert "web-python3.13-x86_64 builds source==2.0 from source" in done.stderr
    assert f"source==2.0 \\\n    --hash=sha256:{sha256(path)}" in locked
    assert "base==1.0" in locked


WRONG = {
    "model @ https://example.org/model-1.0-py3-none-any.whl": "has no digest: add #sha256=",
    "model @ https://example.org/other-1.0-py3-none-any.whl#sha256="
    + "a" * 64: "is a file of other, not of model",
    "model @ https://example.org/archive/main.tar.gz#sha256=" + "a" * 64: "does not have the filename of",
    "model @ http://example.org/model-1.0-py3-none-any.whl#sha256=" + "a" * 64: "is not an https URL",
    "model @ https://u:secret@example.org/model-1.0-py3-none-any.whl#sha256=" + "a" * 64: "belong in netrc",
    "model @ https://example.org/model-1.0.tar.gz#subdirectory=x&sha256="
    + "a" * 64: "has #subdirectory=, which",
    "-e git+https://example.org/model@abc#egg=model": "is not a folder of the repository; write a repository as",
    "./model-1.0-py3-none-any.whl": "is a file or a repository, which a lock cannot pin",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_locked(run, servers, text):
    done, locked = run(text + "\n")
    assert done.returncode == 5
    assert done.stderr.startswith("error: web.in:1: ")
    assert WRONG[text] in done.stderr
    assert "secret" not in done.stderr
    assert locked == ""
    assert servers[0].requests == []


def test_a_lock_of_another_tool(tmp_path, run, url):
    (tmp_path / "project" / "own.txt").write_text(f"model @ {url}\n")
    (tmp_path / "project" / "lambda-layers.yml").write_text(
        MANIFEST.replace("bytecode", "lock: own.txt, bytecode")
    )
    done, _ = run("model\n", "build", "--locked")
    assert "model" in done.stderr
    done, _ = run(None, "check")
    assert done.returncode == 0, done.stderr
