"""A finished archive -> what would go wrong with it in its runtime, before anybody meets it there.

Pure: it reads the facts that `inspect` found, not the bytes. A rule is a function from the archive
and the target to findings; `RULES` lists them. An error keeps the layer from being published.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from entrypoint.build.assemble import Archive
from entrypoint.build.elf import ElfFacts
from entrypoint.build.wheel import Member
from entrypoint.errors import Place, Problem
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.targets import Target

_LARGEST = 5
_SHARED_OBJECT = re.compile(r"\.so(\.[0-9]+)*$")
_CPYTHON_SUFFIX = re.compile(r"^(?P<module>.+)\.cpython-3(?P<minor>[0-9]+)t?-[^/]*\.so$")
_GLIBC = re.compile(r"GLIBC_(?P<major>[0-9]+)\.(?P<minor>[0-9]+)")


class Severity(StrEnum):
    """How much a finding matters: an error stops the run."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule has to say about one target."""

    rule: str
    severity: Severity
    target: Target
    message: str
    remedy: str
    place: Place

    @property
    def problem(self) -> Problem:
        """The finding as errors print it."""
        return Problem(f"{self.target}: {self.message} [{self.rule}]", self.remedy, self.place)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a rule says, before it is known for which target."""

    severity: Severity
    message: str
    remedy: str


def verify(archive: Archive, target: Target) -> tuple[Finding, ...]:
    """Return everything that the rules find in the archive of this target."""
    return tuple(
        Finding(
            rule=rule,
            severity=claim.severity,
            target=target,
            message=claim.message,
            remedy=claim.remedy,
            place=target.layer.place,
        )
        for rule, check in RULES.items()
        for claim in check(archive, target)
    )


def _layout(archive: Archive, _: Target) -> Iterator[_Claim]:
    if not any(entry.path.endswith((".py", ".so")) for entry in archive.entries):
        yield _Claim(Severity.ERROR, "nothing in it can be imported", "name a package in its requirements")


def _unzipped_size(archive: Archive, _: Target) -> Iterator[_Claim]:
    if archive.unzipped_size > UNZIPPED_BYTES:
        largest = sorted(archive.packages, key=lambda package: -package.size)[:_LARGEST]
        names = ", ".join(f"{package.wheel.name} {package.size / 1e6:.1f} MB" for package in largest)
        message = f"it unpacks to {archive.unzipped_size:,} bytes, where Lambda takes {UNZIPPED_BYTES:,}"
        yield _Claim(Severity.ERROR, message, f"split it or drop packages; the largest are {names}")


def _contested(archive: Archive, _: Target) -> Iterator[_Claim]:
    for path, wheel in archive.contested:
        message = f"several packages hold a different {path}; the one of {wheel.name} is used"
        yield _Claim(Severity.WARNING, message, "see whether both packages are needed in one layer")


def _elf_machine(archive: Archive, target: Target) -> Iterator[_Claim]:
    machine = target.platform.architecture.machine
    for wheel, path, facts in _elf_files(archive):
        if facts.machine != machine:
            is_library = _SHARED_OBJECT.search(path) is not None
            yield _Claim(
                Severity.ERROR if is_library else Severity.WARNING,
                f"{path} of {wheel} is made for {facts.machine}, not for {machine}",
                f"use a wheel for {machine}"
                if is_library
                else "it cannot run there; make sure nothing needs it",
            )
    for contents in archive.contents:
        for path, reason in contents.damaged.items():
            message = f"{path} of {contents.wheel.filename} is a damaged ELF file: {reason}"
            yield _Claim(Severity.ERROR, message, "get another build of the package")


def _glibc(archive: Archive, target: Target) -> Iterator[_Claim]:
    have = target.platform.runtime.glibc
    machine = target.platform.architecture.machine
    for wheel, path, facts in _elf_files(archive):
        need = max((version for text in facts.versions if (version := _glibc_version(text))), default=(0, 0))
        if facts.machine == machine and need > have:
            need_text, have_text = (".".join(map(str, version)) for version in (need, have))
            message = (
                f"{path} of {wheel} needs GLIBC_{need_text}, and {target.platform.runtime} has {have_text}"
            )
            yield _Claim(
                Severity.ERROR, message, "use a version of the package with a wheel for an older glibc"
            )


def _glibc_version(text: str) -> tuple[int, int] | None:
    match = _GLIBC.search(text)
    return (int(match["major"]), int(match["minor"])) if match else None


def _cpython_suffix(archive: Archive, target: Target) -> Iterator[_Claim]:
    version = target.platform.runtime.python_version
    for contents in archive.contents:
        minors: dict[str, set[int]] = {}
        for member in contents.members:
            if match := _CPYTHON_SUFFIX.match(member.path):
                minors.setdefault(match["module"], set()).add(int(match["minor"]))
        for module, found in minors.items():
            if version and version[1] not in found and not _has_stable_abi(module, contents.members):
                others = ", ".join(f"3.{minor}" for minor in sorted(found))
                message = f"{module} of {contents.wheel.filename} is compiled for Python {others} only"
                yield _Claim(Severity.ERROR, message, f"use a wheel for {target.platform.runtime}")


def _has_stable_abi(module: str, members: tuple[Member, ...]) -> bool:
    return any(member.path in {f"{module}.abi3.so", f"{module}.so", f"{module}.py"} for member in members)


def _elf_files(archive: Archive) -> Iterator[tuple[str, str, ElfFacts]]:
    for contents in archive.contents:
        for path, facts in contents.elf.items():
            yield contents.wheel.filename, path, facts


RULES: dict[str, Callable[[Archive, Target], Iterator[_Claim]]] = {
    "layout": _layout,
    "unzipped-size": _unzipped_size,
    "contested-path": _contested,
    "elf-machine": _elf_machine,
    "glibc": _glibc,
    "cpython-suffix": _cpython_suffix,
}
