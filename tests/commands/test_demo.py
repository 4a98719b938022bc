import os
import subprocess
import sys
from pathlib import Path

import pytest
from snippets import PAGES, agrees, snippets

COMMAND = Path(sys.executable).with_name("lambda-layers")


@pytest.mark.network
def test_the_demo_tells_its_story(tmp_path):
    result = subprocess.run(
        [COMMAND, "demo"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},  # both streams in the order in which they are written
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    first, again, raised = result.stdout.split("$ lambda-layers deploy --aws local")[1:]
    assert "to publish: 8 layers, to update: 3 functions" in first
    assert "published 8 layer versions, updated 3 functions" in first
    assert "nothing to do: AWS matches the manifest" in again
    assert "to publish: 4 layers, to update: 2 functions" in raised
    assert "keep     security-python312-arm64  version 1" in raised
    assert "function keep     report" in raised
    assert agrees(in_order(raised), shown_in_the_readme()), raised
    assert list(tmp_path.iterdir()) == []


def in_order(text):
    """The same with the updates, which end at any time, in the order of their names."""
    lines = text.splitlines(keepends=True)
    updates = iter(sorted(line for line in lines if line.startswith("updated ")))
    return "".join(next(updates) if line.startswith("updated ") else line for line in lines)


def shown_in_the_readme():
    """The output of the demo's last deployment, as the README quotes it."""
    (block,) = (each for each in snippets(PAGES[0]) if "test_demo.py compares" in (each.excuse or ""))
    command, _, shown = block.text.partition("\n")
    assert command == "$ lambda-layers deploy --aws local"
    return shown
