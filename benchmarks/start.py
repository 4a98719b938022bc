"""The start of the check that people run at every commit, beside `python -c "import yaml"`.

python benchmarks/start.py [--write docs/benchmarks.md]
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
MANIFEST = "examples/quickstart/lambda-layers.yml"
BIN = Path(sys.executable).parent
COMMANDS = {
    'python -c "import yaml"': (sys.executable, "-c", "import yaml"),
    "lambda-layers-check, the hook, on a named manifest": (BIN / "lambda-layers-check", MANIFEST),
    "lambda-layers-check, the hook, on all that git tracks": (BIN / "lambda-layers-check",),
    "lambda-layers check": (BIN / "lambda-layers", "check", "--manifest", MANIFEST),
    "lambda-layers --help": (BIN / "lambda-layers", "--help"),
}
ROUNDS = 30


def seconds():
    """The best of many rounds, taken in turns."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    best = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, help="write the table into this Markdown file")
    arguments = parser.parse_args()
    best = seconds()
    least = next(iter(best.values()))
    rows = [f"| `{name}` | {taken * 1000:.0f} | {taken / least:.2f} x |" for name, taken in best.items()]
    table = "\n".join(["| command | milliseconds | against import yaml |", "| --- | --: | --: |", *rows])
    print(table)
    if arguments.write:
        text = arguments.write.read_text()
        mark = r"(<!-- start figures -->\n).*?(<!-- end of start figures -->)"
        arguments.write.write_text(
            re.sub(mark, lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text, flags=re.DOTALL)
        )


if __name__ == "__main__":
    main()
