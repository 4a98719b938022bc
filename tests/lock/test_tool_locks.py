"""Locks in the formats of other tools have the pins that the tool's own export has.

tests/data/locks has a project for each tool, its lock, and what the tool exported from it: without and with an
extra and a group.
"""

import json
import shutil
import time
from pathlib import Path

import command
import pytest

from entrypoint.errors import Location, LockError
from entrypoint.lock.lock_file import read_pinned
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

LOCKS = Path(__file__).parents[1] / "data" / "locks"
NAMES = {"uv": "uv.lock", "poetry": "poetry.lock", "pdm": "pdm.lock", "pipenv": "Pipfile.lock"}
EXTRAS = {"uv": ("fast-text",), "poetry": ("Fast_Text",), "pdm": ("fast-text",), "pipenv": ()}
PLATFORMS = [
    Platform(RUNTIMES[runtime], architecture)
    for runtime in ("python3.11", "python3.12", "python3.14")
    for architecture in Architecture
]


def requirements(tool, *, extras=(), groups=(), folder=None):
    project = (folder or LOCKS / tool) / "pyproject.toml"
    files = () if tool == "pipenv" else (project,)
    return Requirements(files=files, extras=extras, groups=groups, location=Location("lambda-layers.yml", 3))


def pinned(lock):
    return {(pin.name, pin.version, pin.hashes) for pin in lock.pins}


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
@pytest.mark.parametrize("tool", NAMES)
def test_the_pins_are_those_of_the_export(tool, platform):
    lock = LOCKS / tool / NAMES[tool]
    export = pinned(read_pinned(LOCKS / tool / "export.txt", platform))
    assert pinned(read_pinned(lock, platform, requirements=requirements(tool))) == export
    more = requirements(tool, extras=EXTRAS[tool], groups=("cloud",))
    export = pinned(read_pinned(LOCKS / tool / "export-more.txt", platform))
    assert pinned(read_pinned(lock, platform, requirements=more)) == export
    assert {"attrs"} <= {name for name, *_ in export}


@pytest.mark.parametrize("tool", NAMES)
@pytest.mark.parametrize("wanted", [{"extras": ("nowhere",)}, {"groups": ("nowhere",)}])
def test_what_is_not_there_is_named(tool, wanted):
    with pytest.raises(LockError) as caught:
        read_pinned(LOCKS / tool / NAMES[tool], PLATFORMS[0], requirements=requirements(tool, **wanted))
    (problem,) = caught.value.problems
    assert "available: " in problem.message or problem.message == "a Pipfile.lock has no extras"
    assert problem.hint


OTHER = {
    "uv.lock": """version = 1
[[package]]
name = "orders"
version = "0.1.0"
source = { virtual = "." }
dependencies = [{ name = "common" }, { name = "tool" }]
[[package]]
name = "common"
version = "1"
source = { editable = "packages/common" }
[[package]]
name = "tool"
version = "1.0"
source = { git = "https://git.example.org/tool?rev=1#abc" }
""",
    "poetry.lock": """[[package]]
name = "common"
version = "1"
groups = ["main"]
files = []
source = { type = "directory", url = "packages/common" }
[[package]]
name = "tool"
version = "1.0"
groups = ["main"]
files = []
source = { type = "git", url = "https://git.example.org/tool" }
""",
    "pdm.lock": """[metadata]
groups = ["default"]
[[package]]
name = "common"
version = "1"
path = "./packages/common"
groups = ["default"]
[[package]]
name = "tool"
version = "1.0"
git = "https://git.example.org/tool"
groups = ["default"]
""",
    "Pipfile.lock": """{
    "default": {
        "common": {"path": "./packages/common", "version": "==1"},
        "tool": {"git": "https://git.example.org/tool", "ref": "abc"}
    }
}
""",
}


@pytest.mark.parametrize("name", OTHER)
def test_packages_from_elsewhere_are_named_at_their_lines(tmp_path, name):
    path = tmp_path / name
    path.write_text(OTHER[name])
    with pytest.raises(LockError) as caught:
        read_pinned(path, PLATFORMS[0], root=tmp_path)
    said = [str(problem) for problem in caught.value.problems]
    assert any(": common comes from a path" in each for each in said) == (
        name in {"pdm.lock", "Pipfile.lock"}
    )
    assert any(": tool comes from a git, and not from a package index; " in each for each in said)
    assert all(each.startswith(f"{name}:") for each in said)


FOLDER = '[project]\nname = "common"\nversion = "1"\ndependencies = ["x @ https://example.org/x-1.zip"]\n'


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock"])
def test_a_package_from_a_folder(tmp_path, name):
    path, folder = tmp_path / name, tmp_path / "packages" / "common"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(FOLDER)
    path.write_text(OTHER[name].partition('[[package]]\nname = "tool"')[0].replace(', { name = "tool" }', ""))

    def pin():
        lock = read_pinned(path, PLATFORMS[0], root=tmp_path)
        assert lock.options.built == {"common"}
        (pin,) = lock.pins
        return pin

    first = pin()
    assert (str(first), first.from_source, len(first.hashes)) == ("common==1", True, 1)
    (folder / "common.py").write_text("x = 1\n")
    assert pin().hashes != first.hashes
    (folder / "pyproject.toml").write_text(FOLDER.replace('"1"', '"2"'))
    with pytest.raises(LockError, match="the folder of common==1 has the version 2"):
        pin()
    (folder / "pyproject.toml").unlink()
    with pytest.raises(LockError, match=r"packages/common is not a folder with a pyproject\.toml"):
        pin()


