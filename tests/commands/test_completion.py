"""The scripts of `completion`, in the shells that read them."""

import shutil
import subprocess
from pathlib import Path

import command
import pytest

from entrypoint.commands import HELP


@pytest.fixture
def script(tmp_path):
    def script(shell):
        answer = command.run(["completion", shell], folder=tmp_path, environment={})
        assert answer.returncode == 0, answer.stderr
        path = tmp_path / f"completion.{shell}"
        path.write_text(answer.stdout)
        return path

    return script


def shell(name, *arguments):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    answer = subprocess.run([name, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


def in_bash(path: Path, *words: str):
    line = " ".join(f"'{word}'" for word in ("lambda-layers", *words))
    ask = (
        f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _lambda_layers; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    return shell("bash", "--norc", "-c", f"source '{path}'; {ask}").split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], [*HELP, "help", "--help", "--version"]),
        (["de"], ["deploy", "demo"]),
        (["help", "sch"], ["schema"]),
        (["lock", "--up"], ["--upgrade", "--upgrade-package"]),
        (["lock", "--engine", ""], ["pip-compile", "uv"]),
        (["deploy", "--trust", "b"], ["build-jobs"]),
        (["completion", ""], ["--help", "bash", "zsh", "fish"]),
        (["lock", "--manifest", "la"], []),
    ],
)
def test_bash(script, words, expected):
    assert in_bash(script("bash"), *words) == expected


def test_zsh(script):
    """It is complete, and names every command."""
    path = script("zsh")
    said = shell(
        "zsh", "-f", "-c", f"autoload -U compinit; compinit -D -u; source {path}; functions _lambda_layers"
    )
    assert [name for name in HELP if f"'{name}:" not in said] == []
    assert "(lock) _arguments '--upgrade[upgrade all packages to the newest allowed versions]'" in said


def test_fish(script):
    path = script("fish")
    for line, expected in {"lock --engine ": ["pip-compile", "uv"], "de": ["deploy", "demo"]}.items():
        said = shell("fish", "--no-config", "-c", f"source {path}; complete -C 'lambda-layers {line}'")
        assert sorted(each.split("\t")[0] for each in said.splitlines()) == sorted(expected)
