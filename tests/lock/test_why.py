"""`lambda-layers why` as a user meets it: a lock on disk, and no network."""

import subprocess
import sys
from pathlib import Path

import pytest
from layers import PYTHON313

from entrypoint.errors import Location
from entrypoint.index.pin import Pin
from entrypoint.lock.header import inputs_hash
from entrypoint.lock.lock_file import Lock, write_lock
from entrypoint.lock.requirement_lines import read_lines
from entrypoint.manifest.model import Requirements

COMMAND = Path(sys.executable).with_name("lambda-layers")
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
    asked = read_lines(Requirements(files=(tmp_path / "web.in",), location=Location("lambda-layers.yml")))
    hashes = frozenset({f"sha256:{'0' * 64}"})
    pins = tuple(
        Pin(name=name, version="1.0", hashes=hashes, location=Location("web.in"), via=via)
        for name, via in VIA.items()
    )
    lock = Lock(platform=PYTHON313, pins=pins, inputs=inputs_hash(asked, PYTHON313))
    write_lock(tmp_path / f"{TARGET}.txt", lock, made_from=["web.in"])
    return tmp_path


def why(folder, *arguments, code=0):
    command = [COMMAND, "why", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stdout + result.stderr
    return (result.stderr if code else result.stdout).splitlines()


def test_all_the_ways_to_a_package(project):
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


def test_what_is_asked_for_itself(project):
    assert why(project, TARGET, "APP") == ["web.in:2: app[more]>=1", "  app 1.0"]


def test_packages_that_need_each_other(project):
    told = why(project, TARGET, "round")
    assert told[:4] == ["more.in:1: below", "  below 1.0", "    loop 1.0", "      round 1.0"]
    assert why(project, TARGET, "loop")[:3] == ["more.in:1: below", "  below 1.0", "    loop 1.0"]


def test_lines_of_the_manifest(project):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("web.in", "[app, other]"))
    inline = tuple((name, Location("lambda-layers.yml", 3)) for name in ("app", "other"))
    asked = read_lines(Requirements(lines=inline, location=Location("lambda-layers.yml")))
    lock = project / f"{TARGET}.txt"
    header = (
        f"# Made by `lambda-layers lock` for python3.13-x86_64.\n# inputs: {inputs_hash(asked, PYTHON313)}\n"
    )
    lock.write_text(f"{header}app==1.0 \\\n    --hash=sha256:{'0' * 64}\n    # via lambda-layers.yml\n")
    assert why(project, TARGET, "app") == ["lambda-layers.yml:3:24: app", "  app 1.0"]


def test_names_that_there_are_not(project):
    assert why(project, TARGET, "deap", code=4) == [
        "error: the lock of web-python3.13-x86_64 has no package 'deap'; did you mean 'deep'?"
    ]
    assert why(project, TARGET, "zzz", code=4)[0].endswith("; it has app, below, deep, loop, other, round")
    assert why(project, "web-python3.13-x86", "deep", code=4) == [
        "error: no target web-python3.13-x86; did you mean web-python3.13-x86_64?"
    ]


def test_a_lock_that_there_is_not(project):
    (project / f"{TARGET}.txt").unlink()
    (line,) = why(project, TARGET, "deep", code=6)
    assert "the layer 'web' has no lock for python3.13-x86_64; run: lambda-layers lock" in line


class TestALockOfTheUsersOwn:
    @pytest.fixture(autouse=True)
    def manifest(self, project):
        (project / "lambda-layers.yml").write_text(MANIFEST.replace("web.in", "web.in, lock: lock.txt"))

    def test_with_comments(self, project):
        (project / "lock.txt").write_text("app==1\n    # via my-project\ndeep==2\n    # via app\n")
        (project / "web.in").write_text("# nothing here\n")
        assert why(project, TARGET, "deep") == ["my-project", "  app 1", "    deep 2"]

    def test_without_comments(self, project):
        (project / "lock.txt").write_text("app==1\ndeep==2\n")
        assert why(project, TARGET, "deep", code=6) == [
            (
                "error: lock.txt:2: there is no `# via` comment at deep==2, so the lock does not say who needs it; "
                "export it with such comments, or run: lambda-layers lock"
            )
        ]


def test_it_imports_nothing_heavy():
    code = "import sys, entrypoint.cli, entrypoint.lock.why; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    heavy = {"boto3", "docker", "pip", "piptools", "rich", "unearth", "httpx2", "elftools", "moto"}
    assert heavy.isdisjoint(name.partition(".")[0] for name in result.stdout.split())
