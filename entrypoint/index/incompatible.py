"""Why nothing fits: the files of a package go in, one problem that explains each of them comes out."""

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

# More wheels than a reader wants to see; those that come closest are named, the rest is counted.
_NAMED = 8

_NOT_COMPILED = {
    True: "its source is compiled where the lock says so, unless an option or Requires-Python forbids it",
    False: "there is no source of it that could be compiled",
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


def nothing_fits(pin: Pin, files: Iterable[IndexFile], platform: Platform) -> Diagnostic:
    """Explain why a pinned version has no file, neither wheel nor source, that may be used."""
    files = tuple(files)
    other = None if pin.from_source else choose(replace(pin, hashes=frozenset()), files, platform)
    if other:
        return Diagnostic(
            f"{other.filename} is not what the lock allows: expected one of {', '.join(sorted(pin.hashes))}, "
            f"got sha256:{other.sha256}",
            "if the index rightly has new files for this version, lock again; else find out who replaced it",
            pin.location,
        )
    if not files:
        return _unknown(pin.name, pin.location)
    of_version = [file for file in files if version_of(file.filename) == Version(pin.version)]
    if not of_version:
        hint = f"lock again, or pin one of {_newest_versions(files)}"
        return Diagnostic(f"the index has no version {pin.version} of {pin.name}", hint, pin.location)
    if pin.from_source:
        if other := choose_sdist(replace(pin, hashes=frozenset()), files, platform):
            message = f"{pin} is to be compiled, and its source {other.filename} is not what the lock allows"
            return Diagnostic(message, "lock again, with the hash of its source", pin.location)
        message = f"{pin} is to be compiled, and the index has no source of it that {platform} can use"
        return Diagnostic(message, "pin a version that has one, or do not ask for its source", pin.location)
    return _explained(str(pin), of_version, platform, pin.location)


def no_fitting_version(
    requirement: Requirement,
    location: Location,
    files: Iterable[IndexFile],
    platform: Platform,
    options: IndexOptions,
) -> Diagnostic | None:
    """Explain why no version that a requirement admits has a file to use; None when one does."""
    files = tuple(files)
    name, specifier = canonicalize_name(requirement.name), requirement.specifier
    if not files:
        return _unknown(name, location)
    versions = {version for file in files if (version := version_of(file.filename))}
    admitted = sorted(specifier.filter(versions))
    if not admitted:
        hint = f"ask for one of {_newest_versions(files)}"
        return Diagnostic(f"no version of {name} satisfies `{requirement}`", hint, location)
    pins = [Pin(name=name, version=str(version), location=location) for version in admitted]
    if any(usable(pin, files, platform, options) for pin in pins):
        return None
    if options.wants_source(name):
        return nothing_fits(replace(pins[-1], from_source=True), files, platform)
    of_version = [file for file in files if version_of(file.filename) == admitted[-1]]
    return _explained(f"{name} {admitted[-1]}", of_version, platform, location)


def why_no_wheel(name: str, version: str, files: Iterable[IndexFile], platform: Platform) -> str:
    """Say why a version has to be compiled; nothing where a wheel would fit and its source was asked for."""
    wheels = [file for file in files if is_wheel_of(file.filename, version)]
    if any(not misfits(file, platform) for file in wheels):
        return ""
    return _named(wheels, platform) or f"{name} {version} has no wheels at all"


def misfits(file: IndexFile, platform: Platform) -> tuple[str, ...]:
    """Say in a few words each why a wheel does not fit; nothing when it does."""
    if fit(file.filename, platform) is None:
        tags = sorted(wheel_tags(file.filename), key=str)
        return min((tuple(_misfits_of_tag(tag, platform)) for tag in tags), key=_distance)
    if not accepts_python(file.requires_python, platform):
        return (f"needs Python {file.requires_python}",)
    return ()


def _explained(
    package: str, files: Sequence[IndexFile], platform: Platform, location: Location
) -> Diagnostic:
    wheels = [file for file in files if is_wheel_of(file.filename, str(version_of(file.filename)))]
    if not wheels:
        return Diagnostic(
            f"{package} has no wheels at all, only its source",
            f"pin a version that has a wheel; {_NOT_COMPILED[True]}",
            location,
        )
    has_source = len(wheels) < len(files)
    return Diagnostic(
        f"{package} has no wheel that fits {platform}: {_named(wheels, platform)}",
        f"pin a version that has one, or leave this platform out; {_NOT_COMPILED[has_source]}",
        location,
    )


def _named(wheels: Sequence[IndexFile], platform: Platform) -> str:
    by_distance = sorted(wheels, key=lambda file: (distance(file, platform), file.filename))
    named = [f"{file.filename} ({', '.join(misfits(file, platform))})" for file in by_distance[:_NAMED]]
    if len(wheels) > _NAMED:
        named.append(f"and {len(wheels) - _NAMED} more that are no closer")
    return ", ".join(named)


def _misfits_of_tag(tag: Tag, platform: Platform) -> Iterator[str]:
    system, machine = _system_and_machine(tag.platform)
    if system in _SYSTEMS:
        yield f"is for {_SYSTEMS[system]}"
    if machine and machine != platform.architecture.machine:
        yield f"is for {machine}"
    needed = _glibc(tag.platform)
    if needed and needed > platform.runtime.glibc:
        ours = ".".join(map(str, platform.runtime.glibc))
        yield f"needs glibc {needed[0]}.{needed[1]} while {platform.runtime} has {ours}"
    if tag.interpreter.startswith("pp"):
        yield "is for PyPy"
    elif tag.abi.startswith("cp") and tag.abi.endswith("t"):
        yield "is for free-threaded Python"
    elif not _accepts_interpreter(tag, platform):
        version = _PYTHON.sub(r"Python \1.\2", tag.interpreter).removesuffix(".")
        yield f"is for {version}{' or newer' if tag.abi == 'abi3' else ''}"


def _accepts_interpreter(tag: Tag, platform: Platform) -> bool:
    """Whether some platform tag would make the rest of a tag fit."""
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
    """Read the glibc that a PEP 600 tag asks for."""
    words = platform_tag.split("_")
    if words[0] != "manylinux" or not all(word.isdigit() for word in words[1:3]):
        return None
    return int(words[1]), int(words[2])


def distance(wheel: IndexFile, platform: Platform) -> tuple[int, int]:
    """How far a wheel is from fitting, for sorting."""
    return _distance(misfits(wheel, platform))


def _distance(reasons: tuple[str, ...]) -> tuple[int, int]:
    """How far a wheel is from fitting: another system is further than another machine, and so on."""
    far = ("is for Python", "is for free-threaded", "is for PyPy", "needs glibc", *_OTHER_MACHINES, "is for ")
    ranks = [next((rank for rank, start in enumerate(far) if text.startswith(start)), 0) for text in reasons]
    return max(ranks, default=0), len(reasons)


def _unknown(name: str, location: Location) -> Diagnostic:
    hint = "check the spelling, and that --index-url, --extra-index-url or --find-links lead to it"
    return Diagnostic(f"no index knows a package {name}", hint, location)


def _newest_versions(files: Iterable[IndexFile]) -> str:
    versions = {version for file in files if (version := version_of(file.filename))}
    return ", ".join(map(str, sorted(versions)[-5:])) or "none"
