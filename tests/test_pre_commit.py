"""The hooks as people meet them: installed by pre-commit, in a repository of somebody else's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import shared
from package_index import IndexServer, make_wheel, pip_environment

ROOT = Path(__file__).parent.parent
GIT = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
PRE_COMMIT = (sys.executable, "-m", "pre_commit")
MANIFEST = "version: 1\nlayers:\n  web: {requirements: web.in, runtimes: [python3.13]}\n"
LOCK = "web-python3.13-x86_64.txt"
OUR_FILES = (
    "entrypoint",
    "hooks",
    "examples",
    "docs",
    ".pre-commit-hooks.yaml",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
pytestmark = pytest.mark.network


def run(command, folder, environment):
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return result.returncode, result.stdout + result.stderr


def installing(home):
    """The environment in which pre-commit installs hooks; bytecode of what it installs is not needed."""
    return os.environ | GIT | {"PRE_COMMIT_HOME": str(home), "PIP_NO_COMPILE": "1"}


@pytest.fixture(scope="session")
def ours(tmp_path_factory):
    """Our repository at a commit that pre-commit can be pointed at, and a home for what it installs."""

    def commit(folder):
        passed_over = shutil.ignore_patterns("__pycache__", ".lambda-layers")
        for name in OUR_FILES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=passed_over)
            else:
                shutil.copy(source, folder / name)
        for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "ours")):
            subprocess.run(["git", *arguments], cwd=folder, env=os.environ | GIT, check=True)

    home = shared.folder(tmp_path_factory, "pre-commit", lambda _: None)
    return shared.folder(tmp_path_factory, "ours", commit), home


class Theirs:
    """A repository with our hooks installed, beside an index that has what it asks for."""

    def __init__(self, folder, server, ours, home):
        self.folder = folder
        self.server = server
        self.environment = pip_environment(
            folder.parent / "home", PIP_INDEX_URL=server.url, PRE_COMMIT_HOME=str(home), **GIT
        )
        self._source = ours

    def start(self):
        self.git("init", "-q", "-b", "main")
        revision = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=self._source, text=True).strip()
        hooks = "".join(f"      - id: lambda-layers-{name}\n" for name in ("lock", "check", "wheels"))
        config = f"repos:\n  - repo: {self._source}\n    rev: {revision}\n    hooks:\n{hooks}"
        self.write(".pre-commit-config.yaml", config)
        self.write("lambda-layers.yml", MANIFEST)
        for name in ("entrypoint", "hooks", "packaging"):  # what `python -m` would import from here
            self.write(f"{name}/__init__.py", "raise SystemExit('their code was run')\n")

    def write(self, name, text):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def read(self, name):
        return (self.folder / name).read_text("utf-8")

    def git(self, *arguments):
        return run(("git", *arguments), self.folder, self.environment)

    def commit(self, *names):
        """Stage these files and commit; return the exit code and all that was said."""
        self.git("add", *names)
        return self.git("commit", "-m", "work")

    def pins(self, name=LOCK):
        return [line.split(" ")[0] for line in self.read(name).splitlines() if "==" in line]

    def shelve(self, name, version, **details):
        make_wheel(self.server.folder, name, version, **details)


@pytest.fixture(scope="session")
def template(tmp_path_factory, ours):
    """A folder with their repository at its first commit, locks and all, and the index's packages."""
    source, home = ours

    def commit(folder):
        for name in ("shelf", "theirs"):
            (folder / name).mkdir()
        with IndexServer(folder / "shelf") as server:
            theirs = Theirs(folder / "theirs", server, source, home)
            theirs.start()
            theirs.shelve("six", "1.0")
            theirs.write("web.in", "six\n")
            install = (*PRE_COMMIT, "install", "--install-hooks", "-t", "pre-commit", "-t", "pre-push")
            code, said = run(install, theirs.folder, installing(home))
            assert code == 0, said
            code, said = theirs.commit("-A")
            assert code == 1, said
            assert "locks updated; add them to the commit" in said
            assert theirs.pins() == ["six==1.0"]
            code, said = theirs.commit("-A")
            assert code == 0, said

    return shared.folder(tmp_path_factory, "template", commit)


@pytest.fixture
def committed(tmp_path, template, ours):
    """Their repository at its first commit, and an index."""
    for name in ("shelf", "theirs"):
        shutil.copytree(template / name, tmp_path / name, symlinks=True)
    with IndexServer(tmp_path / "shelf") as server:
        yield Theirs(tmp_path / "theirs", server, *ours)


