import json
import re
import subprocess
import sys

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, undescribed

from entrypoint.errors import FetchError, LockError
from entrypoint.index.options import IndexOptions
from entrypoint.lock.engine import Question, UnresolvableError
from entrypoint.lock.pip_compile import PipCompile, _target
from entrypoint.lock.pip_compile_for_platform import CHANGED
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
COMMAND = "from pip._internal.cli.req_command import RequirementCommand as C"
PREPARE = "import pip._internal.operations.prepare as p"
FINDER = (
    "from pip._internal.index.package_finder import PackageFinder as F; "
    "from pip._internal.models.target_python import TargetPython as T"
)


@pytest.fixture
def server(tmp_path):
    make_wheel(tmp_path / "shelf", "thing", "1.0")
    with IndexServer(tmp_path / "shelf") as running:
        yield running


def test_credentials_stay_out_of_messages(tmp_path, server):
    server.credentials = "user:s3cret"
    compiler = PipCompile(environment=pip_environment(tmp_path, PIP_RETRIES="0"))
    index = f"--index-url {server.url_with('user:wr0ng')}"
    with pytest.raises(LockError) as caught:
        compiler(Question(requirements=(index, "thing")), ARM_313, undescribed)
    assert "thing" in str(caught.value)
    assert "wr0ng" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_variables_in_urls_are_those_that_are_given(tmp_path, server):
    server.credentials = "user:s3cret"
    environment = pip_environment(tmp_path, WORD="wr0ng")
    options = IndexOptions(index_url=server.url_with("user:${WORD}"))
    question = Question(requirements=("thing",), options=options)
    compiler = PipCompile(environment=environment, variables={"WORD": "s3cret"})
    answer = compiler(question, ARM_313, undescribed)
    assert answer.startswith("thing==1.0")
    assert "s3cret" not in answer
    with pytest.raises(FetchError, match=r"^variable WORD of .* is not set"):
        PipCompile(environment=environment)(question, ARM_313, undescribed)


def test_requirements_without_a_match_are_named(tmp_path, server):
    compiler = PipCompile(environment=pip_environment(tmp_path, PIP_INDEX_URL=server.url))
    with pytest.raises(UnresolvableError) as caught:
        compiler(Question(requirements=("thing>=2",)), ARM_313, undescribed)
    assert caught.value.missing == ("thing>=2",)


def test_metadata_that_pip_refuses_is_named(tmp_path, server):
    """As that of pandas 0.23.4."""
    make_sdist(tmp_path / "shelf", "old", "1.0", metadata="2.1")
    compiler = PipCompile(environment=pip_environment(tmp_path, PIP_INDEX_URL=server.url))
    metadata = b"Metadata-Version: 2.1\nName: old\nVersion: 1.0\nRequires-Dist: pytz (>=2011k)\n"
    with pytest.raises(UnresolvableError, match=r"old 1\.0 has invalid metadata: .*pytz"):
        compiler(Question(requirements=("old==1.0",)), ARM_313, lambda *_: metadata)


def test_only_the_newest_versions_of_an_index_are_named(tmp_path, server):
    for number in range(2, 30):
        make_wheel(tmp_path / "shelf", "thing", f"{number}.0")
    compiler = PipCompile(environment=pip_environment(tmp_path, PIP_INDEX_URL=server.url))
    with pytest.raises(UnresolvableError, match=r"\(from versions: \.\.\., 20\.0, 21\.0, .*, 29\.0\)"):
        compiler(Question(requirements=("thing>=99",)), ARM_313, undescribed)


def test_the_metadata_of_a_source_comes_from_the_callback(tmp_path, server):
    make_sdist(tmp_path / "shelf", "source", "1.0")
    compiler = PipCompile(environment=pip_environment(tmp_path, PIP_INDEX_URL=server.url))
    asked = []

    def ask(name, version):
        asked.append((name, version))
        return b"Metadata-Version: 2.1\nName: source\nVersion: 1.0\nRequires-Dist: thing\n"

    answer = compiler(Question(requirements=("source",)), ARM_313, ask)
    assert [line for line in answer.splitlines() if "==" in line] == ["source==1.0", "thing==1.0"]
    assert asked == [("source", "1.0")]
    assert server.asked_for(".tar.gz") == 0


