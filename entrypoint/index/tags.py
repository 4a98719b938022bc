"""A platform -> its supported wheel tags and its marker environment.

Both are computed for the platform, not for the running interpreter, so that a laptop, a GitHub runner
and the container image choose the same wheels. Order and meaning of the tags: PEP 425, PEP 600
(manylinux) and packaging.tags; markers: PEP 508.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from packaging.tags import Tag, compatible_tags, cpython_tags

from entrypoint.errors import Diagnostic, ManifestError
from entrypoint.manifest.runtimes import Architecture, Platform

# The oldest minor version of glibc with a manylinux tag, by machine (PEP 513 and PEP 599).
_OLDEST_GLIBC = {Architecture.X86_64: 5, Architecture.ARM64: 17}
# The names of three glibc versions before PEP 600.
_LEGACY_ALIASES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@lru_cache
def supported_tags(platform: Platform) -> tuple[Tag, ...]:
    """Return every wheel tag that the platform supports, best first."""
    version = _python_version(platform)
    interpreter = f"cp{version[0]}{version[1]}"
    platforms = tuple(_platform_tags(platform))
    return (
        *cpython_tags(version, abis=[interpreter], platforms=platforms),
        *compatible_tags(version, interpreter=interpreter, platforms=platforms),
    )


@lru_cache
def tag_ranks(platform: Platform) -> Mapping[Tag, int]:
    """Return the rank of every supported tag; 0 is the best."""
    return {tag: rank for rank, tag in enumerate(supported_tags(platform))}


def marker_environment(platform: Platform) -> dict[str, str]:
    """Return the values of PEP 508 markers on the platform.

    `platform_release` and `platform_version` depend on the kernel of the machine that runs the function,
    which is not known. They are "0": older than any kernel that a marker requires, and a valid version
    (packaging before 26 raises if it compares an invalid one).

    Raises:
        ManifestError: if the platform has no Python.
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
                f"{platform.runtime} has no Python and does not support wheels",
                "use 'content' for its layers, or a Python runtime for 'requirements'",
            )
        )
    return version