def test_a_change_of_the_inputs_is_locked_and_then_committed(committed):
    committed.shelve("six", "2.0")  # no reason to leave 1.0
    committed.shelve("attrs", "1.0")
    committed.write("web.in", "six\nattrs\n")
    code, said = committed.commit("web.in")
    assert code == 1
    assert "locks updated" in said
    assert "this lock is out of sync" not in said  # by the time it was checked, it was not
    assert committed.pins() == ["attrs==1.0", "six==1.0"]
    assert committed.commit(LOCK)[0] == 0


def test_a_broken_manifest(committed):
    committed.write("lambda-layers.yml", MANIFEST.replace("runtimes", "runtime"))
    code, said = committed.commit("lambda-layers.yml")
    assert code == 1
    assert "lambda-layers.yml:3:31: unknown key 'runtime'; did you mean 'runtimes'?" in said
    assert "Traceback" not in said


def test_what_cannot_be_locked(committed):
    committed.write("web.in", "nobody-has-this\n")
    code, said = committed.commit("web.in")
    assert code == 1
    assert "nobody-has-this" in said
    assert committed.pins() == ["six==1.0"]
    assert "Traceback" not in said


def test_only_what_is_staged_counts(committed):
    committed.write("notes.md", "nothing of ours\n")
    committed.write("web.in", "nobody-has-this\n")  # not staged
    code, said = committed.commit("notes.md")
    assert code == 0, said
    assert "Skipped" in said
    committed.write("lambda-layers.yml", MANIFEST + "regions: [eu-west-1]\n")
    code, said = committed.commit("lambda-layers.yml")
    assert code == 0, said
    assert committed.read("web.in") == "nobody-has-this\n"


def test_inputs_staged_and_their_lock_changed_beside_them(committed):
    """The hook's lock and the change that is not staged would collide: pre-commit keeps the latter."""
    committed.shelve("attrs", "1.0")
    committed.write("web.in", "six\nattrs\n")
    committed.git("add", "web.in")
    committed.write(LOCK, "# in the middle of something\n")
    code, said = committed.git("commit", "-m", "half")
    assert code == 1
    assert "Rolling back fixes" in said
    assert committed.read(LOCK) == "# in the middle of something\n"


def test_several_manifests(committed):
    committed.write("services/mail/lambda-layers.yml", MANIFEST.replace("web", "mail"))
    committed.write("services/mail/mail.in", "six\n")
    code, said = committed.commit("-A")
    assert code == 1
    assert "services/mail/lambda-layers.yml: locks updated" in said
    assert committed.pins("services/mail/mail-python3.13-x86_64.txt") == ["six==1.0"]
    assert committed.commit("-A")[0] == 0
    committed.write("services/mail/mail.in", "six>=1\n")
    committed.git("add", "-A")
    code, said = run((*PRE_COMMIT, "run", "lambda-layers-check"), committed.folder, committed.environment)
    assert code == 1
    assert "services/mail/mail-python3.13-x86_64.txt: this lock is out of sync" in said


def test_a_push_of_what_has_no_wheel(committed):
    run(("git", "init", "-q", "--bare", "remote"), committed.folder.parent, committed.environment)
    committed.git("remote", "add", "origin", str(committed.folder.parent / "remote"))
    code, said = committed.git("push", "-q", "origin", "main")
    assert code == 0, said
    for wheel in committed.server.folder.glob("six-1.0*"):
        wheel.unlink()
    committed.shelve("six", "1.0", tag="cp313-cp313-win_amd64")
    committed.write("web.in", "six  # again\n")
    assert committed.commit("web.in")[0] == 0
    code, said = committed.git("push", "-q", "origin", "main")
    assert code == 1
    assert f"{LOCK}:" in said
    assert "six-1.0-cp313-cp313-win_amd64.whl (is for Windows)" in said


@pytest.mark.nightly
def test_try_repo(committed, ours):
    """Installs everything again; all other tests have the hooks that are installed already."""
    command = (*PRE_COMMIT, "try-repo", str(ours[0]), "--all-files", "--hook-stage", "manual")
    code, said = run(command, committed.folder, installing(ours[1]))
    assert code == 1, said
    assert re.findall(r"^(.+?)\.+(Passed|Failed)$", said, re.MULTILINE) == [
        ("check lambda-layers.yml", "Passed"),
        ("update the locks of lambda-layers.yml", "Passed"),
        ("check the wheels of locked packages", "Failed"),
    ]
    # This one asks the real index, whose six 1.0 is a source alone.
    assert f"{LOCK}:" in said
    assert "six==1.0" in said
