"""The facts of AWS in this project are those of the botocore that it is developed with."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / ".github" / "facts.py"


def test_botocore_knows_nothing_else():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(": 0 differences\n")
