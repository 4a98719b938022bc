import os
import sys
from pathlib import Path

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, undescribed

from entrypoint.errors import LockError, UsageError
from entrypoint.index.options import IndexOptions
from entrypoint.lock.engine import Question, UnresolvableError
from entrypoint.lock.uv import UvCompile
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)


@pytest.fixture
def server(tmp_path):
    make_wheel(tmp_path / "shelf", "thing", "1.0")
    with IndexServer(tmp_path / "shelf") as running:
        yield running


@pytest.fixture
def environment(tmp_path, server):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return pip_environment(tmp_path, PIP_INDEX_URL=server.url, PIP_RETRIES="0", PATH=path)


def compiled(environment, *lines, ask=undescribed, platform=ARM_313, **question):
    answer = UvCompile(environment=environment)(Question(requirements=lines, **question), platform, ask)
    return [line for line in answer.splitlines() if "==" in line]


def from_source(*names):
    return IndexOptions(no_binary=names)


def test_uv_is_not_installed():
    with pytest.raises(UsageError, match="uv is not on PATH; run: pip install uv, or remove --engine uv"):
        UvCompile(environment={"PATH": os.devnull})


class TestSources:
    def test_nothing_is_built_to_read_metadata(self, environment, server):
        make_sdist(server.folder, "source", "1.0")  # its setup.py would fail
        with pytest.raises(UnresolvableError) as caught:
            compiled(environment, "source")
        assert str(caught.value) == (
            "uv must build source to read its metadata; add it to 'from_source', or use --engine pip-compile"
        )

    def test_an_older_version_with_a_wheel_is_preferred(self, environment, server):
        make_sdist(server.folder, "thing", "2.0")
        assert compiled(environment, "thing") == ["thing==1.0"]

    def test_uv_is_given_the_metadata_of_a_required_source(self, environment, server):
        make_wheel(server.folder, "source", "2.0")
        make_sdist(server.folder, "source", "2.0")
        asked = []

        def ask(name, version):
            asked.append((name, version))
            return b"Metadata-Version: 2.1\nName: source\nVersion: 2.0\nRequires-Dist: thing; python_version>'3'\n"

        assert compiled(environment, "source", ask=ask, options=from_source("source")) == [
            "source==2.0",
            "thing==1.0",
        ]
        assert asked == [("source", "2.0")]
        assert server.asked_for("source-2.0") == 0

    def test_metadata_may_lead_to_another_version(self, environment, server):
        for version in ("1.0", "2.0"):
            make_sdist(server.folder, "source", version)
        make_wheel(server.folder, "judge", "1.0")
        make_wheel(server.folder, "judge", "2.0", requires=("source<2",))
        needs = {"2.0": "Requires-Dist: judge>=2\n", "1.0": ""}

        def ask(name, version):
            return f"Metadata-Version: 2.1\nName: source\nVersion: {version}\n{needs[version]}".encode()

        with pytest.raises(LockError) as caught:
            compiled(environment, "source", "judge", ask=ask, options=from_source("source"))
        assert "--engine pip-compile" in str(caught.value)
        needs["1.0"] = needs["2.0"]
        assert compiled(environment, "source", "judge", ask=ask, options=from_source("source")) == [
            "judge==2.0",
            "source==1.0",
        ]

    def test_building_everything_from_source_is_refused(self, environment):
        with pytest.raises(LockError, match=r"building every package .*; use --engine pip-compile"):
            compiled(environment, "thing", options=from_source(":all:"))


def test_the_best_version_of_all_indexes_is_taken_as_in_pip(environment, tmp_path):
    make_wheel(tmp_path / "more", "thing", "2.0")
    with IndexServer(tmp_path / "more") as more:
        assert compiled(environment | {"PIP_EXTRA_INDEX_URL": more.url}, "thing") == ["thing==2.0"]
        options = IndexOptions(extra_index_urls=(more.url,))
        assert compiled(environment, "thing", options=options) == ["thing==2.0"]


def test_conflicting_requirements(environment, server):
    make_wheel(server.folder, "app", "1.0", requires=("thing>1",))
    with pytest.raises(UnresolvableError) as caught:
        compiled(environment, "app")
    assert str(caught.value) == (
        "Because only thing==1.0 is available and all versions of app depend on thing>1, we can conclude that "
        "all versions of app cannot be used. And because you require app, we can conclude that your "
        "requirements are unsatisfiable; loosen or correct these requirements"
    )


def test_unknown_packages_are_named(environment):
    with pytest.raises(UnresolvableError) as caught:
        compiled(environment, "unknown")
    assert caught.value.missing == ("unknown",)


def test_credentials_are_in_no_argument_message_or_variable(environment, server, tmp_path):
    """A script in place of uv records its arguments and environment."""
    server.credentials = "user:s3cret"
    noted = tmp_path / "noted"
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "uv"
    real = Path(sys.executable).with_name("uv")
    stand_in.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} > {noted}\nexec {real} "$@"\n')
    stand_in.chmod(0o755)
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "t0ken",
        "GITHUB_TOKEN": "t0ken",
        "UV_INDEX_URL": "http://0/",
        "UV_RESOLUTION": "lowest",
    }
    environment |= secrets | {"PATH": f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}"}
    right = IndexOptions(index_url=server.url_with("user:s3cret"))
    assert compiled(environment, "thing", options=right) == ["thing==1.0"]
    started = noted.read_text()
    assert "s3cret" not in started
    assert "t0ken" not in started
    assert "UV_INDEX_URL" not in started
    wrong = IndexOptions(index_url=server.url_with("user:wr0ng"))
    with pytest.raises(LockError) as caught:
        compiled(environment, "thing", options=wrong)
    assert "thing" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


def test_a_checkout_changes_nothing(environment, tmp_path, monkeypatch):
    make_wheel(tmp_path / "shelf", "thing", "0.9")
    (tmp_path / "uv.toml").write_text('resolution = "lowest"\n')
    (tmp_path / "pyproject.toml").write_text('[tool.uv]\nresolution = "lowest"\n')
    monkeypatch.chdir(tmp_path)
    assert compiled(environment, "thing") == ["thing==1.0"]
