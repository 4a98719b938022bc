"""What a build leaves, read with care: its code is not trusted."""

import json
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from entrypoint.errors import CompileError
from entrypoint.index.candidates import fit
from entrypoint.index.requirement import read_requirement
from entrypoint.index.tags import marker_environment
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.build_environment import BuildResult
from entrypoint.wheels.fetch import Sdist, Wheel

_SHOWN_LINES = 20
_LARGEST_ANSWER = 1 << 16
_PIN_ANOTHER = "pin a version that has a wheel"


def answer_of(result: BuildResult, sdist: Sdist) -> dict[str, Any]:
    """Return what the build reports.

    Raises:
        CompileError: if it is no JSON object, or implausibly large.
    """
    path = result.files.get("answer.json")
    try:
        if path and path.stat().st_size <= _LARGEST_ANSWER:
            answer = json.loads(path.read_bytes())
            if isinstance(answer, dict):
                return answer
    except (ValueError, RecursionError):
        pass
    raise CompileError.of(f"the build of {sdist} produced no wheel", _PIN_ANOTHER)


def checked(result: BuildResult, sdist: Sdist, platform: Platform) -> Path:
    """Return the wheel of a build, checked against the package and platform.

    Raises:
        CompileError: if there is none, or it is another package's or another platform's.
    """
    filename = answer_of(result, sdist).get("wheel")
    built = result.files.get(filename) if isinstance(filename, str) else None
    if built is None:
        raise CompileError.of(f"the build of {sdist} produced no wheel", _PIN_ANOTHER)
    check_name(built.name, sdist, platform)
    return built


def check_name(filename: str, sdist: Sdist, platform: Platform) -> None:
    """Check that a file is a wheel of this package and platform, by its name.

    Raises:
        CompileError: if it is not.
    """
    try:
        name, version, *_ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise CompileError.of(f"the build of {sdist} produced {filename}: {error}", _PIN_ANOTHER) from None
    if (name, version) != (canonicalize_name(sdist.name), Version(sdist.version)):
        message = f"the build of {sdist} produced {filename}, another package"
        raise CompileError.of(message, _PIN_ANOTHER)
    if fit(filename, platform) is None:
        message = f"the build of {sdist} produced {filename}, not compatible with {platform}"
        raise CompileError.of(message, "set builder_image to an image of the runtime")


def missing(asked: Any, wheels: tuple[Wheel, ...], sdist: Sdist, platform: Platform) -> tuple[str, ...]:  # noqa: ANN401 - untrusted JSON
    """Return the requirements that a backend asks for and the wheels do not satisfy.

    Raises:
        CompileError: if it asks for something that is not a requirement of a named package.
    """
    versions = {canonicalize_name(wheel.name): wheel.version for wheel in wheels}
    more = []
    for text in asked if isinstance(asked, list) else ():
        try:
            requirement = read_requirement(text if isinstance(text, str) else "")
            applies = requirement.marker is None or requirement.marker.evaluate(
                dict(marker_environment(platform))
            )
        except (InvalidRequirement, ValueError):
            message = f"the build of {sdist} asks for {str(text)[:100]!r}, which is not a requirement"
            raise CompileError.of(message, _PIN_ANOTHER) from None
        version = versions.get(canonicalize_name(requirement.name))
        if applies and (version is None or not requirement.specifier.contains(version, prereleases=True)):
            more.append(str(requirement))
    return tuple(dict.fromkeys(more))


def tail(result: BuildResult) -> str:
    """Return the last lines of a failed command's output."""
    lines = [line.rstrip() for line in result.output.splitlines() if line.strip()]
    shown = "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])
    return shown or f"    exit code {result.code}, no output"
