"""Jobs for the script `build_wheel.py` in a builder: install system packages, or build a wheel."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path

from entrypoint.errors import CompileError
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.build_environment import BuildEnvironment, Builder, BuildResult
from entrypoint.wheels.build_result import tail
from entrypoint.wheels.build_wheel import WRONG_PYTHON
from entrypoint.wheels.builders import Builders

_SCRIPT = "build_wheel.py"
_NO_SUCH_COMMAND = (126, 127)
#: Makes builds reproducible as far as their backends allow: https://reproducible-builds.org/docs/
_ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_FIX_NAMES = "fix system_packages; use the names of the image's package manager"


def build_job(
    job: Mapping[str, object],
    files: Mapping[str, Path],
    python: str,
    platform: Platform,
    *,
    script: str = _SCRIPT,
) -> tuple[list[str], dict[str, bytes | Path]]:
    """Return the command of a job, and its files."""
    text = json.dumps({"environment": _ENVIRONMENT, "python": platform.runtime.python_version, **job})
    content = (resources("entrypoint.wheels") / script).read_bytes()
    return [python, "-I", script], {"job.json": text.encode(), script: content, **files}


def install_packages(
    environment: BuildEnvironment,
    packages: Sequence[str],
    *,
    builder: Builder,
    builders: Builders,
    results: Path,
    on_output: Callable[[str], None],
    hint: str = _FIX_NAMES,
    upgrade: bool = False,
) -> None:
    """Install system packages, as `name` or `name=version`, where the builds of an environment start from.

    With `upgrade`, they have the newest version, also if the image has an older one.

    Raises:
        CompileError: if they cannot be installed.
    """
    python = python_of(builder, environment.platform)
    command, inputs = build_job(
        {"system_packages": packages, "upgrade": upgrade}, {}, python, environment.platform
    )
    result = builders.install(environment, inputs, command, results=results, on_output=on_output)
    check_interpreter(result, builder.name, environment.platform)
    if result.code:
        message = f"{', '.join(packages)} cannot be installed in {builder.name}:\n{tail(result)}"
        raise CompileError.of(message, hint)


def python_of(builder: Builder, platform: Platform) -> str:
    """Return the command of a builder's Python; for a runtime without Python, of its distribution's."""
    return builder.python if platform.runtime.python_version else "python3"


def check_interpreter(result: BuildResult, name: str, platform: Platform) -> None:
    """Check that the builder has the runtime's interpreter, because images change.

    Raises:
        CompileError: if it has another one, or none.
    """
    if result.code not in {WRONG_PYTHON, *_NO_SUCH_COMMAND}:
        return
    wanted = ".".join(map(str, platform.runtime.python_version or (3,)))
    last = (result.output.strip().splitlines() or [""])[-1]
    found = repr(last) if result.code == WRONG_PYTHON else f"none that an unprivileged user can run ({last})"
    message = f"{name} cannot build for {platform.runtime}: expected Python {wanted}, found {found}"
    raise CompileError.of(message, "set builder_image to an image of that runtime")
