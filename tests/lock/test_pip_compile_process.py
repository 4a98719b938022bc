"""The process that pip-compile is forked from, seen from outside: its starts, its folder in /proc, its answers."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment, undescribed
from packaging.version import Version

from entrypoint.errors import LockError
from entrypoint.index.options import IndexOptions
from entrypoint.lock import pip_compile_process
from entrypoint.lock.engine import Question, UnresolvableError
from entrypoint.lock.pip_compile import PipCompile, versions
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

PLATFORMS = [
    Platform(RUNTIMES[f"python3.{minor}"], machine) for minor in (11, 12, 13) for machine in Architecture
]
ARM_313 = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
THING = Question(requirements=("thing",))
SOURCE = Question(requirements=("source",))
METADATA = b"Metadata-Version: 2.1\nName: source\nVersion: 1.0\n"
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each process imports pip")


@pytest.fixture
def server(tmp_path):
    make_wheel(tmp_path / "shelf", "thing", "1.0")
    make_sdist(tmp_path / "shelf", "source", "1.0")
    with IndexServer(tmp_path / "shelf") as running:
        yield running


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Returns the ids of the processes that were started, not forked; each test has servers of its own."""
    ids, python = tmp_path / "ids", tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho $$ >>"{ids}"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    def started():
        return [int(line) for line in ids.read_text().split()]

    yield started
    for process in started():
        with contextlib.suppress(OSError):  # it has exited, or there is no /proc
            if b"--serve" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGTERM)


def compiler(home, server, **variables):
    return PipCompile(environment=pip_environment(home, PIP_INDEX_URL=server.url, **variables))


def forked_from(process):
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_gone(process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@on_linux
def test_questions_share_a_start_but_no_setting(tmp_path, server, started, monkeypatch):
    make_wheel(tmp_path / "other" / "wheels", "thing", "2.0")
    first = compiler(tmp_path / "first", server)(THING, ARM_313, undescribed)
    monkeypatch.chdir(tmp_path / "other")
    environment = pip_environment(tmp_path / "second", PIP_NO_INDEX="1", PIP_FIND_LINKS="wheels")
    second = PipCompile(environment=environment)(THING, ARM_313, undescribed)
    third = compiler(tmp_path / "first", server)(THING, ARM_313, undescribed)
    assert [answer.splitlines()[0] for answer in (first, second, third)] == [
        "thing==1.0",
        "thing==2.0",
        "thing==1.0",
    ]
    assert len(started()) == 1


@on_linux
def test_the_cache_is_that_of_the_question(tmp_path, server, started):
    server.can_be_cached = True
    for name in ("first", "second"):
        compiler(tmp_path / name, server, PIP_TRUSTED_HOST="127.0.0.1")(THING, ARM_313, undescribed)
        assert any((tmp_path / name / "cache" / "pip-tools").rglob("*.body"))
    assert len(started()) == 1


@on_linux
def test_it_has_neither_the_settings_of_pip_nor_credentials(tmp_path, server, started):
    compiler(tmp_path, server, AWS_SESSION_TOKEN="s3cret", PIP_PASSWORD="s3cret")(THING, ARM_313, undescribed)
    names = {line.partition("=")[0] for line in Path(f"/proc/{started()[0]}/environ").read_text().split("\0")}
    assert "PATH" in names
    assert not [name for name in names if name.startswith(("AWS_", "PIP_"))]


@on_linux
def test_another_variable_of_the_interpreter_needs_another_start(tmp_path, server, started):
    for language in ("C.UTF-8", "C"):
        compiler(tmp_path, server, LANG=language)(THING, ARM_313, undescribed)
    assert len(started()) == 2


def test_questions_at_once_do_not_affect_each_other(tmp_path, server, started):
    lines = (
        f"thing; python_version == '{platform.runtime.python.rpartition('.')[0]}'" for platform in PLATFORMS
    )
    machine = f"missing; platform_machine != '{Architecture.ARM64.machine}'"
    question = Question(requirements=(*dict.fromkeys(lines), machine))

    def answer(platform):
        try:
            return versions(compiler(tmp_path, server)(question, platform, undescribed))
        except UnresolvableError as error:
            return error.missing

    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        answers = list(pool.map(answer, PLATFORMS))
    assert answers == [
        {"thing": Version("1.0")} if platform.architecture is Architecture.ARM64 else ("missing",)
        for platform in PLATFORMS
    ]


@on_linux
def test_one_that_was_killed_is_replaced(tmp_path, server, started):
    compiler(tmp_path, server)(THING, ARM_313, undescribed)
    os.kill(started()[0], signal.SIGKILL)
    assert is_gone(started()[0])
    assert compiler(tmp_path, server)(THING, ARM_313, undescribed).startswith("thing==1.0")
    assert len(started()) == 2


@on_linux
def test_a_question_that_was_killed_is_reported(tmp_path, server, started):
    def ask(*_):
        os.kill(*forked_from(started()[0]), signal.SIGKILL)
        return METADATA

    with pytest.raises(LockError, match="pip-compile was killed") as caught:
        compiler(tmp_path, server)(SOURCE, ARM_313, ask)
    assert "memory" in caught.value.problems[0].hint
    assert compiler(tmp_path, server)(THING, ARM_313, undescribed).startswith("thing==1.0")


@on_linux
def test_nothing_is_left_when_the_command_is_killed(tmp_path, server, started):
    script = f"""if True:
        import os, signal, sys
        from pathlib import Path
        from entrypoint.lock.pip_compile import PipCompile, versions
        from entrypoint.lock.engine import Question
        from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

        def ask(*_):
            print(flush=True)
            sys.stdin.read()

        sys.executable = {sys.executable!r}
        platform = Platform(RUNTIMES["python3.13"], Architecture.ARM64)
        PipCompile(environment=dict(os.environ))(Question(requirements=("source",)), platform, ask)
    """
    with subprocess.Popen(
        [sys.executable, "-c", script],
        env=pip_environment(tmp_path, PIP_INDEX_URL=server.url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as command:
        command.stdout.readline()
        process = started()[-1]
        children = forked_from(process)
        command.kill()
    assert len(children) == 1
    assert all(map(is_gone, (process, *children)))


def test_where_processes_cannot_fork_each_question_has_a_start(tmp_path, server, started, monkeypatch):
    monkeypatch.setattr(pip_compile_process, "_CAN_FORK", False)
    options = IndexOptions(index_url=server.url)
    for question in (THING, SOURCE):
        answer = PipCompile(environment=pip_environment(tmp_path))(
            Question(requirements=question.requirements, options=options), ARM_313, lambda *_: METADATA
        )
        assert answer.splitlines()[0] == f"{question.requirements[0]}==1.0"
    assert len(started()) == 2
