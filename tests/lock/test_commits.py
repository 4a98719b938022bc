"""Requirements that are commits of git repositories: fetched, and locked with the hash of their files."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import command
import pytest
from git_server import GitServer, commit_all, git
from package_index import IndexServer, make_wheel, pip_environment

from entrypoint.errors import FetchError, Location, ManifestError
from entrypoint.index import git_repository
from entrypoint.index.git_repository import archive_of_commit
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.index.sources import git_commit
from entrypoint.lock.lock_file import Lock
from entrypoint.lock.requirements import read_requirements
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.wheels.fetch import fetch

MANIFEST = "version: 1\nlayers:\n  web: {requirements: [web.in], runtimes: [python3.13]}\n"
PROJECT = """\
[project]
name = "tool"
version = "1.0"
dependencies = ["base"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "git" / "tool" / "python").mkdir(parents=True)
    (tmp_path / "git" / "tool" / "python" / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "git" / "tool" / "python" / "tool.py").write_text("x = 1\n")
    with GitServer(tmp_path / "git") as server:
        yield server


@pytest.fixture
def repository(server):
    return server.folder / "tool"


def commit_of(server, sha, subdirectory="python"):
    return git_commit("tool", f"git+{server.url}/tool@{sha}#subdirectory={subdirectory}")


