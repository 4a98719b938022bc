"""`lambda-layers why`, run as a command: a lock on disk, and no network."""

import os
import subprocess
import sys

import command
import pytest
from layers import PYTHON313

from entrypoint.errors import Location
from entrypoint.index.pin import Pin
from entrypoint.lock.header import inputs_hash
from entrypoint.lock.lock_file import Lock, write_lock
from entrypoint.lock.requirement_lines import read_lines
from entrypoint.manifest.model import Requirements

MANIFEST = "version: 1\nlayers:\n  web: {requirements: web.in, runtimes: [python3.13]}\n"
TARGET = "web-python3.13-x86_64"
VIA = {
    "app": ("-r web.in",),
    "below": ("-r more.in", "app", "other"),
    "deep": ("-c bounds.txt", "app", "below"),
    "loop": ("below", "round"),
    "other": ("-r web.in",),
    "round": ("loop",),
}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "lambda-layers.yml").write_text(MANIFEST)
    (tmp_path / "web.in").write_text(
        "# ours\nApp[more]>=1\nother; python_version > '3'\n-r more.in\n-c bounds.txt\n"
    )
    (tmp_path / "more.in").write_text("below\nbelow<9; sys_platform == 'win32'\n")
    (tmp_path / "bounds.txt").write_text("deep<2\n")
    lines = read_lines(Requirements(files=(tmp_path / "web.in",), location=Location("lambda-layers.yml")))
    hashes = frozenset({f"sha256:{'0' * 64}"})
    pins = tuple(
        Pin(name=name, version="1.0", hashes=hashes, location=Location("web.in"), via=via)
        for name, via in VIA.items()
    )
    lock = Lock(platform=PYTHON313, pins=pins, inputs=inputs_hash(lines, PYTHON313))
    write_lock(tmp_path / f"{TARGET}.txt", lock, made_from=["web.in"])
    return tmp_path


def why(folder, *arguments, code=0):
    result = command.run(["why", *arguments], folder=folder, environment=os.environ)
    assert result.returncode == code, result.stdout + result.stderr
    return (result.stderr if code else result.stdout).splitlines()


def test_all_paths_to_a_package(project):
    assert why(project, TARGET, "deep") == [
        "more.in:1: below",
        "  below 1.0",
        "    deep 1.0 (constraint bounds.txt:1: deep<2)",
        "web.in:2: app[more]>=1",
        "  app 1.0",
        "    below 1.0 (see above)",
        "    deep 1.0 (constraint bounds.txt:1: deep<2)",
        'web.in:3: other ; python_version > "3"',
        "  other 1.0",
        "    below 1.0 (see above)",
    ]


def test_a_direct_requirement(project):
    assert why(project, TARGET, "APP") == ["web.in:2: app[more]>=1", "  app 1.0"]


def test_packages_that_require_each_other(project):
    lines = why(project, TARGET, "round")
    assert lines[:4] == ["more.in:1: below", "  below 1.0", "    loop 1.0", "      round 1.0"]
    assert why(project, TARGET, "loop")[:3] == ["more.in:1: below", "  below 1.0", "    loop 1.0"]


def test_lines_of_the_manifest(project):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("web.in", "[app, other]"))
    inline = tuple((name, Location("lambda-layers.yml", 3)) for name in ("app", "other"))
    lines = read_lines(Requirements(lines=inline, location=Location("lambda-layers.yml")))
    hashes = frozenset({f"sha256:{'0' * 64}"})
    via = ("lambda-layers.yml",)
    pin = Pin(name="app", version="1.0", hashes=hashes, location=Location("lambda-layers.yml"), via=via)
    lock = Lock(platform=PYTHON313, pins=(pin,), inputs=inputs_hash(lines, PYTHON313))
    write_lock(project / f"{TARGET}.txt", lock, made_from=["lambda-layers.yml"])
    assert why(project, TARGET, "app") == ["lambda-layers.yml:3:24: app", "  app 1.0"]


def test_unknown_names(project):
    assert why(project, TARGET, "deap", code=4) == [
        "error: the lock of web-python3.13-x86_64 has no package 'deap'; did you mean 'deep'?"
    ]
    assert why(project, TARGET, "zzz", code=4)[0].endswith(
        "; its packages are: app, below, deep, loop, other, round"
    )
    assert why(project, "web-python3.13-x86", "deep", code=4) == [
        "error: no target web-python3.13-x86; did you mean web-python3.13-x86_64?"
    ]


def test_a_missing_lock(project):
    (project / f"{TARGET}.txt").unlink()
    (line,) = why(project, TARGET, "deep", code=6)
    assert "the layer 'web' has no lock for python3.13-x86_64; run: lambda-layers lock" in line


HASH = f"--hash=sha256:{'0' * 64}"


class TestALockOfAnotherTool:
    @pytest.fixture(autouse=True)
    def manifest(self, project):
        (project / "lambda-layers.yml").write_text(MANIFEST.replace("web.in", "web.in, lock: lock.txt"))

    def test_with_comments(self, project):
        (project / "lock.txt").write_text(
            f"app==1 {HASH}\n    # via my-project\ndeep==2 {HASH}\n    # via app\n"
        )
        (project / "web.in").write_text("# nothing here\n")
        assert why(project, TARGET, "deep") == ["my-project", "  app 1", "    deep 2"]

    def test_without_comments(self, project):
        (project / "lock.txt").write_text(f"app==1 {HASH}\ndeep==2 {HASH}\n")
        assert why(project, TARGET, "deep", code=6) == [
            (
                "error: lock.txt:2: deep==2 has no `# via` comment, so the lock does not say what requires it; "
                "export the lock with `# via` comments, or run: lambda-layers lock"
            )
        ]


def test_it_imports_nothing_heavy():
    code = "import sys, entrypoint.cli, entrypoint.lock.why; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"boto3", "docker", "pip", "piptools", "rich", "unearth", "httpx2", "elftools", "moto"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in result.stdout.split())
