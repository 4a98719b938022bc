"""The files of a package -> a problem that explains why none of them is compatible."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from packaging.requirements import Requirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.candidates import (
    IndexFile,
    accepts_python,
    choose,
    choose_sdist,
    fit,
    is_wheel_of,
    usable,
    version_of,
    wheel_tags,
)
from entrypoint.index.options import IndexOptions
from entrypoint.index.pin import Pin
from entrypoint.index.tags import supported_tags
from entrypoint.manifest.runtimes import Platform

_LISTED = 8
"""How many incompatible wheels a message lists, the closest first; it only counts the rest."""

_NOT_COMPILED = {
    True: "its source is compiled only if the lock says so and no option or Requires-Python excludes it",
    False: "it has no source distribution to compile",
}

_PYTHON = re.compile(r"^(?:cp|py)(\d)(\d*)$")
_MACHINES = ("x86_64", "aarch64", "i686", "armv7l", "armv6l", "ppc64le", "s390x", "riscv64", "loongarch64")
_OTHER_MACHINES = tuple(f"is for {machine}" for machine in _MACHINES)
_SYSTEMS = {
    "musllinux": "musl (Alpine)",
    "macosx": "macOS",
    "win": "Windows",
    "ios": "iOS",
    "android": "Android",
}


def no_compatible_file(pin: Pin, files: Iterable[IndexFile], platform: Platform) -> Diagnostic:
    """Explain why a pinned version has neither a compatible wheel nor a usable source distribution."""
    files = tuple(files)
    other = None if pin.from_source else choose(replace(pin, hashes=frozenset()), files, platform)
    if other:
        return Diagnostic(
            f"the hash of {other.filename} does not match the lock: "
            f"expected one of {', '.join(sorted(pin.hashes))}, got sha256:{other.sha256}",
            "lock again if this version is expected to have new files; otherwise, find out who replaced it",
            pin.location,
        )
    if not files:
        return _unknown(pin.name, pin.location)
    of_version = [file for file in files if version_of(file.filename) == Version(pin.version)]
    if not of_version:
        hint = f"lock again or pin one of {_newest_versions(files)}"
        return Diagnostic(f"the index has no version {pin.version} of {pin.name}", hint, pin.location)
    if pin.from_source:
        if other := choose_sdist(replace(pin, hashes=frozenset()), files, platform):
            message = f"the hash of {other.filename}, the source of {pin}, does not match the lock"
            return Diagnostic(message, "lock again to add the hash of the source", pin.location)
        message = f"{pin} must be compiled, but the index has no source distribution of it for {platform}"
        return Diagnostic(message, "pin a version that has one, or allow wheels for it", pin.location)
    return _explained(str(pin), of_version, platform, pin.location)


def no_compatible_version(
    requirement: Requirement,
    location: Location,
    files: Iterable[IndexFile],
    platform: Platform,
    options: IndexOptions,
) -> Diagnostic | None:
    """Explain why no version that a requirement allows has a compatible file; None if one has."""
    files = tuple(files)
    name, specifier = canonicalize_name(requirement.name), requirement.specifier
    if not files:
        return _unknown(name, location)
    versions = {version for file in files if (version := version_of(file.filename))}
    allowed = sorted(specifier.filter(versions))
    if not allowed:
        hint = f"require one of {_newest_versions(files)}"
        return Diagnostic(f"no version of {name} satisfies `{requirement}`", hint, location)
    pins = [Pin(name=name, version=str(version), location=location) for version in allowed]
    if any(usable(pin, files, platform, options) for pin in pins):
        return None
    if options.wants_source(name):
        return no_compatible_file(replace(pins[-1], from_source=True), files, platform)
    of_version = [file for file in files if version_of(file.filename) == allowed[-1]]
    return _explained(f"{name} {allowed[-1]}", of_version, platform, location)


def why_no_wheel(name: str, version: str, files: Iterable[IndexFile], platform: Platform) -> str:
    """Explain why a version must be compiled; empty if it has a compatible wheel."""
    files = tuple(files)
    wheels = [file for file in files if is_wheel_of(file.filename, version)]
    if any(not incompatibilities(file, platform) for file in wheels):
        return ""
    reason = _listing(wheels, platform) or f"{name} {version} has no wheels"
    compatible = [file for file in files if file.yanked is None and _is_compatible_wheel(file, platform)]
    return f"{reason}; compatible wheels have {_newest_versions(compatible)}" if compatible else reason


def _is_compatible_wheel(file: IndexFile, platform: Platform) -> bool:
    return file.filename.endswith(".whl") and not incompatibilities(file, platform)


def incompatibilities(file: IndexFile, platform: Platform) -> tuple[str, ...]:
    """Return the reasons why a wheel is incompatible; empty if it is compatible."""
    if fit(file.filename, platform) is None:
        tags = sorted(wheel_tags(file.filename), key=str)
        return min((tuple(_incompatibilities_of_tag(tag, platform)) for tag in tags), key=_distance)
    if not accepts_python(file.requires_python, platform):
        return (f"requires Python {file.requires_python}",)
    return ()


def _explained(
    package: str, files: Sequence[IndexFile], platform: Platform, location: Location
) -> Diagnostic:
    wheels = [file for file in files if is_wheel_of(file.filename, str(version_of(file.filename)))]
    if not wheels:
        return Diagnostic(
            f"{package} has no wheels, only a source distribution",
            f"pin a version that has a wheel; {_NOT_COMPILED[True]}",
            location,
        )
    has_source = len(wheels) < len(files)
    return Diagnostic(
        f"{package} has no compatible wheel for {platform}: {_listing(wheels, platform)}",
        f"pin a version that has one, or remove this platform; {_NOT_COMPILED[has_source]}",
        location,
    )


def _listing(wheels: Sequence[IndexFile], platform: Platform) -> str:
    by_distance = sorted(wheels, key=lambda file: (distance(file, platform), file.filename))
    named = [
        f"{file.filename} ({', '.join(incompatibilities(file, platform))})" for file in by_distance[:_LISTED]
    ]
    if len(wheels) > _LISTED:
        named.append(f"and {len(wheels) - _LISTED} more")
    return ", ".join(named)


def _incompatibilities_of_tag(tag: Tag, platform: Platform) -> Iterator[str]:
    system, machine = _system_and_machine(tag.platform)
    if system in _SYSTEMS:
        yield f"is for {_SYSTEMS[system]}"
    if machine and machine != platform.architecture.machine:
        yield f"is for {machine}"
    needed = _glibc(tag.platform)
    if needed and needed > platform.runtime.glibc:
        ours = ".".join(map(str, platform.runtime.glibc))
        yield f"requires glibc {needed[0]}.{needed[1]}, {platform.runtime} has {ours}"
    if tag.interpreter.startswith("pp"):
        yield "is for PyPy"
    elif tag.abi.startswith("cp") and tag.abi.endswith("t"):
        yield "is for free-threaded Python"
    elif not _accepts_interpreter(tag, platform):
        version = _PYTHON.sub(r"Python \1.\2", tag.interpreter).removesuffix(".")
        yield f"is for {version}{' or newer' if tag.abi == 'abi3' else ''}"


def _accepts_interpreter(tag: Tag, platform: Platform) -> bool:
    """Whether the interpreter and ABI of a tag are compatible with any platform tag."""
    return any(
        (ours.interpreter, ours.abi) == (tag.interpreter, tag.abi) for ours in supported_tags(platform)
    )


def _system_and_machine(platform_tag: str) -> tuple[str, str]:
    """Split a platform tag such as macosx_11_0_arm64; both are empty for `any`."""
    if platform_tag == "any":
        return "", ""
    system = platform_tag.split("_", 1)[0].rstrip("0123456789")
    return system, next((name for name in _MACHINES if platform_tag.endswith(name)), "")


def _glibc(platform_tag: str) -> tuple[int, int] | None:
    """Return the glibc version that a PEP 600 tag requires; None for other tags."""
    words = platform_tag.split("_")
    if words[0] != "manylinux" or not all(word.isdigit() for word in words[1:3]):
        return None
    return int(words[1]), int(words[2])


def distance(wheel: IndexFile, platform: Platform) -> tuple[int, int]:
    """Return a sort key: how far a wheel is from being compatible."""
    return _distance(incompatibilities(wheel, platform))


def _distance(reasons: tuple[str, ...]) -> tuple[int, int]:
    """Rank the reasons: another system is further than another machine, which is further than glibc."""
    far = (
        "is for Python",
        "is for free-threaded",
        "is for PyPy",
        "requires glibc",
        *_OTHER_MACHINES,
        "is for ",
    )
    ranks = [next((rank for rank, start in enumerate(far) if text.startswith(start)), 0) for text in reasons]
    return max(ranks, default=0), len(reasons)


def _unknown(name: str, location: Location) -> Diagnostic:
    hint = "check the spelling, and the settings --index-url, --extra-index-url and --find-links"
    return Diagnostic(f"package {name} not found in any index", hint, location)


def _newest_versions(files: Iterable[IndexFile]) -> str:
    versions = {version for file in files if (version := version_of(file.filename))}
    return ", ".join(map(str, sorted(versions)[-5:])) or "none"
