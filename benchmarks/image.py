"""What the image adds to its base: megabytes, and the time until a container has said its first word.

python benchmarks/image.py [--write docs/benchmarks.md]

Needs a Docker engine; builds the image as the action does.
"""

import argparse
import os
import re
import subprocess
import time
from pathlib import Path

import docker

ROOT = Path(__file__).parent.parent
BASE = os.environ.get("BASE_IMAGE", "public.ecr.aws/lambda/python:3.13")
IMAGE = "lambda-layer-pipeline:benchmark"
ROUNDS = 15
COMMANDS = {
    "the base: `python3 -c 'print()'`": ("--entrypoint", "python3", BASE, "-c", "print()"),
    "`lambda-layers --version`": (IMAGE, "--version"),
    "`lambda-layers check`": (
        *("-v", f"{ROOT / 'examples' / 'quickstart'}:/work:ro", "-w", "/work"),
        *(IMAGE, "check"),
    ),
}


def seconds():
    """The best of many rounds, taken in turns, until the first byte is there."""
    best = dict.fromkeys(COMMANDS, float("inf"))
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            with subprocess.Popen(["docker", "run", "--rm", *command], stdout=subprocess.PIPE) as process:
                assert process.stdout.read(1)
                best[name] = min(best[name], time.perf_counter() - start)
            assert process.returncode == 0, name
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", type=Path, help="write the table into this Markdown file")
    arguments = parser.parse_args()
    engine = docker.from_env(timeout=600)
    engine.images.build(path=str(ROOT), tag=IMAGE, rm=True, buildargs={"BASE_IMAGE": BASE})
    sizes = {name: engine.images.get(name).attrs["Size"] / 1e6 for name in (BASE, IMAGE)}
    best = seconds()
    least = next(iter(best.values()))
    rows = [f"| {name} | {taken * 1000:.0f} | {taken / least:.2f} x |" for name, taken in best.items()]
    table = "\n".join(["| docker run | milliseconds | against the base |", "| --- | --: | --: |", *rows])
    text = f"{table}\n\nThe image adds {sizes[IMAGE] - sizes[BASE]:.0f} MB to its base."
    print(text)
    if arguments.write:
        page = arguments.write.read_text()
        mark = r"(<!-- image figures -->\n).*?(<!-- end of image figures -->)"
        arguments.write.write_text(
            re.sub(mark, lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page, flags=re.DOTALL)
        )


if __name__ == "__main__":
    main()
