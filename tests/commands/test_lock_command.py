"""`lambda-layers lock` as a user meets it: real pip-tools and uv, an index of its own, files on disk."""

import os
import subprocess
import sys
from pathlib import Path

import command
import pytest
from package_index import IndexServer, make_sdist, make_wheel, pip_environment

COMMAND = Path(sys.executable).with_name("lambda-layers")
MANIFEST = "version: 1\nlayers:\n  web: {requirements: web.in, runtimes: [python3.13]}\n"
LOCK = "web-python3.13-x86_64.txt"


class Project:
    """A folder with a manifest, and a shelf of packages that an index offers."""

    def __init__(self, folder, server, engine):
        self.folder = folder
        self.server = server
        self.engine = engine
        self.environment = pip_environment(folder.parent / "home", PIP_INDEX_URL=server.url)
        self.environment["PATH"] = os.pathsep.join([str(COMMAND.parent), self.environment["PATH"]])

    def wheel(self, name, *versions, **details):
        for version in versions:
            make_wheel(self.server.folder, name, version, **details)

    def sdist(self, name, version, **details):
        return make_sdist(self.server.folder, name, version, **details)

    def write(self, name, text):
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def lock(self, *arguments, asked=None, code=0):
        """Run `lambda-layers lock`; return what it said."""
        if asked is not None:
            self.write("web.in", asked)
        result = command.run(
            ["lock", "--engine", self.engine, *arguments], folder=self.folder, environment=self.environment
        )
        said = result.stdout + result.stderr
        assert result.returncode == code, said
        assert "Traceback" not in said
        return said

    def text(self, name=LOCK):
        return (self.folder / name).read_text("utf-8")

    def pins(self, name=LOCK):
        lines = (line for line in self.text(name).splitlines() if line[:1] != "#")
        return [line.split(" ")[0] for line in lines if "==" in line]

    def files(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture(params=["pip-compile", "uv"])
def project(tmp_path, request):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "project").mkdir()
    with IndexServer(tmp_path / "shelf") as server:
        project = Project(tmp_path / "project", server, request.param)
        project.write("lambda-layers.yml", MANIFEST)
        yield project


class TestCheck:
    def test_a_lock_that_would_not_change(self, project):
        project.wheel("app", "1.0", requires=("below",))
        project.wheel("below", "1.0")
        project.lock(asked="app\n")
        project.wheel("below", "2.0")  # no reason to leave 1.0
        before = project.files()
        assert "1 lock is up to date" in project.lock("--check")
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
                f"error: {LOCK}: the lock of web-python3.13-x86_64 would change: {changed}, old 1.0 removed; "
                "run: lambda-layers lock"
            ),
            (
                f"error: web-python3.13-arm64.txt: the lock of web-python3.13-arm64 would change: {changed}, "
                "new 3.0 added, old 1.0 removed; run: lambda-layers lock"
            ),
        ]
        assert project.files() == before

    def test_other_hashes_or_nothing_but_comments(self, project):
        project.wheel("app", "1.0")
        project.wheel("other", "1.0")
        project.lock(asked="app\nother\n")
        project.sdist("app", "1.0")
        assert "would change: app==1.0 has different hashes; run:" in project.lock("--check", code=6)
        project.lock()
        assert "would change: only its comments; run:" in project.lock(
            "--check", asked="app>=1\nother\n", code=6
        )

    def test_a_package_that_is_compiled_from_now_on(self, project):
        project.wheel("app", "1.0")
        project.sdist("app", "1.0")
        project.lock(asked="app\n")
        said = project.lock("--check", asked="--no-binary app\napp\n", code=6)
        assert "would change: app==1.0 is now built from source; run:" in said

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
        assert broken.startswith(f"error: {LOCK}:1: invalid requirement `<<<<<<< ours`")
        assert "web-python3.13-arm64.txt" not in project.files()


