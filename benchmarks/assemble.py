"""From wheels to a layer's zip: ours beside what people use, on the same wheels in one run.

    make bench

Nothing is downloaded while the clock runs: every tool gets the same folder of wheels. `floor` copies the
wheels' bytes into one file, which is the least that any tool has to do. Machines are noisy: read the ratios.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
SETS = ("small", "medium", "large", "many")
FIRST_RUNS = (*SETS, "heavy", "heavy-stripped")
RUNTIME = "python3.11"
FLOOR, OURS = "floor: copy the wheels' bytes", "ours: assemble and verify"
TOOLS = Path(os.environ.get("BENCH_TOOLS", BIN))
"""Where uv, pex and sam are installed."""
SAM_TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  L:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer, CompatibleRuntimes: [python3.11]}
    Metadata: {BuildMethod: python3.11, BuildArchitecture: x86_64}
"""
IMPORTS = {
    "boto3, pydantic, cryptography, sqlalchemy": "boto3, pydantic, cryptography.fernet, sqlalchemy",
    "numpy, pandas": "numpy, pandas",
}
OWN_CLOCK = (FLOOR, OURS)


@dataclass(frozen=True)
class Measure:
    """What one tool took for one set."""

    tool: str
    seconds: float
    cpu: float
    megabytes: float
    zip_size: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--write", type=Path, help="write the tables into this Markdown file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(work, arguments.sets)
        tables = [table(name, list(measure(work, name, arguments.repeat))) for name in arguments.sets]
        tables.append(first_runs(work))
    text = "\n\n".join([*tables, cold_imports()]) + "\n"
    print(text)
    if arguments.write:
        head = arguments.write.read_text().partition("<!-- figures -->")[0]
        arguments.write.write_text(f"{head}<!-- figures -->\n\n{text}")


def prepare(work: Path, sets: Sequence[str]) -> None:
    """Lock and build every set once, so that all wheels are in the cache; link each set's wheels into a folder."""
    shutil.copy(HERE / "sets.yml", work / "lambda-layers.yml")
    targets = [f"--target={name}-{RUNTIME}-x86_64" for name in sets]
    subprocess.run([BIN / "lambda-layers", "lock", "--quiet"], cwd=work, check=True)
    subprocess.run(
        [BIN / "lambda-layers", "build", "--quiet", "--cache", "cache", *targets], cwd=work, check=True
    )
    for name in sets:
        (work / name).mkdir()
        built = json.loads((work / f".lambda-layers/build/{name}-{RUNTIME}-x86_64.json").read_text())
        for package in built["packages"]:
            wheel = work / "cache" / "wheels" / package["sha256"] / package["wheel"]
            os.link(wheel, work / name / wheel.name)


def measure(work: Path, name: str, repeat: int) -> Iterator[Measure]:
    wheels = sorted(str(path) for path in (work / name).glob("*.whl"))
    for tool, steps, output in tools(work, name, wheels):
        best: Measure | None = None
        for _ in range(repeat):
            shutil.rmtree(work / "site", ignore_errors=True)
            output.unlink(missing_ok=True)
            taken = run(tool, steps, work, output)
            best = taken if best is None or taken.seconds < best.seconds else best
        assert best is not None
        yield best


def tools(work: Path, name: str, wheels: list[str]) -> Iterator[tuple[str, list[list[str]], Path]]:
    site, output = work / "site" / "python", work / "layer.zip"
    python = sys.executable
    yield (
        FLOOR,
        [[python, "-I", "-S", str(HERE / "floor.py"), str(output), *wheels]],
        output,
    )
    ours = [python, str(HERE / "ours.py"), str(work), f"{name}-{RUNTIME}-x86_64", str(output)]
    yield OURS, [ours], output
    target = f"{name}-{RUNTIME}-x86_64"
    command = [
        str(BIN / "lambda-layers"),
        "build",
        "--quiet",
        "--locked",
        "--cache",
        "cache",
        "--target",
        target,
    ]
    yield (
        "ours: lambda-layers build, the whole command",
        [command],
        work / f".lambda-layers/build/{target}.zip",
    )
    yield from installers(site, output, wheels)
    yield "sam build, zip -9", sam(work, name, output), output


def sam(work: Path, name: str, output: Path) -> list[list[str]]:
    """A SAM project of one layer, in the folder `sam`; SAM's own pip gets the same wheels."""
    project = work / "sam"
    (project / "layer").mkdir(parents=True, exist_ok=True)
    pins = ("==".join(path.name.split("-")[:2]) for path in (work / name).glob("*.whl"))
    (project / "layer" / "requirements.txt").write_text("\n".join(pins))
    (project / "template.yaml").write_text(SAM_TEMPLATE)
    build = [
        "env",
        "PIP_NO_INDEX=1",
        f"PIP_FIND_LINKS={work / name}",
        "SAM_CLI_TELEMETRY=0",
        str(TOOLS / "sam"),
        "build",
    ]
    folders = ["--template", str(project / "template.yaml"), "--build-dir", str(work / "site")]
    return [[*build, *folders], ["zip", "-qr", "-9", str(output), "L/python"]]