@pytest.fixture
def run(tmp_path, server):
    """Strangers have a newer package of that name."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    make_wheel(tmp_path / "index", "tool", "99.0")
    make_wheel(tmp_path / "index", "base", "1.0")
    with IndexServer(tmp_path / "index") as index:
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])

        def run(*words):
            done = command.run(words, folder=folder, environment=environment)
            assert not [path for path in index.requests if "tool" in path]
            return done

        yield run


@pytest.mark.parametrize("engine", ["pip-compile", "uv"])
def test_a_lock(tmp_path, run, server, repository, engine):
    sha = commit_all(repository)
    url = str(commit_of(server, sha))
    (tmp_path / "project" / "web.in").write_text(f"tool @ {url}\n")
    done = run("lock", "--engine", engine)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "project" / "web-python3.13-x86_64.txt").read_text()
    assert "# from source: tool\n# build requirements of tool==1.0: none\nbase==1.0" in text
    assert f"tool==1.0 \\\n    --hash=sha256:{archive_of_commit(commit_of(server, sha)).sha256}" in text
    git(repository, "commit", "-q", "--allow-empty", "-m", "later")
    other = "uv" if engine == "pip-compile" else "pip-compile"
    assert run("lock", "--check", "--engine", other).returncode == 0
    server.requests.clear()
    assert run("check").returncode == 0
    assert server.requests == []
    (tmp_path / "project" / "web.in").write_text(f"tool @ {url.replace(sha, 'a' * 40)}\n")
    assert "out of sync" in run("check").stderr
    assert "cannot be fetched: " in run("lock").stderr


def test_other_files_than_those_of_the_lock(server, repository, tmp_path):
    source = commit_of(server, commit_all(repository))
    platform = Platform(RUNTIMES["python3.13"], Architecture.X86_64)
    options = IndexOptions(direct=(source,))

    def fetched(sha256):
        place = Location("web.txt")
        pin = Pin(name="tool", version="1.0", hashes=frozenset({sha256}), from_source=True, location=place)
        lock = Lock(platform=platform, pins=(pin,), options=options, inputs="these")
        with PackageIndex(options, environment={}) as index:
            return fetch(lock, platform, index=index, cache=tmp_path / "cache")

    (sdist,) = fetched(f"sha256:{archive_of_commit(source).sha256}")
    assert sdist.path.read_bytes() == archive_of_commit(source).content
    with pytest.raises(
        FetchError, match=r"tool-1\.0\.tar\.gz, the source of tool==1\.0, does not match the lock"
    ):
        fetched(f"sha256:{'0' * 64}")


def test_what_a_commit_is_made_of(server, repository):
    (repository / "python" / "run").write_text("#!/bin/sh\n")
    (repository / "python" / "run").chmod(0o755)
    (repository / "python" / "link").symlink_to("tool.py")
    (repository / ".gitattributes").write_text("tool.py export-ignore\n")
    first = archive_of_commit(commit_of(server, commit_all(repository)))
    shutil.unpack_archive(written(repository, first), repository.parent / "unpacked")
    top = repository.parent / "unpacked" / "tool-1.0"
    assert sorted(path.name for path in top.iterdir()) == ["link", "pyproject.toml", "run", "tool.py"]
    assert (top / "link").readlink() == Path("tool.py")
    assert os.access(top / "run", os.X_OK)
    (repository / "other").write_text("not in the subdirectory")
    assert archive_of_commit(commit_of(server, commit_all(repository))).sha256 == first.sha256
    (repository / "python" / "tool.py").write_text("x = 2\n")
    assert archive_of_commit(commit_of(server, commit_all(repository))).sha256 != first.sha256


def written(repository, archive):
    path = repository.parent / archive.project.filename
    path.write_bytes(archive.content)
    return path


def test_no_program_of_the_repository_or_its_settings_runs(server, repository, tmp_path, monkeypatch):
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (hooks / name).chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f'[init]\ntemplateDir = {hooks.parent}\n[filter "evil"]\n'
        f"smudge = touch {tmp_path}/ran\nrequired = true\n"
    )
    (repository / ".gitattributes").write_text("* filter=evil\n")
    sha = commit_all(repository)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    archive_of_commit(commit_of(server, sha))
    assert not (tmp_path / "ran").exists()


def test_it_never_asks_for_credentials(server, repository):
    sha = commit_all(repository)
    server.needs_credentials = True
    with pytest.raises(
        FetchError, match=r"tool@\w+#subdirectory=python cannot be fetched: .*terminal prompts"
    ):
        archive_of_commit(commit_of(server, sha))


def test_no_program_and_no_variable_gives_credentials_to_any_server(
    server, repository, tmp_path, monkeypatch
):
    """As the GIT_ASKPASS of Jenkins and Visual Studio Code, and `http.extraHeader` in other pipelines, do."""
    sha = commit_all(repository)
    server.needs_credentials = True
    program = tmp_path / "askpass"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\necho secret\n")
    program.chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(program))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.extraHeader")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Authorization: bearer secret")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.extraHeader=Authorization: bearer secret'")
    with pytest.raises(FetchError, match="cannot be fetched"):
        archive_of_commit(commit_of(server, sha))
    assert set(server.authorizations) == {None}
    assert not (tmp_path / "ran").exists()


def test_no_message_of_git_shows_credentials(server, repository, tmp_path, monkeypatch):
    """Those of `insteadOf`, which git prints after some redirects, and of the redirect."""
    server.redirect = "/elsewhere"
    settings = tmp_path / "gitconfig"
    address = server.url.replace("//", "//user:secret@")
    settings.write_text(f'[url "{address}/"]\ninsteadOf = {server.url}/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with pytest.raises(FetchError, match="unable to update url base from redirection") as caught:
        archive_of_commit(commit_of(server, commit_all(repository)))
    assert "secret" not in str(caught.value)


def test_a_server_that_sends_too_much_or_nothing(server, repository, monkeypatch):
    (repository / "large").write_bytes(random.Random(1).randbytes(100_000))
    source = commit_of(server, commit_all(repository))
    with monkeypatch.context() as limits:
        limits.setattr(git_repository, "SDIST_BYTES", 50_000)
        with pytest.raises(FetchError, match="cannot be locked: the server sends more than 50,000 bytes"):
            archive_of_commit(source)
        limits.setattr(git_repository, "_SECONDS", 0.3)
        server.stalls.set()
        with pytest.raises(FetchError, match="cannot be locked: the server takes more than 0 seconds"):
            archive_of_commit(source)
    # Neither git nor its children are left.
    assert subprocess.run(["pgrep", "-f", server.url], check=False, capture_output=True).stdout == b""
    server.stalls.clear()
    archive_of_commit(source)


def test_a_file_that_is_small_only_while_it_is_sent(server, repository, monkeypatch):
    (repository / "large").write_bytes(b"\0" * 8_000_000)
    monkeypatch.setattr(git_repository, "_MEMORY", 4_000_000)
    with pytest.raises(
        FetchError, match="cannot be fetched: fatal: attempting to allocate 8000001 over limit"
    ):
        archive_of_commit(commit_of(server, commit_all(repository)))


def test_a_commit_whose_folders_are_the_same_one_many_times(server, repository, monkeypatch):
    """Ten levels of them are 10,000,000,000 files in 20 kB."""
    commit_all(repository)
    monkeypatch.setattr(git_repository, "RECORD_BYTES", 100_000)

    def tree(*lines):
        return git(repository, "mktree", given="".join(f"{line}\n" for line in lines))

    top = tree(f"100644 blob {git(repository, 'rev-parse', 'HEAD:python/tool.py')}\ttool.py")
    for _ in range(4):
        top = tree(*(f"040000 tree {top}\t{number}" for number in range(10)))
    sha = git(repository, "commit-tree", "-m", "bomb", top)
    git(repository, "update-ref", "refs/heads/bomb", sha)
    with pytest.raises(FetchError, match="cannot be locked: git lists more than 100,000 bytes of it"):
        archive_of_commit(commit_of(server, sha, ""))


NAMES = {
    "pyproject.toml": "pyproject.toml is there twice",
    "./pyproject.toml": "./pyproject.toml is not a path in the repository",
    "/pyproject.toml": "/pyproject.toml is not a path in the repository",
    "../pyproject.toml": "../pyproject.toml is not a path in the repository",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_tree_that_git_would_not_write(server, repository, name):
    """Metadata would be read from one file, and the build would get the other."""
    commit_all(repository)
    blobs = [git(repository, "hash-object", "-w", "--stdin", given=PROJECT + more) for more in ("", "\n")]
    entries = zip((name, "pyproject.toml"), blobs, strict=True)
    raw = b"".join(f"100644 {each}".encode() + b"\0" + bytes.fromhex(blob) for each, blob in entries)
    (repository.parent / "tree").write_bytes(raw)
    made = ("-t", "tree", "-w", "--literally", str(repository.parent / "tree"))
    sha = git(repository, "commit-tree", "-m", "x", git(repository, "hash-object", *made))
    git(repository, "update-ref", "refs/heads/x", sha)
    with pytest.raises(FetchError, match=f"cannot be locked: {NAMES[name]}"):
        archive_of_commit(commit_of(server, sha, ""))


def _edit(old, new):
    def change(repository):
        file = repository / "python" / "pyproject.toml"
        file.write_text(file.read_text().replace(old, new))

    return change


def _submodule(repository):
    sha = commit_all(repository)
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{sha},python/below")


def _lfs(repository):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n"
    (repository / "python" / "model.bin").write_text(text)


def _workspace(repository):
    text = '[tool.uv.workspace]\nmembers = ["py*"]\n[tool.uv.sources]\nbase = {workspace = true}\n'
    (repository / "pyproject.toml").write_text(text)


def _link(repository):
    (repository / "python" / "pyproject.toml").rename(repository / "python" / "other.toml")
    (repository / "python" / "pyproject.toml").symlink_to("other.toml")


REFUSED = {
    "version": (
        _edit('version = "1.0"', 'dynamic = ["version"]'),
        "version is dynamic, and only found out by",
    ),
    "name": (_edit('"tool"', '"other"'), "it has the package other, not tool"),
    "url": (_edit('"base"', '"base @ https://example.org/base-1.zip"'), "it requires base by a URL"),
    "sources": (
        _edit("[build", "[tool.uv.sources]\nbase = {path = '../b'}\n[build"),
        "base comes from a path, and would be looked up in a package index",
    ),
    "build": (
        _edit(
            "[build-system]\nrequires = []",
            "[tool.uv.sources]\nback = {path = '../b'}\n[build-system]\nrequires = ['back']",
        ),
        "back comes from a path, and would be looked up in a package index",
    ),
    "poetry": (
        _edit("[build", "[tool.poetry.dependencies]\nbase = {git = 'https://example.org/b'}\n[build"),
        "base comes from a git, and would be looked up in a package index",
    ),
    "workspace": (_workspace, "base comes from a workspace, and would be looked up in a package index"),
    "toml": (_edit("[project]", "[project"), "cannot be locked"),
    "submodule": (_submodule, "below is a submodule, which is not fetched"),
    "lfs": (_lfs, "model.bin is a file of Git LFS, which is not fetched"),
    "link": (_link, r"it has no pyproject\.toml"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_a_commit_that_cannot_be_locked(server, repository, change, message):
    change(repository)
    if change is _submodule:
        git(repository, "commit", "-q", "-m", "submodule")
    sha = git(repository, "rev-parse", "HEAD") if change is _submodule else commit_all(repository)
    with pytest.raises(FetchError, match=message) as caught:
        archive_of_commit(commit_of(server, sha))
    assert f"/tool@{sha}#subdirectory=python" in str(caught.value)
    with pytest.raises(FetchError, match="cannot be fetched: fatal: Not a valid object name"):
        archive_of_commit(commit_of(server, sha, "missing"))


INDEX = '[[tool.uv.index]]\nname = "x"\nurl = "https://u:secret@example.org/simple"\n'
INDEXES = {
    "not configured": (
        INDEX,
        "web.in:1: this project uses the index https://example.org/simple, which is not",
    ),
    "of a package": (
        INDEX + "explicit = true\n[tool.uv.sources]\nbase = {index = 'x'}\n",
        "web.in:1: base comes from https://example.org/simple, and would be looked up in http://127.0.0.1",
    ),
}


@pytest.mark.parametrize(("text", "message"), INDEXES.values(), ids=INDEXES)
def test_a_commit_with_an_index_of_its_own(tmp_path, run, server, repository, text, message):
    with (repository / "python" / "pyproject.toml").open("a") as file:
        file.write(text)
    (tmp_path / "project" / "web.in").write_text(f"tool @ {commit_of(server, commit_all(repository))}\n")
    done = run("lock")
    assert message in done.stderr
    assert "secret" not in done.stderr


SHA = "0123456789abcdef0123456789abcdef01234567"
WRONG = {
    "https://example.org/tool@v1": "does not name a commit with @ and its 40 hexadecimal digits",
    "https://example.org/tool": "to find the commit, run: git ls-remote https://example.org/tool",
    f"https://example.org/tool@{SHA[:12]}": "does not name a commit",
    f"http://example.org/tool@{SHA}": "is not a git+https URL",
    f"ssh://git@example.org/tool@{SHA}": "is not a git+https URL",
    f"file:///tool@{SHA}": "is not a git+https URL",
    f"https://user:secret@example.org/tool@{SHA}": "belong in netrc or git's credential helper",
    f"https://example.org/tool?token=secret@{SHA}": "does not name a commit",
    f"https://example.org/tool@{SHA}?token=secret": "has other parts than #subdirectory=",
    f"https://example.org/tool@{SHA}#subdirectory=../x": "is not a folder of the repository",
    f"https://example.org/tool@{SHA}#subdirectory=/x": "is not a folder of the repository",
    f"https://example.org/tool@{SHA}#sha256=aa": "has other parts than #subdirectory=",
}


@pytest.mark.parametrize("url", WRONG)
def test_a_url_that_could_move(tmp_path, url):
    (tmp_path / "web.in").write_text(f"tool @ git+{url}\n")
    inputs = Requirements(Location("lambda-layers.yml"), files=(tmp_path / "web.in",))
    with pytest.raises(ManifestError) as caught:
        read_requirements(inputs, root=tmp_path)
    (problem,) = map(str, caught.value.problems)
    assert problem.startswith("web.in:1: git+")
    assert WRONG[url] in problem
    assert "write it as `name @ git+https://HOST/PATH@COMMIT`" in problem
    assert "secret" not in problem


def test_no_command_of_a_shell_is_shown_to_be_copied(tmp_path):
    (tmp_path / "web.in").write_text("tool @ git+https://example.org/tool;id@main\n")
    inputs = Requirements(Location("lambda-layers.yml"), files=(tmp_path / "web.in",))
    with pytest.raises(ManifestError, match="does not name a commit") as caught:
        read_requirements(inputs, root=tmp_path)
    assert "ls-remote" not in str(caught.value)


UV = '[project]\ndependencies = ["tool[x]>=1"]\n[tool.{0}]\ntool = {{ git = "https://example.org/tool", rev = "{1}" }}\n'


@pytest.mark.parametrize("table", ["uv.sources", "poetry.dependencies"])
def test_projects_that_take_a_package_from_a_commit(tmp_path, table):
    file = tmp_path / "pyproject.toml"
    inputs = Requirements(Location("lambda-layers.yml"), files=(file,))
    file.write_text(UV.format(table, SHA))
    found = read_requirements(inputs, root=tmp_path)
    assert [str(line) for line in found.requirements] == ["tool[x]>=1"]
    assert list(map(str, found.options.direct)) == [f"git+https://example.org/tool@{SHA}"]
    file.write_text(UV.format(table, "main"))
    with pytest.raises(
        ManifestError, match=r"pyproject\.toml:4: git\+https://example.org/tool@main does not name"
    ):
        read_requirements(inputs, root=tmp_path)
