import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from layers import PYTHON313, assembled, laid_out, target, unzipped
from package_index import make_wheel

from entrypoint.errors import ArchiveError
from entrypoint.layer.assemble import assemble
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.exclude import Exclusion
from entrypoint.layer.repository_files import repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.layer.verify import verify
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform


@pytest.fixture
def repository(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\n/secrets/\n")
    package = tmp_path / "src" / "common"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "mod.py").write_text("x = 1\n")
    (package / "deep" / "debug.log").write_text("ignored by git\n")
    (package / "deep" / ".gitignore").write_text("*.dat\n!keep.dat\n")
    (package / "deep" / "big.dat").write_text("ignored below")
    (package / "deep" / "keep.dat").write_text("kept")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "mod.cpython-311.pyc").write_bytes(b"stale")
    (tmp_path / "src" / "single.py").write_text("y = 2\n")
    return tmp_path


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def ignoring(tmp_path, monkeypatch):
    """A repository with tracked and untracked files, and settings of this machine that ignore some of both."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "global").write_text("[core]\nexcludesFile = " + str(tmp_path / "patterns") + "\n")
    (tmp_path / "patterns").write_text("*.env\n*.pem\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    folder = tmp_path / "repository" / "src"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "-q")
    (folder.parent / ".git" / "info" / "exclude").write_text("/src/private/\nnested/\n")
    for name in ("app.py", "tracked.pem"):
        (folder / name).write_text("")
    git(folder, "add", "-f", ".")
    (folder / "private").mkdir()
    for name in ("new.py", "secret.env", "private/notes.txt"):
        (folder / name).write_text("")
    return folder


ALL = ["python/src/app.py", "python/src/new.py", "python/src/tracked.pem"]


def test_untracked_files_that_only_this_machine_ignores_are_left_out(ignoring):
    assert paths(layer(include=(ignoring,))) == ALL


def test_the_settings_of_a_machine_do_not_change_the_hash_of_a_commit(ignoring, tmp_path):
    def hash_here():
        made = target(include=(ignoring,))
        return dependency_hash(made, Lock(platform=PYTHON313, pins=()), repository_files(made.layer))

    with_settings = hash_here()
    (tmp_path / "patterns").write_text("*\n")
    (ignoring / "new.py").unlink()
    everything_ignored = hash_here()
    git(ignoring, "clean", "-fdxq")
    assert everything_ignored == hash_here() != with_settings
    (ignoring.parent / ".git").rename(tmp_path / "elsewhere")  # as without git
    assert hash_here() == everything_ignored


def test_a_repository_in_a_folder_has_its_own_settings(ignoring):
    for name in ("nested", "vendored"):
        (ignoring / name).mkdir()
        git(ignoring / name, "init", "-q")
        (ignoring / name / "a.py").write_text("")
        (ignoring / name / "b.env").write_text("")
        git(ignoring / name, "config", "core.fsmonitor", "touch ran")
    found = paths(layer(include=(ignoring,)))
    assert "python/src/vendored/a.py" in found
    assert not any(path.endswith(".env") for path in found)
    assert not list(ignoring.rglob("ran"))


def test_no_program_of_the_configuration_runs(ignoring):
    git(ignoring, "config", "core.fsmonitor", "touch ran; false")
    git(ignoring, "config", "core.hooksPath", str(ignoring / "hooks"))
    assert paths(layer(include=(ignoring,))) == ALL


def layer(**options):
    return target(**options).layer


def paths(layer):
    return [file.path for file in repository_files(layer)]


def test_packages_and_modules_go_under_python(repository):
    found = paths(layer(include=(repository / "src" / "common", repository / "src" / "single.py")))
    assert found == [
        "python/common/__init__.py",
        "python/common/deep/.gitignore",
        "python/common/deep/keep.dat",
        "python/common/deep/mod.py",
        "python/single.py",
    ]


def test_links_to_files_that_are_left_out_are_left_out(repository):
    (repository / ".git" / "config").write_text("extraheader = a token\n")
    top, package = repository / "src", repository / "src" / "common"
    (package / "deep" / "link.py").symlink_to("debug.log")
    (package / "link.py").symlink_to("deep/keep.dat")
    assert [path for path in paths(layer(include=(package,))) if "link" in path] == ["python/common/link.py"]
    (top / "token.py").symlink_to("../.git/config")
    (top / "git").symlink_to("../.git")
    found = repository_files(layer(include=(repository,)))
    assert {file.path for file in found if file.path.count("/") == 3} >= {
        "python/" + repository.name + "/src/single.py"
    }
    assert not [file for file in found if b"token" in file.source.read_bytes()]


def test_a_module_that_is_a_link_to_an_ignored_file(repository):
    (repository / "src" / "secret.log").write_text("a token")
    (repository / "src" / "link.py").symlink_to("secret.log")
    with pytest.raises(ArchiveError, match=r"link\.py is a link to secret\.log, which git ignores; name the"):
        repository_files(layer(include=(repository / "src" / "link.py",)))
    (repository / "src" / "link.py").unlink()
    (repository / "src" / "link.py").symlink_to("single.py")
    assert paths(layer(include=(repository / "src" / "link.py",))) == ["python/link.py"]
    assert paths(layer(include=(repository / "src" / "secret.log",))) == ["python/secret.log"]


def test_content_has_no_files_of_git(repository):
    (repository / "src" / ".git").write_text("gitdir: ../.git/modules/src\n")
    found = paths(layer(content=repository))
    assert "src/single.py" in found
    assert not [path for path in found if ".git/" in path or path.endswith(".git")]


def test_content_goes_into_opt_as_it_is(tmp_path):
    tools = tmp_path / "tools"
    (tools / "bin").mkdir(parents=True)
    (tools / "bootstrap").write_text("#!/bin/sh\n")
    (tools / "bootstrap").chmod(0o700)
    (tools / "bin" / "tool").write_bytes(b"tool")
    (tools / "bin" / "link").symlink_to("tool")
    (tools / "config.pyc").write_text("kept: it is not ours to judge")
    files = repository_files(layer(content=tools))
    assert [(file.path, file.executable) for file in files] == [
        ("bin/link", False),
        ("bin/tool", False),
        ("bootstrap", True),
        ("config.pyc", False),
    ]
    archive = assemble([repository_part(layer(content=tools), files)], tmp_path / "layer.zip")
    content = unzipped(archive.path)
    assert content["bootstrap"] == b"#!/bin/sh\n"


def test_links_of_content_stay_links(tmp_path):
    """As unzip and Lambda unpack them: a library with three names is packed once."""
    tools = tmp_path / "tools"
    (tools / "lib").mkdir(parents=True)
    (tools / "lib" / "libdemo.so.1.2").write_bytes(b"library" * 1000)
    (tools / "lib" / "libdemo.so.1").symlink_to("libdemo.so.1.2")
    (tools / "lib" / "libdemo.so").symlink_to(tools / "lib" / "libdemo.so.1")  # not relative
    (tools / "lib64").symlink_to("lib")
    files = repository_files(layer(content=tools))
    archive = assemble([repository_part(layer(content=tools), files)], tmp_path / "layer.zip")
    subprocess.run(["unzip", "-q", archive.path, "-d", tmp_path / "opt"], check=True)
    unpacked = tmp_path / "opt"
    assert (unpacked / "lib64").readlink() == Path("lib")
    assert (unpacked / "lib" / "libdemo.so").readlink() == Path("libdemo.so.1")
    assert (unpacked / "lib64" / "libdemo.so").read_bytes() == b"library" * 1000
    assert archive.unzipped_size < 7100
    before = [file.digest() for file in files]
    (tools / "lib" / "libdemo.so.1").unlink()
    (tools / "lib" / "libdemo.so.1").write_bytes(b"library" * 1000)
    assert [file.digest() for file in repository_files(layer(content=tools))] != before


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_loops_of_links_are_refused(tmp_path, names):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, goal in {names[-1]: names[0], **dict(pairwise(names))}.items():
        (tools / name).symlink_to(goal)
    with pytest.raises(ArchiveError, match="is a broken link or in a loop of links"):
        repository_files(layer(content=tools))


def test_content_for_a_runtime_without_a_python_is_verified(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "bootstrap").write_text("#!/bin/sh\n")
    (tmp_path / "tools" / "bootstrap").chmod(0o755)
    tools = target(Platform(RUNTIMES["provided.al2023"], Architecture.ARM64), content=tmp_path / "tools")
    part = repository_part(tools.layer, repository_files(tools.layer))
    assert verify(assemble([part], tmp_path / "layer.zip"), tools) == ()


@pytest.mark.parametrize("goal", ["/etc/passwd", "../outside", "nowhere"])
def test_links_that_lead_out_are_refused(tmp_path, goal):
    (tmp_path / "outside").write_text("")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "link").symlink_to(goal)
    with pytest.raises(ArchiveError, match="is a broken link or in a loop of links, or points outside tools"):
        repository_files(layer(content=tools))


def test_a_link_to_its_own_folder_is_refused(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "loop").symlink_to(".")
    with pytest.raises(ArchiveError, match="is a link to a folder that contains it"):
        repository_files(layer(content=tools))


def hash_of(repository, **options):
    made = target(include=(repository / "src",), **options)
    return dependency_hash(made, Lock(platform=PYTHON313, pins=()), repository_files(made.layer))


def test_content_path_mode_and_options_shape_the_hash_and_nothing_else_does(repository):
    before = hash_of(repository)
    os.utime(repository / "src" / "single.py", (0, 0))
    assert hash_of(repository) == before
    assert hash_of(repository, exclude=("*.nothing",)) != before
    (repository / "src" / "single.py").chmod(0o755)
    after_mode = hash_of(repository)
    assert after_mode != before
    (repository / "src" / "single.py").write_text("y = 3\n")
    assert hash_of(repository) not in {before, after_mode}


FILES = {
    "pkg/__init__.py": "",
    "pkg/tests/test_a.py": "",
    "pkg/sub/test/data.bin": b"x" * 100,
    "pkg/testing.py": "",
    "pkg/api.pyi": "",
    "pkg/docs/index.rst": "",
    "tests/__init__.py": "",
}


@pytest.mark.parametrize(
    ("patterns", "gone"),
    [
        ((), set()),
        (("tests",), {"pkg/tests/test_a.py", "pkg/sub/test/data.bin"}),
        (("stubs", "docs"), {"pkg/api.pyi", "pkg/docs/index.rst"}),
        (("pkg/sub/", "*.pyi"), {"pkg/sub/test/data.bin", "pkg/api.pyi"}),
        (
            ("pkg/**", "!pkg/testing.py"),
            {name for name in FILES if name.startswith("pkg/")} - {"pkg/testing.py"},
        ),
        (("*",), set(FILES)),
    ],
)
def test_what_is_excluded(tmp_path, patterns, gone):
    part = laid_out(make_wheel(tmp_path, "pkg", "1.0", files=FILES), tmp_path / "cache")
    kept = {entry.path.removeprefix("python/") for entry in Exclusion(patterns).applied(part).entries}
    metadata = {f"pkg-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    assert kept == set(FILES) - gone | metadata


def test_the_whole_is_as_reproducible_as_wheels_are(repository, tmp_path):
    made = layer(include=(repository / "src" / "common",))
    wheel = make_wheel(tmp_path / "w", "pkg", "1.0")
    first, second = (
        assemble(
            [laid_out(wheel, tmp_path / "cache"), repository_part(made, repository_files(made))],
            tmp_path / name / "layer.zip",
        )
        for name in ("one", "two")
    )
    assert first.sha256 == second.sha256
    assert set(unzipped(assembled(tmp_path, wheel).path)) < set(unzipped(first.path))