def installers(site: Path, output: Path, wheels: list[str]) -> Iterator[tuple[str, list[list[str]], Path]]:
    """What installs into a folder, which is zipped then; and pex, which zips by itself."""
    python = sys.executable
    quiet = ["--quiet", "--no-deps", "--no-index", "--target", str(site), *wheels]
    pip = [python, "-I", "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", *quiet]
    uv = [str(TOOLS / "uv"), "pip", "install", "--python", python]
    for level in ("-9", "-6"):
        zipped = ["zip", "-qr", level, str(output), "python"]
        yield f"pip install -t, zip {level}", [pip, zipped], output
        yield f"uv pip install --target, zip {level}", [[*uv, *quiet], zipped], output
    flags = ["--no-pypi", "--intransitive", "--layout", "zipapp", "-o", str(output)]
    yield "pex", [[str(TOOLS / "pex"), *flags, *wheels]], output


def run(tool: str, steps: list[list[str]], work: Path, output: Path) -> Measure:
    """Run the steps one after the other; time and CPU add up, memory is the largest of them."""
    seconds = cpu = memory = 0.0
    for step in steps:
        folder = work / "site" if step[0] == "zip" else work
        folder.mkdir(exist_ok=True)
        begin = time.perf_counter()
        process = subprocess.Popen(step, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - begin
        if status:
            raise SystemExit(f"{tool} failed: {step}")
        # Two scripts tell the time of their work alone: the others' start-up is small beside their work.
        seconds += float(told) if tool in OWN_CLOCK else elapsed
        cpu += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss / 1024)
    return Measure(tool, seconds, cpu, memory, output.stat().st_size)


def table(name: str, measures: list[Measure]) -> str:
    ours = next(measure for measure in measures if measure.tool == OURS)
    lines = [
        f"### {name}",
        "",
        "| tool | seconds | against ours | CPU s | peak MB | zip MB |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for taken in measures:
        ratio = f"{taken.seconds / ours.seconds:.1f} x"
        figures = f"{taken.seconds:.2f} | {ratio} | {taken.cpu:.2f} | {taken.megabytes:.0f} | {taken.zip_size / 1e6:.1f}"
        lines.append(f"| {taken.tool} | {figures} |")
    return "\n".join(lines)


def first_runs(work: Path) -> str:
    """The whole command with an empty cache, download included: the memory that it takes is bounded."""
    lines = [
        "### first run",
        "",
        "| layer | seconds | CPU s | peak MB | largest wheel MB |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name in FIRST_RUNS:
        target, cache = f"{name}-{RUNTIME}-x86_64", work / f"first-{name}"
        output = work / f".lambda-layers/build/{target}.zip"
        command = [str(BIN / "lambda-layers"), "build", "--quiet", "--cache", str(cache), "--target", target]
        taken = run(name, [command], work, output)
        largest = max(path.stat().st_size for path in (cache / "wheels").glob("*/*"))
        figures = f"{taken.seconds:.2f} | {taken.cpu:.2f} | {taken.megabytes:.0f} | {largest / 1e6:.0f}"
        lines.append(f"| {name} | {figures} |")
    return "\n".join(lines)


def cold_imports() -> str:
    """CPU time of a first import from a read-only layer, with and without bytecode; the best of five each."""
    lines = [
        "### cold import",
        "",
        "| packages | without, CPU s | with bytecode, CPU s | saved | zip MB | zip MB with |",
    ]
    lines.append("| --- | --: | --: | --: | --: | --: |")
    for packages, modules in IMPORTS.items():
        with tempfile.TemporaryDirectory() as folder:
            figures = {
                setting: cold_import(Path(folder), packages, modules, setting)
                for setting in ("false", "true")
            }
        (without, size), (with_it, larger) = figures["false"], figures["true"]
        lines.append(
            f"| {packages} | {without:.2f} | {with_it:.2f} | {without / with_it:.1f} x | {size:.1f} | {larger:.1f} |"
        )
    return "\n".join(lines)


def cold_import(folder: Path, packages: str, modules: str, bytecode: str) -> tuple[float, float]:
    """Build the layer, unpack it with its dates, import from it; return CPU seconds and megabytes zipped."""
    (folder / "lambda-layers.yml").write_text(
        f"version: 1\nlayers:\n  l: {{requirements: [{packages}], runtimes: [{RUNTIME}], bytecode: {bytecode}}}\n"
    )
    subprocess.run(
        [BIN / "lambda-layers", "build", "--quiet"], cwd=folder, check=True, stderr=subprocess.DEVNULL
    )
    archive = folder / f".lambda-layers/build/l-{RUNTIME}-x86_64.zip"
    opt = folder / bytecode
    subprocess.run(["unzip", "-q", archive, "-d", opt], check=True)
    code = f"import sys; sys.path.insert(0, sys.argv[1]); import {modules}"
    best = float("inf")
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-I", "-B", "-c", code, opt / "python"])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{modules} cannot be imported")
        best = min(best, usage.ru_utime + usage.ru_stime)
    return best, archive.stat().st_size / 1e6


if __name__ == "__main__":
    main()
