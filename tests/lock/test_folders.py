"""Requirements that are folders of the repository: resolved with the rest, and hashed by their content."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import time
import tracemalloc
from pathlib import Path

import command
import pytest
from git_server import commit_all
from package_index import IndexServer, make_wheel, pip_environment

from entrypoint.errors import Location, LockError, ManifestError
from entrypoint.index import source_archive
from entrypoint.index.project_sources import workspace_members
from entrypoint.index.source_archive import archive_of_folder
from entrypoint.index.sources import SourceFolder
from entrypoint.lock.current import current_lock, lock_problems
from entrypoint.lock.local_sources import folder_line
from entrypoint.lock.lock_file import read_pinned
from entrypoint.lock.requirements import read_requirements
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.project import load_project
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

PLATFORM = Platform(RUNTIMES["python3.13"], Architecture.X86_64)
ENGINES = pytest.mark.parametrize("engine", ["pip-compile", "uv"])
COMMON = """\
[project]
name = "Common"
version = "1.50"
dependencies = ["core>=2"]
[project.optional-dependencies]
fast = ["base ; python_version >= '3'"]
[tool.uv.sources]
core = { path = "../core" }
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
CORE = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "core"
version = "2.0"
"""
MANIFEST = "version: 1\nlayers:\n  web: {requirements: [apps/web.in], runtimes: [python3.13]}\n"


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    for name, text in (("common", COMMON), ("core", CORE)):
        (folder / "libs" / name).mkdir(parents=True)
        (folder / "libs" / name / "pyproject.toml").write_text(text)
        (folder / "libs" / name / f"{name}.py").write_text("x = 1\n")
    (folder / ".git").mkdir()
    (folder / "apps").mkdir()
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    (folder / "apps" / "web.in").write_text("-e ../libs/common[fast]\nuser\n")
    return folder


@pytest.fixture
def index(tmp_path):
    """Strangers have newer packages of the names of the folders."""
    for name in ("common", "core"):
        make_wheel(tmp_path / "index", name, "99.0")
    make_wheel(tmp_path / "index", "base", "1.0")
    make_wheel(tmp_path / "index", "user", "1.0", requires=("common>=1",))
    with IndexServer(tmp_path / "index") as server:
        yield server


@pytest.fixture
def run(tmp_path, repository, index):
    def run(*words):
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        return command.run(words, folder=repository, environment=environment)

    return run


def problems_of(repository, text):
    with pytest.raises(ManifestError) as caught:
        read(repository, text)
    return [str(problem) for problem in caught.value.problems]


def read(repository, text, file="apps/web.in"):
    (repository / file).write_text(text)
    roots = (repository.resolve(),)
    inputs = Requirements(Location("lambda-layers.yml"), files=(repository / file,), roots=roots)
    return read_requirements(inputs, root=repository)


def hashes(repository):
    """The hashes of the packages that are folders, as builds and the dependency hash have them."""
    project = load_project(Path("lambda-layers.yml"), root=repository, variables={})
    assert lock_problems(project) == ()
    (target,) = project.targets
    current, as_it_is = (current_lock(project, target, in_sync=in_sync).pins for in_sync in (True, False))
    assert current == as_it_is
    return {pin.name: pin.hashes for pin in current if pin.is_folder}


@ENGINES
def test_a_lock(run, repository, index, engine):
    done = run("lock", "--engine", engine)
    assert done.returncode == 0, done.stderr
    text = (repository / "apps" / "web-python3.13-x86_64.txt").read_text()
    assert (
        "# from source: common, core\n"
        "# folders of this repository:\n"
        "#   common 1.50 via -r apps/web.in, user\n"
        "#   core 2.0 via common\n"
        "# build requirements of common==1.50: none\n"
    ) in text
    assert [line.partition("==")[0] for line in text.split("\n") if "==" in line and line[0] != "#"] == [
        "base",
        "user",
    ]
    assert not [path for path in index.requests if "common" in path or "core" in path]
    assert run("check").returncode == 0
    other = "uv" if engine == "pip-compile" else "pip-compile"
    assert run("lock", "--check", "--engine", other).returncode == 0
    why = run("why", "web-python3.13-x86_64", "core")
    assert why.stdout.startswith("apps/web.in:1: common[fast]\n  common 1.50\n    core 2.0\n"), why.stderr


@ENGINES
def test_no_resolution(run, repository, engine):
    file = repository / "libs" / "common" / "pyproject.toml"
    file.write_text(COMMON.replace("core>=2", "core>=3"))
    done = run("lock", "--engine", engine)
    assert done.returncode == 6
    assert "core>=3" in done.stderr
    assert "source.invalid" not in done.stderr
    file.write_text(COMMON)
    (repository / "apps" / "web.in").write_text("../libs/common\ncommon>=2\n")
    done = run("lock", "--engine", engine)
    assert "apps/web.in:2: no version of common satisfies `common>=2`; require one of 1.50" in done.stderr


def test_what_would_change_is_not_the_content(run, repository):
    assert run("lock").returncode == 0
    (repository / "libs" / "core" / "core.py").write_text("x = 2\n")
    (repository / "libs" / "common" / "pyproject.toml").write_text(COMMON.replace("1.50", "1.51"))
    done = run("lock", "--check")
    assert "would change: common 1.50 -> 1.51; run" in done.stderr


def test_a_revision(run, repository):
    shutil.rmtree(repository / ".git")
    assert run("lock").returncode == 0
    commit_all(repository)
    file = repository / "libs" / "core" / "pyproject.toml"
    file.write_text(file.read_text().replace("2.0", "2.1"))
    assert run("lock").returncode == 0
    done = run("diff", "HEAD")
    assert "upgraded    core  2.0 -> 2.1" in done.stdout
    assert done.stderr == ""


def test_content_is_hashed_and_not_locked(run, repository):
    assert run("lock").returncode == 0
    first = hashes(repository)
    assert first.keys() == {"common", "core"}
    (repository / ".gitignore").write_text("*.log\nbuild/\n")
    (repository / "libs" / "core" / "build").mkdir()
    for name in ("core/build/core.py", "core/debug.log"):
        (repository / "libs" / name).write_text("ignored by git\n")
    (repository / "libs" / "core" / "build" / ".gitignore").write_text("!*\n")  # which git does not read
    assert hashes(repository) == first
    (repository / "libs" / "core" / "core.py").write_text("x = 2\n")
    changed = hashes(repository)
    assert changed["core"] != first["core"]
    assert changed["common"] == first["common"]
    (repository / "libs" / "core" / "core.py").chmod(0o755)
    assert hashes(repository)["core"] not in (first["core"], changed["core"])
    assert run("check").returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.50", "1.51"),
        ("core>=2", "core>=1"),
        ("base ;", "base>=1 ;"),
        ("requires = []", 'requires = ["base"]'),
        ('{ path = "../core" }', "{ index = 'x' }"),
    ],
)
def test_what_a_folder_requires_is_locked(run, repository, old, new):
    assert run("lock").returncode == 0
    file = repository / "libs" / "common" / "pyproject.toml"
    file.write_text(file.read_text().replace(old, new))
    done = run("check")
    assert done.returncode
    assert "this lock is out of sync with apps/web.in" in done.stderr


def test_a_lock_of_another_tool(repository):
    hashed = f"base==1.0 \\\n    --hash=sha256:{'a' * 64}\n    # via user\n"
    (repository / "own.txt").write_text(
        f"{hashed}-e ./libs/common\n    # via web\n./libs/core\n    # via common\n"
    )
    lock = read_pinned(repository / "own.txt", PLATFORM, root=repository)
    assert [(str(pin), pin.is_folder, pin.from_source, pin.via, len(pin.hashes)) for pin in lock.pins] == [
        ("base==1.0", False, False, ("user",), 1),
        ("common==1.50", True, True, (), 1),
        ("core==2.0", True, True, (), 1),
    ]
    sha = "0123456789abcdef0123456789abcdef01234567"
    (repository / "own.txt").write_text(f"tool @ git+https://example.org/tool@{sha}\n")
    with pytest.raises(LockError, match="this lock has no hash of git"):
        read_pinned(repository / "own.txt", PLATFORM, root=repository)


SPELLINGS = [
    "../libs/common[fast]",
    "-e ../libs/common[fast]",
    "--editable=file:../libs/common[fast]",
    "../libs/common/[fast] ; os_name == 'posix'",
    "Common[fast] @ file:../libs/common",
    "common[fast]@file://{root}/libs/common",
    "{root}/libs/common[fast]",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings(repository, text):
    found = read(repository, text.format(root=repository))
    (line,) = found.requirements
    assert (line.name, line.requirement.extras) == ("common", {"fast"})
    assert bool(line.requirement.marker) == ("os_name" in text)
    assert {source.name: source.path.name for source in found.options.direct} == {
        "common": "common",
        "core": "core",
    }


@pytest.mark.parametrize(
    "text", ["a/" + " " * 100_000 + "x", "a @ file:" + " " * 100_000 + ";", "a" * 100_000]
)
def test_a_long_line_takes_little_time(text):
    """1,000 spaces took 6 seconds while the expression could backtrack."""
    start = time.monotonic()
    assert folder_line(text) is None
    assert time.monotonic() - start < 1


PROJECT = '[project]\nname = "web"\nversion = "1"\ndependencies = ["common>=1", "user"]\n'
WORKSPACE = '[tool.uv.workspace]\nmembers = ["libs/*"]\nexclude = ["libs/old"]\n'
PROJECTS = {
    "uv path": '[tool.uv.sources]\ncommon = { path = "libs/common", editable = true }\n',
    "uv workspace": f"[tool.uv.sources]\nCommon = {{ workspace = true }}\n{WORKSPACE}",
    "poetry": '[tool.poetry.dependencies]\ncommon = { path = "libs/common", develop = true }\n',
}


@pytest.mark.parametrize("more", PROJECTS.values(), ids=PROJECTS)
def test_projects_that_take_a_package_from_a_folder(repository, more):
    shutil.copytree(repository / "libs" / "common", repository / "libs" / "old")
    found = read(repository, PROJECT + more, "pyproject.toml")
    assert [str(line) for line in found.requirements] == ["common>=1", "user"]
    assert {source.name: source.path.name for source in found.options.direct} == {
        "common": "common",
        "core": "core",
    }


def test_members_of_a_workspace_that_require_each_other(repository):
    text = COMMON.replace('{ path = "../core" }', "{ workspace = true }")
    (repository / "libs" / "common" / "pyproject.toml").write_text(text)
    core = CORE + 'dependencies = ["common"]\n[tool.uv.sources]\ncommon = { workspace = true }\n'
    (repository / "libs" / "core" / "pyproject.toml").write_text(core)
    (repository / "pyproject.toml").write_text(WORKSPACE)
    found = read(repository, "../libs/core\n")
    assert found.options.built == {"common", "core"}
    (repository / "pyproject.toml").write_text("")
    (problem, *_) = problems_of(repository, "../libs/core\n")
    assert problem.startswith(
        "libs/core/pyproject.toml:10: common comes from a workspace, and would be looked up"
    )
    assert "add the folder of the package" in problem


@pytest.mark.parametrize("above", [False, True])
def test_a_build_requirement_that_comes_from_a_folder(repository, above):
    """Strangers may have a package of that name in the index, and builds run its code."""
    text = COMMON.replace("requires = []", 'requires = ["core"]').replace('"core>=2"', "")
    if above:
        text = text.replace('core = { path = "../core" }', "")
        (repository / "pyproject.toml").write_text(
            f"{WORKSPACE}[tool.uv.sources]\ncore = {{ workspace = true }}\n"
        )
    (repository / "libs" / "common" / "pyproject.toml").write_text(text)
    (problem,) = problems_of(repository, "../libs/common\n")
    kind, place = ("workspace", "") if above else ("path", "libs/common/")
    assert problem.startswith(f"{place}pyproject.toml:")
    assert f"core comes from a {kind}, and would be looked up in a package index" in problem
    assert read(repository, "../libs/common\n../libs/core\n").options.built == {"common", "core"}


def test_members_of_a_workspace_are_searched_in_the_repository_only(repository, tmp_path):
    (tmp_path / "outside" / "core").mkdir(parents=True)
    (tmp_path / "outside" / "core" / "pyproject.toml").write_text(CORE)
    (repository / "libs" / "link").symlink_to(tmp_path / "outside")
    table = {
        "tool": {"uv": {"workspace": {"members": ["libs/*", "**/core", "../**", "/etc", "libs/link/*"]}}}
    }
    found = {path.relative_to(repository).as_posix() for path in workspace_members(table, repository)}
    assert found == {"libs/common", "libs/core"}


def test_paths_in_the_manifest_are_relative_to_it(repository):
    text = MANIFEST.replace("apps/web.in", "../libs/common, --find-links wheels")
    (repository / "apps" / "lambda-layers.yml").write_text(text)
    project = load_project(Path("apps/lambda-layers.yml"), root=repository, variables={})
    (target,) = project.targets
    options = read_requirements(target.layer.requirements, root=repository).options
    assert options.built == {"common", "core"}
    assert options.find_links == (str(repository / "apps" / "wheels"),)


def test_requirements_with_the_path_of_a_folder(repository):
    file = repository / "libs" / "common" / "pyproject.toml"
    text = COMMON.replace("core>=2", "core @ file:../core").partition("[tool.uv.sources]")[0]
    file.write_text(text)
    found = read(repository, "../libs/common\n")
    assert found.options.built == {"common", "core"}
    (common,) = (source for source in found.options.direct if source.name == "common")
    assert b"Requires-Dist: core\n" in common.project.metadata
    file.write_text(text.replace("core @ file:../core", "core @ https://u:secret@example.org/core-1.zip"))
    (problem,) = problems_of(repository, "../libs/common\n")
    assert "cannot have the URL https://****@example.org/core-1.zip" in problem


WRONG = {
    "../../elsewhere": "elsewhere is outside the repository",
    "../linked": "apps/web.in:1: linked is outside the repository",
    "../apps": "apps/web.in:1: apps is not a folder with a pyproject.toml; add a",
    "other @ file:../libs/core": "apps/web.in:1: libs/core has the package core, not other",
    "../libs/core[slow]": "apps/web.in:1: core has no extra slow",
    "../libs/core\n../more": "apps/web.in:2: core comes from here, and from another folder",
    "../libs/core\ncore @ https://example.org/core-1-py3-none-any.whl#sha256="
    + "a" * 64: "apps/web.in:2: core",
    "-c more.in": "apps/more.in:1: a constraint cannot be a folder",
    "../wrong": "wrong/pyproject.toml: cannot be locked: version is dynamic",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_locked(repository, text):
    (repository.parent / "elsewhere").mkdir()
    (repository.parent / "elsewhere" / "pyproject.toml").symlink_to(
        repository / "libs" / "core" / "pyproject.toml"
    )
    (repository / "linked").symlink_to(repository.parent / "elsewhere")
    (repository / "apps" / "more.in").write_text("../libs/core\n")
    for name, project in (
        ("more", CORE),
        ("wrong", CORE.replace('version = "2.0"', 'dynamic = ["version"]')),
    ):
        (repository / name).mkdir()
        (repository / name / "pyproject.toml").write_text(project)
    (problem,) = problems_of(repository, f"{text}\n")
    assert WRONG[text] in problem
    assert "; " in problem


PYPROJECTS = {
    "": "there is no [project] with a name",
    "[": "invalid TOML",
    '[project]\nname = "a"\n': "[project] has no version",
    '[project]\nname = "a"\nversion = "x"\n': "Invalid version: 'x'",
    '[project]\nname = "a"\nversion = "1"\ndependencies = "b"\n': "dependencies are not a list of strings",
    '[project]\nname = "a"\nversion = "1"\ndependencies = ["b c"]\n': "Expected",
    '[project]\nname = "a"\nversion = "1"\noptional-dependencies = [1]\n': "cannot be locked",
    '[project]\nname = "a/../b"\nversion = "1"\n': "name is invalid",
    '[project]\nname = "a"\nversion = "1"\ndynamic = ["dependencies"]\n': "dependencies is dynamic",
}


@pytest.mark.parametrize("text", PYPROJECTS)
def test_metadata_that_is_not_known_without_a_build(repository, text):
    (repository / "libs" / "core" / "pyproject.toml").write_text(text)
    (problem,) = problems_of(repository, "../libs/core\n")
    assert problem.startswith("libs/core/pyproject.toml: cannot be locked: ")
    assert PYPROJECTS[text] in problem


@pytest.fixture
def core(repository):
    (source,) = read(repository, "../libs/core\n").options.direct
    assert isinstance(source, SourceFolder)
    return source


def test_an_archive_is_the_same_everywhere(core):
    (core.path / "bin").mkdir()
    (core.path / "bin" / "run").write_text("#!/bin/sh\n")
    (core.path / "bin" / "run").chmod(0o700)
    (core.path / "large").write_bytes(b"\1" * 200_000)
    (core.path / "link").symlink_to("bin/run")
    os.utime(core.path / "core.py", (0, 0))
    made = archive_of_folder(core)
    assert made.sha256 == "e572c24f002343acf3cb8eb3b29f712d9a5c2589896bc08f5151a852bd3e482c"
    with tarfile.open(fileobj=io.BytesIO(made.content), mode="r:gz") as tar:
        modes = {member.name: member.mode for member in tar}
        assert tar.extractfile("core-2.0/large").read() == b"\1" * 200_000
        assert tar.extractfile("core-2.0/link").read() == b"#!/bin/sh\n"
    assert modes == {
        "core-2.0/bin/run": 0o755,
        "core-2.0/core.py": 0o644,
        "core-2.0/large": 0o644,
        "core-2.0/link": 0o755,
        "core-2.0/pyproject.toml": 0o644,
    }
    assert made.sha256 == hashlib.sha256(made.content).hexdigest()


@pytest.mark.parametrize("target", ["../common/common.py", "missing", "link", "/etc/passwd"])
def test_a_link_that_leads_out_of_the_folder(core, target):
    (core.path / "link").symlink_to(target)
    with pytest.raises((ValueError, OSError, RuntimeError), match="link"):
        archive_of_folder(core)


def test_many_links_to_a_large_file(core, monkeypatch):
    """They are counted before they are read, so that memory suffices."""
    monkeypatch.setattr(source_archive, "UNZIPPED_BYTES", 1_000_000)
    (core.path / "large").write_bytes(b"\1" * 900_000)
    archive_of_folder(core)
    for number in range(100):
        (core.path / f"link{number}").symlink_to("large")
    tracemalloc.start()
    with pytest.raises(ValueError, match="has more than"):
        archive_of_folder(core)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_links_to_files_of_git_and_ignored_files_are_left_out(repository):
    (repository / "pyproject.toml").write_text(CORE)
    (source,) = read(repository, "..\n").options.direct
    (repository / ".gitignore").write_text("*.env\n")
    first = archive_of_folder(source).content
    (repository / ".git" / "config").write_text("extraheader = a token\n")
    (repository / "my.env").write_text("a token\n")
    (repository / "a.py").symlink_to(".git/config")
    (repository / "b.py").symlink_to("my.env")
    (repository / "libs" / "git").symlink_to("../.git/config")
    assert archive_of_folder(source).content == first


def test_settings_of_this_machine_leave_out_untracked_files_only(repository, core):
    shutil.rmtree(repository / ".git")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x"]
    for words in (["init", "-q"], ["add", "-f", "libs"]):
        subprocess.run([*git, *words], cwd=repository, check=True)
    first = archive_of_folder(core)
    (repository / ".git" / "info" / "exclude").write_text("*.env\ncore.py\n")
    (core.path / "secret.env").write_text("x")
    assert archive_of_folder(core).content == first.content
    (core.path / "new.py").write_text("x")
    assert archive_of_folder(core).content != first.content
