"""Records what lock tests need of the real index: run by `make refresh`, never by a test.

For each set of packages: the listings and metadata of every package that it may lead to, cut to the newest
versions, and the pins that pip-compile finds on an interpreter of each runtime. Recorded are only results that
are the same with the record as with the real index.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.parser import HeaderParser
from pathlib import Path

from package_index import pip_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pythons import python
from recorded_index import RecordedIndex, name_and_version, write

from entrypoint.errors import FetchError
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.ranged_file import RangedFile
from entrypoint.manifest.runtimes import RUNTIMES

ROOT = Path(__file__).parent.parent
SETS = {
    "science": ("numpy", "pandas", "tzdata; python_version >= '3.12'", "scipy"),
    "backports": (
        "importlib-metadata",
        "exceptiongroup; python_version < '3.12'",
        "keyring",  # needs backports before 3.12, and SecretStorage on Linux alone
        "redis",  # needs async-timeout before 3.11.3
        "audioop-lts; python_version >= '3.13'",
        "coverage[toml]",
        "typing-extensions<4.15",
    ),
    "services": ("uvicorn[standard]", "sqlalchemy", "aiohttp", "pydantic", "cryptography", "boto3"),
}
RUNTIME_NAMES = ("python3.11", "python3.12", "python3.13")
NEWEST, OF_SCIENCE = 6, 24
"""Versions of each package to record; numpy, pandas and scipy support an older Python for long."""
_HEADERS = ("Metadata-Version", "Name", "Version", "Requires-Python", "Provides-Extra", "Requires-Dist")
_OTHER_SYSTEMS = re.compile(
    r"musllinux|macosx|win32|win_arm|i686|ppc64|s390x|armv7|riscv|-pp\d|graalpy|cp\d+t-"
)
OPTIONS = ("--quiet", "--no-config", "--no-header", "--no-annotate", "--strip-extras", "--allow-unsafe")
OPTIONS += ("--no-emit-options", "--no-emit-index-url", "--pip-args=--prefer-binary", "--output-file=-")


def main() -> None:
    packages = recorded_packages()
    with tempfile.TemporaryDirectory() as folder, RecordedIndex(packages) as index:
        environment = pip_environment(Path(folder), PIP_INDEX_URL=index.url)
        pins = {}
        for runtime in RUNTIME_NAMES:
            native = interpreter(runtime, Path(folder) / runtime)
            for name, lines in SETS.items():
                found = compiled_natively(native, Path(folder), lines, environment)
                real = compiled_natively(native, Path(folder), lines, os.environ)
                assert found == real, f"{name} on {runtime}: raise NEWEST; {set(found) ^ set(real)}"
                pins[f"{name} {runtime}"] = found
                sys.stderr.write(f"{name} on {runtime}: {len(found)} pins\n")
    write({"machine": platform.machine(), "packages": packages, "pins": pins, "sets": SETS})


def recorded_packages() -> dict[str, dict[str, object]]:
    """Follow all requirements from the sets, and return each package's files and metadata by version."""
    found: dict[str, dict[str, object]] = {}
    waiting = [Requirement(line) for lines in SETS.values() for line in lines]
    extras: dict[str, set[str]] = {}
    with PackageIndex(environment=os.environ) as index, ThreadPoolExecutor(8) as pool:
        while waiting:
            requirement = waiting.pop()
            name = canonicalize_name(requirement.name)
            known = extras.setdefault(name, set())
            if name in found and requirement.extras <= known:
                continue
            known |= requirement.extras
            if name not in found:
                found[name] = _package(index, name, pool)
                sys.stderr.write(f"{name}: {len(found[name]['files'])} files\n")
            waiting += _required(found[name]["metadata"].values(), known)
    return found


def _package(index, name, pool) -> dict[str, object]:
    files = [
        file for file in index.files(name) if not _OTHER_SYSTEMS.search(file.filename) and file.yanked is None
    ]
    by_version: dict[str, list[object]] = {}
    for file in files:
        try:
            by_version.setdefault(name_and_version(file.filename)[1], []).append(file)
        except ValueError:
            continue  # an egg or an installer
    released = (version for version in by_version if not Version(version).is_prerelease)
    number = OF_SCIENCE if name in {"numpy", "pandas", "scipy"} else NEWEST
    newest = sorted(released, key=Version)[-number:]
    newest = [version for version in newest if any(_is_wheel(file) for file in by_version[version])]
    described = pool.map(
        lambda version: _headers(index, next(filter(_is_wheel, by_version[version]))), newest
    )
    return {
        "files": [
            (file.filename, file.sha256, file.requires_python)
            for version in newest
            for file in by_version[version]
        ],
        "metadata": dict(zip(newest, described, strict=True)),
    }


def _is_wheel(file) -> bool:
    return file.filename.endswith(".whl")


def _headers(index, file) -> str:
    """The headers of a wheel's METADATA that a resolver reads."""
    metadata = HeaderParser().parsestr(_metadata(index, file).decode("utf-8", "replace"))
    return "".join(f"{name}: {value}\n" for name, value in metadata.items() if name in _HEADERS) + "\n"


def _metadata(index, file) -> bytes:
    with suppress(FetchError):  # some mirrors list metadata that they do not have
        return index.metadata(file)
    with RangedFile(file.url, name=file.filename) as remote, zipfile.ZipFile(remote) as wheel:
        return wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")))


def _required(texts, extras) -> list[Requirement]:
    """The requirements that apply without extras or with these, on any system."""
    found = []
    for text in texts:
        for line in HeaderParser().parsestr(text).get_all("Requires-Dist", ()):
            requirement = Requirement(line)
            marker = str(requirement.marker or "")
            if "extra" not in marker or any(f'"{extra}"' in marker for extra in extras):
                found.append(requirement)
    return found


def interpreter(name: str, folder: Path) -> Path:
    """A venv of a runtime's Python with this project's pip-compile, which sees the runtime's glibc."""
    runtime = RUNTIMES[name]
    version = ".".join(map(str, runtime.python_version))
    executable = python(version)
    assert executable, f"there is no Python {version} on this machine"
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    pinned = re.findall(r"^pip(?:-tools)?==[^ ]+", locked, re.MULTILINE)
    subprocess.run([executable, "-m", "venv", folder], check=True)
    native = folder / "bin" / "python"
    subprocess.run([native, "-I", "-m", "pip", "install", "--quiet", *pinned], check=True)
    text = f"def manylinux_compatible(major, minor, _): return (major, minor) <= {runtime.glibc}\n"
    (folder / "lib" / f"python{version}" / "site-packages" / "_manylinux.py").write_text(text)
    return native


def compiled_natively(python, folder, lines, environment) -> list[str]:
    """Return the pins of a native pip-compile, without markers, as in a generated lock."""
    (folder / "native.in").write_text("".join(f"{line}\n" for line in lines))
    command = [python, "-I", "-m", "piptools", "compile", *OPTIONS, "native.in"]
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return [line.partition(" ;")[0] for line in answer.stdout.splitlines() if "==" in line]


if __name__ == "__main__":
    sys.exit(main())
