"""No version is locked that was uploaded within the cooldown, with either engine."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import command
import pytest
from package_index import IndexServer, make_wheel, pip_environment

MANIFEST = "version: 1\n{more}layers:\n  web: {{requirements: [web.in], runtimes: [python3.13]}}\n"
COOLDOWN = "cooldown: 7 days\n"
ENGINES = pytest.mark.parametrize("engine", ["pip-compile", "uv"])


@pytest.fixture
def server(tmp_path):
    """Packages of which the newest version is a day old; `app` 2.0 needs the newest `base`."""
    shelf = tmp_path / "shelf"
    for version in ("1.0", "2.0", "3.0"):
        make_wheel(shelf, "base", version)
    make_wheel(shelf, "app", "1.0", requires=("base",))
    make_wheel(shelf, "app", "2.0", requires=("base>=3",))
    with IndexServer(shelf) as server:
        for path in shelf.iterdir():
            days = 1 if path.name.startswith("base-3.0") else 30
            server.uploaded[path.name] = (datetime.now(tz=UTC) - timedelta(days=days)).isoformat()
        yield server


@pytest.fixture
def lock(tmp_path, server):
    folder = tmp_path / "project"
    folder.mkdir()

    def run(more=COOLDOWN, *, engine="pip-compile", words=("lock",), text="base\n", **variables):
        (folder / "lambda-layers.yml").write_text(MANIFEST.format(more=more))
        (folder / "web.in").write_text(text)
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=server.url) | variables
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        arguments = [*words, "--engine", engine] if words[0] == "lock" else words
        done = command.run(arguments, folder=folder, environment=environment)
        path = folder / "web-python3.13-x86_64.txt"
        return done, path.read_text() if path.exists() else ""

    return run


@ENGINES
def test_an_older_version_is_locked(lock, engine):
    done, locked = lock(engine=engine)
    assert done.returncode == 0, done.stderr
    assert "base==2.0" in locked
    assert "base==3.0" in lock("", engine=engine, words=("lock", "--upgrade"))[1]


@ENGINES
def test_what_needs_the_new_version_goes_back_too(lock, engine):
    done, locked = lock(engine=engine, text="app\n")
    assert done.returncode == 0, done.stderr
    assert "app==1.0" in locked
    assert "base==2.0" in locked


def test_both_engines_give_the_same_lock(lock):
    locks = {
        lock(engine=engine, text="app\n", words=("lock", "--upgrade"))[1] for engine in ("pip-compile", "uv")
    }
    assert len(locks) == 1


@ENGINES
def test_exceptions(lock, engine):
    done, locked = lock(COOLDOWN + "cooldown_exceptions: [Base]\n", engine=engine)
    assert done.returncode == 0, done.stderr
    assert "base==3.0" in locked


@ENGINES
def test_nothing_older_satisfies_the_requirements(lock, engine):
    done, locked = lock(engine=engine, text="base>=3\n")
    assert done.returncode == 6
    assert "web.in:1: base==3.0 was uploaded on " in done.stderr
    assert "within the cooldown of 7 days; allow an older version, wait, or add it to" in done.stderr
    assert locked == ""


@ENGINES
def test_an_index_without_upload_times(lock, server, engine):
    server.uploaded.clear()
    done, locked = lock(engine=engine)
    assert done.returncode == 6
    assert "the index lists no upload times of base==" in done.stderr
    assert locked == ""


def test_a_younger_version_of_an_existing_lock_goes_back(lock):
    assert "base==3.0" in lock("")[1]
    done, _ = lock(words=("check",))
    assert done.returncode == 6  # the cooldown is one of the inputs
    assert "base==2.0" in lock()[1]


@pytest.mark.parametrize(
    ("variables", "text", "name"),
    [
        ({"PIP_UPLOADED_PRIOR_TO": "2026-01-01"}, "base\n", "uploaded-prior-to of pip"),
        ({"UV_EXCLUDE_NEWER": "2026-01-01"}, "base\n", "UV_EXCLUDE_NEWER"),
        ({}, "-r pyproject.toml\n", "exclude-newer of [tool.uv]"),
    ],
)
def test_settings_of_pip_and_uv_are_refused(tmp_path, lock, variables, text, name):
    project = (
        '[project]\nname = "x"\ndependencies = ["base"]\n[tool.uv]\nexclude-newer = "2026-01-01T00:00:00Z"\n'
    )
    (tmp_path / "project" / "pyproject.toml").write_text(project)
    done, locked = lock("", text=text, **variables)
    assert f"{name} is not used by lambda-layers; set 'cooldown' in the manifest" in done.stderr
    assert locked == ""
    with_cooldown, _ = lock(text=text, **variables)
    assert "is not used by" not in with_cooldown.stderr
