"""`lambda-layers init` in a repository of the given files, and what a user sees of it."""

import re
from types import SimpleNamespace

import pytest
import yaml
from loading import AnyValue

from entrypoint.cli import main
from entrypoint.manifest.project import load_project


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Writes files, runs init, and returns the manifest and what was printed."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(files, code=0, loads=True):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (folder / ".git").mkdir(exist_ok=True)
        assert main(["init"]) == code
        printed = capsys.readouterr()
        if code:
            assert not (folder / "lambda-layers.yml").exists()
            return SimpleNamespace(error=printed.err)
        text = (folder / "lambda-layers.yml").read_text()
        data = yaml.safe_load(text)
        manifest = (
            load_project(folder / "lambda-layers.yml", root=folder, variables=AnyValue()).manifest
            if loads
            else None
        )
        return SimpleNamespace(
            text=text,
            layers=data["layers"],
            functions=data.get("functions", {}),
            regions=data.get("regions"),
            manifest=manifest,
            folder=folder,
            printed=printed.out,
            **{kind: _section(printed.out, kind) for kind in ("taken", "left", "fill")},
        )

    return run


def _section(printed, kind):
    heading = {"taken": "taken over:", "left": "left out:", "fill": "to fill in:"}[kind]
    found = re.search(rf"^{heading}\n((?:  .*\n)*)", printed, re.MULTILINE)
    return found[1] if found else ""