def test_an_error_of_the_callback_is_raised_unchanged(tmp_path, server):
    make_sdist(tmp_path / "shelf", "source", "1.0")
    compiler = PipCompile(environment=pip_environment(tmp_path, PIP_INDEX_URL=server.url))
    error = ZeroDivisionError("in the callback")

    def ask(*_):
        raise error

    with pytest.raises(ZeroDivisionError) as caught:
        compiler(Question(requirements=("source",)), ARM_313, ask)
    assert caught.value is error


def test_a_process_that_exits_at_once_is_reported(tmp_path, monkeypatch):
    dies = tmp_path / "python"
    dies.write_text("#!/bin/sh\nexit 3\n")
    dies.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dies))
    question = Question(requirements=tuple(f"package-{number}" for number in range(10_000)))
    with pytest.raises(LockError, match="pip-compile exited with code 3 and no output"):
        PipCompile(environment=pip_environment(tmp_path))(question, ARM_313, undescribed)


def test_output_is_separate_from_the_protocol(tmp_path):
    answer = run_script("import entrypoint.lock.pip_compile_for_platform as script; script.main()", tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert answer.stderr.startswith("pip-compile, version ")


def test_credentials_of_aws_and_github_are_not_passed_on(tmp_path):
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "GITHUB_TOKEN": "x",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
    }
    compiler = PipCompile(environment={**pip_environment(tmp_path), **secrets})
    assert compiler._environment == pip_environment(tmp_path)  # noqa: SLF001 - there is no other way to see it


def test_a_checkout_shadows_no_module(tmp_path, server, monkeypatch):
    for name in ("pip", "piptools", "entrypoint", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('shadowed')", "utf-8")
    (tmp_path / "pyproject.toml").write_text("[tool.pip-tools]\ngenerate-hashes = true\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    environment = {
        **pip_environment(tmp_path / "home", PIP_INDEX_URL=server.url),
        "PYTHONPATH": str(tmp_path),
    }
    answer = PipCompile(environment=environment)(Question(requirements=("thing",)), ARM_313, undescribed)
    assert answer.splitlines()[0] == "thing==1.0"


def run_script(script, tmp_path):
    return subprocess.run(
        [sys.executable, "-I", "-c", script],
        input=json.dumps(_target(ARM_313, ["--version"], {})) + "\n",
        env=pip_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("import pip._vendor.packaging.markers as m; del m.default_environment", "default_environment"),
        ("import pip._vendor.packaging.markers as m; m.Marker.evaluate = lambda self: False", "marker"),
        (f"{COMMAND}; del C.make_resolver", "make_resolver"),
        (f"{COMMAND}; C.make_resolver = classmethod(lambda cls: None)", "has no parameter py_version_info"),
        (f"{COMMAND}; C._build_package_finder = lambda self: None", "has no parameter target_python"),
        (f"{FINDER}; F.target_python = T()", "the tags of the finder are not those of the target"),
        (f"{PREPARE}; del p.RequirementPreparer._fetch_metadata_only", "_fetch_metadata_only"),
        (
            f"{PREPARE}; p.RequirementPreparer._fetch_metadata_only = lambda self: None",
            "has no parameter req",
        ),
        (
            f"{PREPARE}; del p.RequirementPreparer.prepare_linked_requirements_more",
            "prepare_linked_requirements",
        ),
        (f"{PREPARE}; del p.make_distribution_for_install_requirement", "make_distribution_for"),
    ],
)
def test_a_changed_pip_is_reported_before_anything_is_resolved(tmp_path, change, message):
    """The change is made in the process of the script before it runs, like a new release of pip."""
    script = f"{change}; import entrypoint.lock.pip_compile_for_platform as script; script.main()"
    answer = run_script(script, tmp_path)
    assert answer.returncode == CHANGED, answer.stderr
    assert re.match(r"ERROR: pip [\d.]+ with pip-tools [\d.]+ cannot resolve for another", answer.stderr)
    assert message in answer.stderr
    assert answer.stdout == ""
