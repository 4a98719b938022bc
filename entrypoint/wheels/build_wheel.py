"""Build one wheel. This script runs in the builder, with only the standard library and pip of its Python.

In: the current folder with `job.json` and the sdist. Out: `out/` with the wheel and `record.json`, which
lists every build requirement with its version and hash. The steps are those of any frontend (PEP 517,
PEP 518), taken one by one, because `pip wheel` does not report the build requirements it installs.

It must run on the oldest runtime's Python. `tests/wheels/test_source_builds.py` runs it for real.
"""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

NOTE = "lambda-layers: "
"""Prefix of the lines that report progress; other lines are the output of the tools."""
_INSTALLERS = (
    ("dnf", ("install", "-y", "--setopt=install_weak_deps=False")),
    ("microdnf", ("install", "-y", "--setopt=install_weak_deps=0")),
    ("yum", ("install", "-y")),
    ("apt-get", ("install", "-y", "--no-install-recommends")),
)


def main() -> None:
    """Run the job: install system packages, or build a wheel."""
    if sys.argv[1:2] == ["--hook"]:
        _call_hook(*sys.argv[2:])
        return
    job = json.loads(Path("job.json").read_text("utf-8"))
    os.umask(0o022)
    os.environ.update(job["environment"])
    settings = Path("settings/environment.json")
    if (
        settings.is_file()
    ):  # in files, because all users can read a command line, and the settings may contain credentials
        for name, value in json.loads(settings.read_text("utf-8")).items():
            is_path = value.startswith(f"{settings.parent}/")
            os.environ[name] = str(Path.cwd() / value) if is_path else value
    if "system_packages" in job:
        _install_system_packages(job["system_packages"])
    else:
        _build(job)


def _install_system_packages(names: "list[str]") -> None:
    for tool, arguments in _INSTALLERS:
        if shutil.which(tool):
            _note(f"installing {', '.join(names)} with {tool}")
            if tool == "apt-get":
                os.environ["DEBIAN_FRONTEND"] = "noninteractive"
                _run([tool, "update"])
            _run([tool, *arguments, *names])
            return
    sys.exit("no package manager found: expected dnf, microdnf, yum or apt-get")


def _build(job: "dict[str, Any]") -> None:
    here, out = Path.cwd(), Path.cwd() / "out"
    out.mkdir()
    (here / "source").mkdir()
    shutil.unpack_archive(job["sdist"], here / "source")
    (source,) = (path for path in (here / "source").iterdir() if path.is_dir())
    python = here / "environment" / "bin" / "python"
    # Without pip: some images do not have the files from which `venv` installs it.
    _run([sys.executable, "-I", "-m", "venv", "--without-pip", "environment"])
    os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    installed = _install(python, job["requires"], "first")
    backend = json.dumps([job["backend"], [str(source / path) for path in job["backend_path"]]])
    more = _hook(python, source, "get_requires_for_build_wheel", backend)
    installed += _install(python, [name for name in more if name not in job["requires"]], "then")
    _note("building the wheel")
    wheel = _hook(python, source, "build_wheel", backend, str(out))
    record = {"wheel": wheel, "requires": sorted(installed, key=lambda package: package["name"])}
    (out / "record.json").write_text(json.dumps(record), "utf-8")


def _install(python: Path, requirements: "list[str]", name: str) -> "list[dict[str, str]]":
    if not requirements:
        return []
    _note(f"installing {', '.join(requirements)}")
    report = Path.cwd() / f"{name}.json"
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(python), "install", "--report", str(report)]
    _run([*pip, "--no-warn-script-location", "--root-user-action=ignore", *requirements])
    return [
        {
            "name": item["metadata"]["name"],
            "version": item["metadata"]["version"],
            "sha256": item["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256", ""),
        }
        for item in json.loads(report.read_text("utf-8"))["install"]
    ]


def _hook(python: Path, source: Path, name: str, *arguments: str) -> Any:  # noqa: ANN401 - the hooks differ
    answer = Path.cwd() / f"{name}.json"
    _run([str(python), os.path.abspath(__file__), "--hook", name, str(answer), *arguments], source)  # noqa: PTH100
    return json.loads(answer.read_text("utf-8"))


def _call_hook(name: str, answer: str, backend: str, *arguments: str) -> None:
    """Call a hook of the build backend, in the build's environment and the source's folder."""
    module, backend_path = json.loads(backend)
    sys.path[:1] = backend_path  # replaces this script's folder
    module, _, attributes = module.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    hook = getattr(found, name, None)
    result = hook(*arguments) if hook else []  # all hooks but build_wheel are optional
    Path(answer).write_text(json.dumps(result), "utf-8")


def _run(command: "list[str]", folder: "Path | None" = None) -> None:
    sys.stdout.flush()
    code = subprocess.run(command, cwd=folder, check=False).returncode  # noqa: S603 - no shell in between
    if code:
        sys.exit(f"{Path(command[0]).name} failed with exit code {code}")


def _note(text: str) -> None:
    print(f"{NOTE}{text}", flush=True)  # noqa: T201 - the log


if __name__ == "__main__":
    main()
