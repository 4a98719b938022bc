"""`lambda-layers lock` as a user meets it: real pip-tools, an index of one's own, files on disk."""

import subprocess
import sys
from pathlib import Path

import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment

COMMAND = Path(sys.executable).with_name("lambda-layers")
MANIFEST = "version: 1\nlayers:\n  web: {requirements: web.in, runtimes: [python3.13]}\n"
LOCK = "web-python3.13-x86_64.txt"


class Project:
    """A folder with a manifest, and a shelf of packages that an index offers."""

    def __init__(self, folder, server):
        self.folder = folder
        self.server = server
        self.environment = pip_environment(folder.parent / "home", PIP_INDEX_URL=server.url)

    def wheel(self, name, *versions, **details):
        for version in versions:
            make_wheel(self.server.folder, name, version, **details)

    def sdist(self, name, version, **details):
        return make_sdist(self.server.folder, name, version, **details)

    def write(self, name, text):
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def run(self, *arguments):
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def lock(self, *arguments, asked=None, code=0):
        """Run `lambda-layers lock`; return what it said."""
        if asked is not None:
            self.write("web.in", asked)
        result = self.run("lock", *arguments)
        said = result.stdout + result.stderr
        assert result.returncode == code, said
        assert "Traceback" not in said
        return said

    def text(self, name=LOCK):
        return (self.folder / name).read_text("utf-8")

    def pins(self, name=LOCK):
        return [line.split(" ")[0] for line in self.text(name).splitlines() if "==" in line]

    def files(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "project").mkdir()
    with IndexServer(tmp_path / "shelf") as server:
        project = Project(tmp_path / "project", server)
        project.write("lambda-layers.yml", MANIFEST)
        yield project


class TestCheck:
    def test_a_lock_that_would_not_change(self, project):
        project.wheel("app", "1.0", requires=("below",))
        project.wheel("below", "1.0")
        project.lock(asked="app\n")
        project.wheel("below", "2.0")  # no reason to leave 1.0
        before = project.files()
        assert "1 lock is as it would be made now" in project.lock("--check")
        assert project.files() == before

    def test_every_change_of_every_lock(self, project):
        project.write("lambda-layers.yml", MANIFEST.replace("}", ", architectures: [x86_64, arm64]}"))
        project.wheel("app", "1.0", requires=("old", "moves"))
        project.wheel("old", "1.0")
        project.wheel("moves", "1.0")
        project.lock(asked="app\n")
        project.wheel("app", "1.1", requires=("new; platform_machine == 'aarch64'", "moves>=2"))
        project.wheel("moves", "2.0")
        project.wheel("new", "3.0")
        before = project.files() | {"web.in": b"app>=1.1\n"}
        said = project.lock("--check", asked="app>=1.1\n", code=6)
        changed = "app 1.0 -> 1.1, moves 1.0 -> 2.0"
        assert said.splitlines() == [
            (
                f"error: {LOCK}: this lock of web-python3.13-x86_64 would change: {changed}, old 1.0 removed; "
                "run: lambda-layers lock"
            ),
            (
                f"error: web-python3.13-arm64.txt: this lock of web-python3.13-arm64 would change: {changed}, "
                "new 3.0 added, old 1.0 removed; run: lambda-layers lock"
            ),
        ]
        assert project.files() == before

    def test_other_hashes_or_nothing_but_comments(self, project):
        project.wheel("app", "1.0")
        project.wheel("other", "1.0")
        project.lock(asked="app\nother\n")
        project.sdist("app", "1.0")
        assert "would change: app==1.0 has other hashes; run:" in project.lock("--check", code=6)
        project.lock()
        assert "would change: its comments alone; run:" in project.lock(
            "--check", asked="app>=1\nother\n", code=6
        )

    def test_a_package_that_is_compiled_from_now_on(self, project):
        project.wheel("app", "1.0")
        project.sdist("app", "1.0")
        project.lock(asked="app\n")
        said = project.lock("--check", asked="--no-binary app\napp\n", code=6)
        assert "would change: app==1.0 is to be compiled now; run:" in said

    def test_what_an_upgrade_would_bring(self, project):
        project.wheel("app", "1.0")
        project.lock(asked="app\n")
        project.wheel("app", "2.0")
        assert "would change: app 1.0 -> 2.0;" in project.lock("--check", "--upgrade", code=6)
        project.lock("--check")

    def test_locks_that_are_missing_or_broken(self, project):
        project.write("lambda-layers.yml", MANIFEST.replace("}", ", architectures: [x86_64, arm64]}"))
        project.wheel("app", "1.0")
        project.lock(asked="app\n")
        (project.folder / "web-python3.13-arm64.txt").unlink()
        project.write(LOCK, "<<<<<<< ours\napp==1.0\n")
        missing, broken = sorted(project.lock("--check", code=6).splitlines())
        assert missing.startswith(
            "error: web-python3.13-arm64.txt: there is no lock for python3.13-arm64; run:"
        )
        assert broken.startswith(f"error: {LOCK}:1: `<<<<<<< ours` is not a requirement")
        assert "web-python3.13-arm64.txt" not in project.files()