class TestALockMadeAgain:
    @pytest.fixture
    def project(self, project):
        """one and two need common, alone needs nothing; of all there is something newer than what is locked."""
        project.wheel("one", "1.0", requires=("common",))
        project.wheel("two", "1.0", requires=("common",))
        project.wheel("common", "1.0")
        project.wheel("alone", "1.0")
        project.lock(asked="one\ntwo\nalone\n")
        project.wheel("one", "2.0", requires=("common>=2",))
        project.wheel("two", "1.1", "1.2", requires=("common",))
        project.wheel("common", "2.0", "3.0")
        project.wheel("alone", "2.0")
        return project

    def test_keeps_every_byte_while_its_pins_satisfy(self, project):
        before = project.text()
        project.lock()
        project.lock(asked="# the same\none>=1\ntwo\nalone\n")
        project.lock(asked="one\ntwo\nalone\n")
        assert project.text() == before
        assert project.pins() == ["alone==1.0", "common==1.0", "one==1.0", "two==1.0"]

    def test_moves_what_no_longer_satisfies_and_nothing_else(self, project):
        project.lock(asked="one\ntwo>1,<1.2\nalone\n")
        assert project.pins() == ["alone==1.0", "common==1.0", "one==1.0", "two==1.1"]

    def test_upgrades_one_package_and_what_it_needs(self, project):
        project.lock("--upgrade-package", "two")
        assert project.pins() == ["alone==1.0", "common==1.0", "one==1.0", "two==1.2"]
        project.lock("--upgrade-package", "one")
        assert project.pins() == ["alone==1.0", "common==3.0", "one==2.0", "two==1.2"]

    def test_upgrades_several_packages_or_all(self, project):
        project.lock("--upgrade-package", "two", "--upgrade-package", "Alone")
        assert project.pins() == ["alone==2.0", "common==1.0", "one==1.0", "two==1.2"]
        project.lock("--upgrade")
        assert project.pins() == ["alone==2.0", "common==3.0", "one==2.0", "two==1.2"]

    def test_upgrades_to_a_version_that_is_named(self, project):
        project.lock("--upgrade-package", "two==1.1")
        assert project.pins() == ["alone==1.0", "common==1.0", "one==1.0", "two==1.1"]

    def test_a_package_to_upgrade_that_there_is_not(self, project):
        before = project.text()
        said = project.lock("--upgrade-package", "tow")
        assert "warning: no lock has the package tow; --upgrade-package has no effect for it" in said
        said = project.lock("--upgrade-package", "two or three", code=4)
        assert "error: --upgrade-package 'two or three' is not a package; write NAME or NAME==VERSION" in said
        assert project.text() == before

    def test_changes_only_the_lines_of_a_requirement_that_is_added(self, project):
        before = project.text().splitlines()
        project.wheel("new", "1.0", requires=("common", "newer"))
        project.wheel("newer", "1.0")
        project.lock(asked="one\ntwo\nnew\nalone\n")
        after = project.text().splitlines()
        assert [line for line in before if line not in after] == before[2:4]
        assert [line.partition(": ")[0] for line in before[2:4]] == ["# inputs", "# digest"]
        added = [line for line in after if line not in before and "sha256" not in line]
        assert added == ["    #   new", "new==1.0 \\", "newer==1.0 \\", "    # via new"]

    def test_drops_the_lines_of_a_requirement_that_is_removed(self, project):
        project.lock(asked="alone\n")
        assert project.pins() == ["alone==1.0"]

    def test_each_target_keeps_its_own(self, project):
        project.write("lambda-layers.yml", MANIFEST.replace("}", ", architectures: [x86_64, arm64]}"))
        project.lock()
        assert project.pins() == ["alone==1.0", "common==1.0", "one==1.0", "two==1.0"]
        assert project.pins("web-python3.13-arm64.txt") == [
            "alone==2.0",
            "common==3.0",
            "one==2.0",
            "two==1.2",
        ]


