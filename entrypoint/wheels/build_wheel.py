"""Build one wheel. This script runs in the builder, with only the standard library and pip of its Python.

In: the current folder with `job.json`, the sdist, and the wheels of its build requirements. Out: `out/` with
the wheel and `answer.json`, which names it. The steps are those of any frontend (PEP 517, PEP 518). If the
backend asks for requirements that it was not given, `answer.json` lists what it asks for instead.

It must run on the oldest runtime's Python. `tests/wheels/test_source_builds.py` runs it for real.
"""

import importlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

NOTE = "lambda-layers: "
"""Prefix of the lines that report progress; other lines are the output of the tools."""
WRONG_PYTHON = 81
"""The exit code if the interpreter has another version; the last line of the output names it."""
ASKS = 82
"""The exit code if the backend asks for requirements."""
_INSTALLERS = (
    ("dnf", ("install", "-y", "--setopt=install_weak_deps=False")),
    ("microdnf", ("install", "-y", "--setopt=install_weak_deps=0")),
    ("yum", ("install", "-y")),
    ("apt-get", ("install", "-y", "--no-install-recommends", "--allow-downgrades")),
)


def main() -> None:
    """Run the job: install system packages, or build a wheel."""
    if sys.argv[1:2] == ["--hook"]:
        _call_hook(*sys.argv[2:])
        return
    job = json.loads(Path("job.json").read_text("utf-8"))
    if job["python"] and list(sys.version_info[:2]) != job["python"]:
        print("Python", sys.version.split()[0])  # noqa: T201 - the answer
        sys.exit(WRONG_PYTHON)
    os.umask(0o022)
    os.environ.update(job["environment"])
    settings = Path("settings/environment.json")
    if settings.is_file():  # in files, because all users can read a command line
        for name, value in json.loads(settings.read_text("utf-8")).items():
            is_path = value.startswith(f"{settings.parent}/")
            os.environ[name] = str(Path.cwd() / value) if is_path else value
    if "system_packages" in job:
        _install_system_packages(job["system_packages"], upgrade=job["upgrade"])
    else:
        _build(job)


def _install_system_packages(names: "list[str]", *, upgrade: bool) -> None:
    """Install packages, as `name` or `name=version`, which only apt-get writes like this.

    apt-get upgrades packages that the image has; the others do so only with `upgrade`, unless configured to.
    """
    for tool, arguments in _INSTALLERS:
        if shutil.which(tool):
            _note(f"installing {', '.join(names)} with {tool}")
            if tool == "apt-get":
                os.environ["DEBIAN_FRONTEND"] = "noninteractive"
                _run([tool, "update"])
            else:
                # With the architecture: yum does not find name-epoch:version-release.
                machine = platform.machine()
                names = [f"{name.replace('=', '-')}.{machine}" if "=" in name else name for name in names]
            _run([tool, *arguments, *names])
            if upgrade and tool != "apt-get":
                _run([tool, "upgrade", "-y", *names])
            ldconfig = shutil.which("ldconfig", path=f"{os.environ['PATH']}{os.pathsep}/sbin")
            if ldconfig:  # in some images, packages do not update the cache of the loader
                _run([ldconfig])
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
    _install(python, job["wheels"])
    backend = json.dumps([job["backend"], [str(source / path) for path in job["backend_path"]]])
    asked = _hook(python, source, "get_requires_for_build_wheel", backend)
    if asked and not job["asked"] and not _has(asked, job["wheels"]):
        _answer(out, {"requires": asked})
        sys.exit(ASKS)
    _note("building the wheel")
    _answer(out, {"wheel": _hook(python, source, "build_wheel", backend, str(out))})


def _install(python: Path, wheels: "dict[str, str]") -> None:
    """Install exactly these wheels, by file name and SHA-256; they are downloaded and checked already."""
    if not wheels:
        return
    names = sorted("-".join(name.split("-")[:2]) for name in wheels)
    _note(f"installing {', '.join(names)}")
    lines = [f"./wheels/{name} --hash=sha256:{sha256}" for name, sha256 in wheels.items()]
    Path("wheels.txt").write_text("\n".join(lines), "utf-8")
    pip = [sys.executable, "-I", "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-cache-dir", "--no-compile", "--no-warn-script-location"]
    _run([*pip, "install", *options, "--quiet", "--require-hashes", "-r", "wheels.txt"])


def _has(asked: "list[str]", wheels: "dict[str, str]") -> bool:
    """Whether the wheels are all that is asked for; only bare names are decided here."""
    names = {_canonical(name.split("-")[0]) for name in wheels}
    return all(_canonical(text) in names for text in asked)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _answer(out: Path, answer: "dict[str, Any]") -> None:
    (out / "answer.json").write_text(json.dumps(answer), "utf-8")


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
