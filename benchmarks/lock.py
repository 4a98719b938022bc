"""From requirements to a lock with hashes: both of our engines beside pip-compile and uv themselves, in one run.

    make bench

Everything comes from the real index, with the tools' caches warm, and no earlier lock to start from. pip-compile resolves for the Python that runs this, as it knows
no other target; the rest resolves for python3.13-x86_64. Networks are noisy: read the ratios.

A second table has the CPU time of one and of four targets of one layer.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

BIN = Path(sys.executable).parent
SETS = {
    "six packages": "numpy pandas cryptography pydantic boto3 requests",
    "jupyterlab and nine more": "jupyterlab numpy pandas cryptography pydantic boto3 requests sqlalchemy aiohttp rich",
}
LOCK = "l-python3.13-x86_64.txt"
OURS, OURS_UV = "ours: lambda-layers lock", "ours: lambda-layers lock --engine uv"
PIP_COMPILE, UV = "pip-compile --generate-hashes", "uv pip compile --generate-hashes"
MARKS = ("<!-- lock figures -->", "<!-- end of lock figures -->")
TARGET_MARKS = ("<!-- target figures -->", "<!-- end of target figures -->")
TARGETS = {
    "one": "runtimes: [python3.13], architectures: [arm64]",
    "four": "runtimes: [python3.12, python3.13], architectures: [arm64, x86_64]",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--write", type=Path, help="write the table into this Markdown file")
    arguments = parser.parse_args()
    lines = ["| set | tool | seconds | against uv | pins |", "| --- | --- | --: | --: | --: |"]
    for name, packages in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            lines += table(name, measure(Path(folder), packages.split(), arguments.repeat))
    show(lines, MARKS, arguments.write)
    with tempfile.TemporaryDirectory() as folder:
        show(targets_table(Path(folder), arguments.repeat), TARGET_MARKS, arguments.write)


def show(lines: list[str], marks: tuple[str, str], file: Path | None) -> None:
    text = "\n".join(lines)
    print(text)
    if file:
        head, _, rest = file.read_text().partition(marks[0])
        tail = rest.partition(marks[1])[2]
        file.write_text(f"{head}{marks[0]}\n\n{text}\n\n{marks[1]}{tail}")


def targets_table(folder: Path, repeat: int) -> list[str]:
    """The CPU time of locking one and four targets of a layer, with warm caches."""
    lines = ["| engine | one target | four targets | against one |", "| --- | --: | --: | --: |"]
    for engine in ("pip-compile", "uv"):
        seconds = {}
        for name, targets in TARGETS.items():
            layer = f"{{requirements: [{', '.join(SETS['six packages'].split())}], {targets}}}"
            (folder / "lambda-layers.yml").write_text(f"version: 1\nlayers:\n  l: {layer}\n")
            command = [str(BIN / "lambda-layers"), "lock", "--quiet", "--upgrade", "--engine", engine]
            seconds[name] = min([cpu_seconds(command, folder) for _ in range(1 + repeat)][1:])
        ratio = seconds["four"] / seconds["one"]
        lines.append(f"| {engine} | {seconds['one']:.2f} | {seconds['four']:.2f} | {ratio:.1f} x |")
    return lines


def cpu_seconds(command: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(folder: Path, packages: list[str], repeat: int) -> dict[str, tuple[float, int]]:
    """The best time of each tool, and how many pins it found.

    The first run of each fills caches and does not count, but for pip-compile's, which is the last, takes
    minutes, and has the cache that ours filled.
    """
    layer = f"{{requirements: [{', '.join(packages)}], runtimes: [python3.13]}}"
    (folder / "lambda-layers.yml").write_text(f"version: 1\nlayers:\n  l: {layer}\n")
    (folder / "requirements.in").write_text("\n".join(packages) + "\n")
    measured = {}
    for tool, (command, output) in tools(folder).items():
        times = []
        for _ in range(1 if tool == PIP_COMPILE else 1 + repeat):
            output.unlink(missing_ok=True)
            begin = time.perf_counter()
            subprocess.run(command, cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - begin)
        measured[tool] = (
            min(times[1:] or times),
            sum("==" in line for line in output.read_text().splitlines()),
        )
    return measured


def environment() -> Mapping[str, str]:
    # Installed packages come with their bytecode; a checkout's is made by the first run, where that is allowed.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return variables | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}


def tools(folder: Path) -> dict[str, tuple[list[str], Path]]:
    ours = [str(BIN / "lambda-layers"), "lock", "--quiet"]
    uv = [str(BIN / "uv"), "pip", "compile", "--quiet", "--generate-hashes", "--no-python-downloads"]
    uv += [
        "--python",
        sys.executable,
        "--python-version",
        "3.13",
        "--python-platform",
        "x86_64-manylinux_2_34",
    ]
    compiled = [sys.executable, "-I", "-m", "piptools", "compile", "--quiet", "--generate-hashes"]
    compiled += ["--allow-unsafe", "--strip-extras", "--output-file", "pip-compile.txt"]
    return {
        UV: ([*uv, "--output-file", "uv.txt", "requirements.in"], folder / "uv.txt"),
        OURS_UV: ([*ours, "--engine", "uv"], folder / LOCK),
        OURS: (ours, folder / LOCK),
        PIP_COMPILE: ([*compiled, "requirements.in"], folder / "pip-compile.txt"),
    }


def table(name: str, measured: dict[str, tuple[float, int]]) -> list[str]:
    fastest = measured[UV][0]
    return [
        f"| {name} | {tool} | {seconds:.2f} | {seconds / fastest:.1f} x | {pins} |"
        for tool, (seconds, pins) in measured.items()
    ]


if __name__ == "__main__":
    main()