DAMAGED = {
    "uv.lock": ["[", "version = 2\n", "version = 1\n", "version = 1\npackage = 3\n"],
    "poetry.lock": ["[", '[[package]]\nname = "a"\nversion = "1"\n'],
    "pdm.lock": ["[", "package = []\n", '[metadata]\n[[package]]\nname = "a"\n'],
    "Pipfile.lock": ["[", "{}", "[]", '{"default": {"a": {"version": "*"}}}'],
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in DAMAGED.items() for text in texts]
)
def test_a_lock_that_cannot_be_used(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(LockError) as caught:
        read_pinned(path, PLATFORMS[0], root=tmp_path)
    assert all(problem.hint and problem.location.file == name for problem in caught.value.problems)


def test_a_member_of_a_workspace(tmp_path):
    text = OTHER["uv.lock"].replace('{ editable = "packages/common" }', '{ virtual = "packages/common" }')
    text = text.replace('version = "1"\n', 'version = "1"\ndependencies = [{ name = "six" }]\n', 1)
    digest = "sha256:" + "a" * 64
    text += f"""[[package]]
name = "six"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "https://x/six-1.0.tar.gz", hash = "{digest}" }}
"""
    (tmp_path / "uv.lock").write_text(text)
    member = requirements("uv", folder=tmp_path / "packages" / "common")
    (pin,) = read_pinned(tmp_path / "uv.lock", PLATFORMS[0], requirements=member).pins
    assert (pin.name, pin.version, pin.hashes) == ("six", "1.0", frozenset({digest}))
    other = requirements("uv", folder=tmp_path / "packages" / "other")
    known = r"no project in the folder 'packages/other' \(it has: \., packages/common\)"
    with pytest.raises(LockError, match=known):
        read_pinned(tmp_path / "uv.lock", PLATFORMS[0], requirements=other)


@pytest.mark.parametrize("tool", NAMES)
def test_check(tmp_path, tool):
    shutil.copytree(LOCKS / tool, tmp_path / "project")
    source = "Pipfile" if tool == "pipenv" else "pyproject.toml"
    layer = {"lock": NAMES[tool], "runtimes": ["python3.13"], "groups": ["cloud"]}
    layer |= {"requirements": ["pyproject.toml"]} if tool != "pipenv" else {"requirements": ["requests>=0"]}
    manifest = {"version": 1, "layers": {"web": layer}}
    (tmp_path / "project" / "lambda-layers.yml").write_text(json.dumps(manifest))
    environment = {"PATH": "", "HOME": str(tmp_path), "PIP_NO_INDEX": "1"}
    done = command.run(["check"], folder=tmp_path / "project", environment=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "project" / source).exists()


HASH = f"sha256:{'a' * 64}"
UV = 'version = 1\n[[package]]\nname = "r"\nsource = {virtual = "."}\ndependencies = [%s]\n'
WRONG_TYPES = {
    "poetry.lock": ['[[package]]\nname = "a"\nversion = "1"\ngroups = 5\n'],
    "pdm.lock": [
        "[metadata]\ngroups = 5\n",
        '[metadata]\ngroups = ["default"]\n[[package]]\nname = "a"\nversion = "1"\ngroups = 5\n',
    ],
    "uv.lock": [
        UV % '{name = "a", extra = [["x"]]}' + '[[package]]\nname = "a"\nversion = "1"\n',
        UV % '{name = "a"}' + '[[package]]\nname = "a"\nversion = "1"\nresolution-markers = 5\n' * 2,
    ],
}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name in WRONG_TYPES for text in WRONG_TYPES[name]]
)
def test_values_of_other_types(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(LockError, match="it has a value of another type"):
        read_pinned(tmp_path / name, PLATFORMS[0])


def test_a_large_lock_takes_little_time(tmp_path):
    """It took 77 seconds: the whole lock was searched for the line of each package."""
    package = '[[package]]\nname = "p{0}"\nversion = "1"\ngroups = ["main"]\nfiles = [{{hash = "{1}"}}]\n'
    (tmp_path / "poetry.lock").write_text("".join(package.format(number, HASH) for number in range(12_000)))
    fork = '[[package]]\nname = "a"\nversion = "{0}"\nresolution-markers = ["os_name == \'{0}\'"]\n'
    forks = "".join(fork.format(number) for number in (*range(2000), "posix"))
    (tmp_path / "uv.lock").write_text(UV % ", ".join(['{name = "a"}'] * 1000) + forks)
    start = time.monotonic()
    pins = read_pinned(tmp_path / "poetry.lock", PLATFORMS[0]).pins
    assert (len(pins), pins[-1].name, pins[-1].location.line) == (12_000, "p9999", 9999 * 5 + 2)
    with pytest.raises(LockError, match="a comes from a folder"):
        read_pinned(tmp_path / "uv.lock", PLATFORMS[0])
    assert time.monotonic() - start < 15
