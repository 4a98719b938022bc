import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("lambda-layers")


@pytest.mark.network
def test_the_demo_tells_its_story(tmp_path):
    result = subprocess.run(
        [COMMAND, "demo"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    first, again, raised = result.stdout.split("$ lambda-layers deploy --aws local")[1:]
    assert "to publish: 8 layers, to update: 3 functions" in first
    assert "published 8 layer versions, updated 3 functions" in first
    assert "nothing to do: AWS matches the manifest" in again
    assert "to publish: 4 layers, to update: 2 functions" in raised
    assert "keep     security-python312-arm64  version 1" in raised
    assert "function keep     report" in raised
    assert list(tmp_path.iterdir()) == []
