"""Manifests, requirements files and TOML files that are large, or nested deeply, are refused in little time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from layers import PYTHON313

from entrypoint.errors import Location, LockError, ManifestError
from entrypoint.lock.header import is_in_sync
from entrypoint.lock.lock_file import read_pinned
from entrypoint.lock.pylock import read_pylock
from entrypoint.lock.requirements import read_requirements_file
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.project import load_project
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

START = "version: 1\nlayers:\n"


def lines(pattern, count):
    return "".join(pattern.format(number) for number in range(count))


def load(folder, text):
    (folder / "lambda-layers.yml").write_text(text, "utf-8")
    return load_project(Path("lambda-layers.yml"), root=folder, variables={})


MERGED = "a: &a {k: 1}\n" + "".join(
    f"a{number}: &a{number} {{<<: [{', '.join(['*a' + (str(number - 1) if number else '')] * 10)}]}}\n"
    for number in range(12)
)
REFUSED = {
    "size": (
        START + lines("  layer{}: {{requirements: [a], runtimes: [python3.13]}}\n", 160_000),
        r"the file has \d,\d+,\d+ bytes; at most 1,048,576 are allowed",
    ),
    "values": (
        START + lines("  layer{}: {{requirements: [a], runtimes: [python3.13]}}\n", 15_000),
        "there are more than 100,000 values",
    ),
    "aliases of lists": (
        "x: &x [" + "a, " * 1000 + "]\n" + START + lines("  l{}: {{requirements: *x}}\n", 1000),
        "there are more than 100,000 values, with those of aliases",
    ),
    "merged aliases": (MERGED, "there are more than 100,000 values, with those of aliases"),
    "an alias in itself": ("a: &a [*a]\n", "an alias refers to a value that contains it"),
    "brackets": ("a: " + "[" * 300_000, "values are nested more than 100 levels deep"),
    "dashes": ("a:\n" + "- " * 300_000, "values are nested more than 100 levels deep"),
    "a few brackets": ("a: " + "[" * 200 + "]" * 200, "values are nested more than 100 levels deep"),
    "keys": ("version: 1\n" + lines("k{}: 1\n", 45_000), "unknown key 'k0'"),
    "the same key": ("version: 1\n" + "k: 1\n" * 45_000, "duplicate key 'k'"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_manifest_that_takes_long_is_refused(tmp_path, text, message):
    began = time.monotonic()
    with pytest.raises(ManifestError, match=message):
        load(tmp_path, text)
    assert time.monotonic() - began < 20  # minutes, before


def test_a_manifest_that_overflowed_the_stack_of_the_parser(tmp_path):
    (tmp_path / "lambda-layers.yml").write_text("a: " + "[" * 1_000_000, "utf-8")
    command = [Path(sys.executable).with_name("lambda-layers-check")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert "lambda-layers.yml:1:103: values are nested more than 100 levels deep" in result.stdout


def test_a_long_list_of_requirements_is_read_in_little_time(tmp_path):
    began = time.monotonic()
    requirements = lines("    - p{}==1.0\n", 50_000)
    project = load(tmp_path, f"{START}  web:\n    runtimes: [python3.13]\n    requirements:\n{requirements}")
    assert len(project.manifest.layers["web"].requirements.lines) == 50_000
    assert time.monotonic() - began < 15


def problem_of(path):
    with pytest.raises(ManifestError) as caught:
        read_requirements_file(path)
    (problem,) = caught.value.problems
    return problem.message


def test_a_large_requirements_file_is_refused(tmp_path):
    (tmp_path / "web.in").write_text("package==1.0\n" * 400_000, "utf-8")
    assert problem_of(tmp_path / "web.in").endswith("5,200,000 bytes; at most 4,194,304 are allowed")


def test_a_long_chain_of_requirements_files_is_refused(tmp_path):
    for number in range(2000):
        (tmp_path / f"{number}.in").write_text(f"-r {number + 1}.in\n", "utf-8")
    assert "is included by more than 50 files in a row" in problem_of(tmp_path / "0.in")


def test_items_of_a_long_pyproject_have_their_lines(tmp_path):
    items = lines('  "p{}",\n', 3_000)
    (tmp_path / "pyproject.toml").write_text(f"[project]\ndependencies = [\n{items}]\n", "utf-8")
    read = read_requirements_file(tmp_path / "pyproject.toml")
    assert read.requirements[-1].location.line == 3_002


def test_toml_that_is_nested_deeply_is_refused(tmp_path):
    text = "a = " + "[" * 100_000
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    assert problem_of(tmp_path / "pyproject.toml") == "values are nested too deeply"
    with pytest.raises(LockError, match="values are nested too deeply"):
        read_pylock(text, Platform(RUNTIMES["python3.13"], Architecture.X86_64), Location("pylock.toml"))


@pytest.mark.parametrize("dot", [".", " . ", "\t.", '."b".', ".'c'."])
def test_toml_with_long_keys_is_refused(tmp_path, dot):
    """tomllib keeps each beginning of a key: this one would need 40 GB."""
    text = f"[project]\n{dot.join(['a'] * 100_000)} = 1\n"
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    assert problem_of(tmp_path / "pyproject.toml") == "values are nested too deeply"
    for lock in ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"):
        (tmp_path / lock).write_text(text, "utf-8")
        with pytest.raises(LockError, match="values are nested too deeply"):
            read_pinned(tmp_path / lock, PYTHON313)


@pytest.mark.parametrize("text", ["a" * 1_000_000, '"' * 1_000_000, "a." * 90 + "a=1\n", "a-" * 500_000])
def test_looking_for_long_keys_takes_little_time(tmp_path, text):
    (tmp_path / "uv.lock").write_text(text, "utf-8")
    start = time.monotonic()
    with pytest.raises(LockError):
        read_pinned(tmp_path / "uv.lock", PYTHON313)
    assert time.monotonic() - start < 2


def test_large_locks(tmp_path):
    for name in ("lock.txt", "pylock.toml"):
        path = tmp_path / name
        with path.open("wb") as file:
            file.truncate(5_000_000)
        with pytest.raises(LockError, match=r"has 5,000,000 bytes; at most 4,194,304 are allowed"):
            read_pinned(path, PYTHON313)
        assert not is_in_sync(path, PYTHON313, requirements=Requirements(location=Location("m")))