class TestWhatRequirementsFilesMaySay:
    def test_locks_one_target_alone(self, project):
        project.write("lambda-layers.yml", MANIFEST.replace("[python3.13]", "[python3.12, python3.13]"))
        project.wheel("app", "1.0")
        project.lock("--target", "web-python3.13-x86_64", asked="app\n")
        assert [name for name in project.files() if name.startswith("web-")] == [LOCK]
        assert "no target web; choose from" in project.lock("--target", "web", code=4)

    def test_notes_are_those_of_pip_compile(self, project):
        """Beside pip-compile itself, run here: no marker and no tag is in play."""
        project.wheel("app", "1.0", requires=("Below_Name", "deep"), extras=("more",))
        project.wheel(
            "app", "2.0", requires=("Below_Name", "deep", "extra; extra == 'more'"), extras=("more",)
        )
        project.wheel("Below_Name", "1.0", requires=("deep",))
        project.wheel("deep", "1.0", "2.0")
        project.wheel("extra", "1.0")
        project.write("more.in", "deep\n")
        project.write("bounds.txt", "deep<2\n")
        project.lock(asked="app[more]\n-r more.in\n-c bounds.txt\n")
        command = [
            sys.executable,
            "-I",
            "-m",
            "piptools",
            "compile",
            "--quiet",
            "--strip-extras",
            "--allow-unsafe",
        ]
        options = [
            "--no-header",
            "--no-emit-index-url",
            "--generate-hashes",
            "--output-file=theirs.txt",
            "web.in",
        ]
        subprocess.run([*command, *options], cwd=project.folder, env=project.environment, check=True)
        ours = [line for line in project.text().splitlines() if not line.startswith("#")]
        assert ours == project.text("theirs.txt").splitlines()

    def test_constraints(self, project):
        project.wheel("app", "1.0", "2.0", requires=("below",))
        project.wheel("below", "1.0", "2.0")
        project.write("bounds/more.txt", "below<2\n")
        project.write("bounds.txt", "-c bounds/more.txt\napp<2\nnot-asked-for==7\n")
        project.lock(asked="app\n-c bounds.txt\n")
        assert project.pins() == ["app==1.0", "below==1.0"]

    def test_extras(self, project):
        needs = ("below[fast]; extra == 'more'", "never; extra == 'less'")
        project.wheel("app", "1.0", requires=needs, extras=("more", "less"))
        project.wheel("below", "1.0", requires=("quick; extra == 'fast'",), extras=("fast",))
        project.wheel("quick", "1.0")
        project.lock(asked="app[more]\n")
        assert project.pins() == ["app==1.0", "below==1.0", "quick==1.0"]

    def test_prereleases(self, project):
        project.wheel("app", "1.0", "2.0rc1")
        project.wheel("only", "1.0b1")
        project.lock(asked="app\nonly\n")
        assert project.pins() == ["app==1.0", "only==1.0b1"]
        project.lock("--upgrade", asked="--pre\napp\nonly\n")
        assert project.pins() == ["app==2.0rc1", "only==1.0b1"]

    def test_a_prerelease_that_a_package_asks_for(self, project):
        project.wheel("app", "1.0", requires=("below>=1.0rc1",))
        project.wheel("below", "0.9", "1.0rc1")
        project.lock(asked="app\n")
        assert project.pins() == ["app==1.0", "below==1.0rc1"]
        project.wheel("below", "1.0", "2.0rc1")
        project.lock("--upgrade")
        newest = {"pip-compile": "2.0rc1", "uv": "1.0"}[project.engine]
        assert project.pins() == ["app==1.0", f"below=={newest}"]

    def test_sources_of_one_package_or_of_none(self, project):
        for name in ("app", "other"):
            project.wheel(name, "1.0")
            project.sdist(name, "1.0")
        project.sdist("other", "2.0")
        project.lock(asked="--no-binary app\napp\nother\n")
        assert "# from source: app\n" in project.text()
        assert project.pins() == ["app==1.0", "other==1.0"]
        said = project.lock(asked="--only-binary other\napp\nother>1\n", code=6)
        assert "web.in:3: other 2.0 has no wheels, only a source distribution" in said

    def test_indexes_and_folders_of_wheels(self, project, tmp_path):
        make_wheel(tmp_path / "second", "private", "1.0")
        make_wheel(project.folder / "wheels", "local", "1.0")
        project.wheel("app", "1.0", requires=("private", "local"))
        with IndexServer(tmp_path / "second", credentials="user:s3cret") as second:
            project.write("netrc", "machine 127.0.0.1 login user password s3cret\n")
            project.environment["NETRC"] = str(project.folder / "netrc")
            text = f"--extra-index-url {second.url}\n--find-links wheels\napp\n"
            project.lock(asked=text)
            assert project.pins() == ["app==1.0", "local==1.0", "private==1.0"]
            assert "s3cret" not in project.text()
            project.write("netrc", "machine 127.0.0.1 login user password wr0ng\n")
            said = project.lock("--upgrade", code=7)
        assert said.startswith(f"error: {second.url}app/ returned 401 (unauthorized)")
        assert "wr0ng" not in said
        del project.environment["PIP_INDEX_URL"]
        project.lock(asked="--no-index\n-f wheels\nlocal\n")
        assert project.pins() == ["local==1.0"]
