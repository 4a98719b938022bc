"""What a Lambda runtime accepts: a platform goes in, its wheel tags and its marker environment come out.

Both are computed for the platform, never asked of the interpreter that runs this, so a laptop, a
GitHub runner and the container image all choose the same wheels. Order and meaning of the tags:
PEP 425, PEP 600 (manylinux) and packaging.tags; the markers: PEP 508.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from packaging.tags import Tag, compatible_tags, cpython_tags

from entrypoint.errors import Diagnostic, ManifestError
from entrypoint.manifest.runtimes import Architecture, Platform

# The oldest glibc that a manylinux tag names for each machine (PEP 513 and PEP 599).
_OLDEST_GLIBC = {Architecture.X86_64: 5, Architecture.ARM64: 17}
# The names that three glibc versions had before PEP 600.
_LEGACY_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@lru_cache
def supported_tags(platform: Platform) -> tuple[Tag, ...]:
    """Every wheel tag that the platform accepts, best first."""
    version = _python_version(platform)
    interpreter = f"cp{version[0]}{version[1]}"
    platforms = tuple(_platform_tags(platform))
    return (
        *cpython_tags(version, abis=[interpreter], platforms=platforms),
        *compatible_tags(version, interpreter=interpreter, platforms=platforms),
    )


@lru_cache
def tag_ranks(platform: Platform) -> Mapping[Tag, int]:
    """The place of every accepted tag in the order of preference; 0 is the best."""
    return {tag: rank for rank, tag in enumerate(supported_tags(platform))}


def marker_environment(platform: Platform) -> dict[str, str]:
    """The values that PEP 508 markers see when they are judged on the platform.

    `platform_release` and `platform_version` name the kernel of whichever machine happens to run the
    function, so no true answer holds for tomorrow. They are "0": older than any kernel a marker asks
    for, and still a version (packaging before 26 raises when it compares what is none).
    """
    major, minor = _python_version(platform)
    full_version = platform.runtime.python or ""
    return {
        "implementation_name": "cpython",
        "implementation_version": full_version,
        "os_name": "posix",
        "platform_machine": platform.architecture.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "0",
        "platform_system": "Linux",
        "platform_version": "0",
        "python_full_version": full_version,
        "python_version": f"{major}.{minor}",
        "sys_platform": "linux",
    }


def _platform_tags(platform: Platform) -> Iterator[str]:
    machine = platform.architecture.machine
    major, newest = platform.runtime.glibc
    for minor in range(newest, _OLDEST_GLIBC[platform.architecture] - 1, -1):
        yield f"manylinux_{major}_{minor}_{machine}"
        if minor in _LEGACY_ALIASES:
            yield f"{_LEGACY_ALIASES[minor]}_{machine}"
    yield f"linux_{machine}"


def _python_version(platform: Platform) -> tuple[int, int]:
    version = platform.runtime.python_version
    if version is None:
        raise ManifestError(
            Diagnostic(
                f"{platform.runtime} has no Python of its own, so no wheels can be chosen for it",
                "use `content` for its layers, or a python runtime for `requirements`",
            )
        )
    return version
