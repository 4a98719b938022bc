"""The contents of a wheel: all members are unpacked and checked, and all ELF files read.

In: a wheel on disk. Out: its `Contents`, cached under the wheel's SHA-256, on which alone they depend.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from entrypoint.cache import Cache, Made
from entrypoint.layer import elf
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.foreign import HEAD, system_of
from entrypoint.wheels.fetch import Wheel
from entrypoint.wheels.wheel import Member, member_facts, members_of, read_content, read_members

_FORMAT = 7
"""Increment when the checks or the facts change, so that existing entries are not reused."""
_KIND = f"inspected/{_FORMAT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A wheel whose bytes were all checked: its members, metadata, and the facts of its ELF files."""

    wheel: Wheel
    members: tuple[Member, ...]
    #: Requires-Dist and Requires-Python in its METADATA.
    requires: tuple[str, ...]
    requires_python: str | None
    #: An SPDX expression, or another description of the license in one line, from its METADATA.
    license: str | None
    elf: Mapping[str, ElfFacts]
    #: ELF files that cannot be read, with the reason.
    damaged: Mapping[str, str]
    #: Files for macOS and Windows, with the name of the system.
    foreign: Mapping[str, str]


def inspect(wheel: Wheel, cache: Path) -> Contents:
    """Return the contents of a wheel, from the cache if possible.

    Raises:
        ArchiveError: if the wheel is damaged or cannot be copied into a layer.
    """
    entry = Cache(cache).get_or_make(_KIND, wheel.sha256, lambda _: Made(facts=_inspect(wheel)))
    return _contents(wheel, entry.facts)


def _inspect(wheel: Wheel) -> dict[str, Any]:
    members = read_members(wheel.path)
    facts: dict[str, Any] = {"elf": {}, "damaged": {}, "foreign": {}} | _metadata("")
    facts["members"] = member_facts(members)
    for member, content in read_content(wheel.path, members):
        head = content.read(HEAD)
        if head.startswith(elf.MAGIC):
            try:
                facts["elf"][member.path] = asdict(elf.read(content))
            except ValueError as error:
                facts["damaged"][member.path] = str(error)
        elif system := system_of(head):
            facts["foreign"][member.path] = system
        elif member.path.endswith(".dist-info/METADATA") and member.path.count("/") == 1:
            content.seek(0)
            facts |= _metadata(content.read().decode("utf-8", "replace"))
    return facts


def _metadata(text: str) -> dict[str, Any]:
    """Return the relevant fields of METADATA: https://packaging.python.org/specifications/core-metadata/."""
    metadata = HeaderParser().parsestr(text)
    classifiers = (line.split(" :: ") for line in metadata.get_all("Classifier", []))
    classified = [parts[-1] for parts in classifiers if parts[0] == "License" and len(parts) > 1]
    written = metadata.get("License", "").strip()
    one_line = written if "\n" not in written and written.upper() != "UNKNOWN" else ""
    return {
        "requires": metadata.get_all("Requires-Dist", []),
        "requires_python": metadata.get("Requires-Python"),
        "license": metadata.get("License-Expression") or one_line or " OR ".join(classified) or None,
    }


def _contents(wheel: Wheel, facts: Mapping[str, Any]) -> Contents:
    return Contents(
        wheel=wheel,
        members=members_of(facts["members"]),
        requires=tuple(facts["requires"]),
        requires_python=facts["requires_python"],
        license=facts["license"],
        elf={path: _elf_facts(values) for path, values in facts["elf"].items()},
        damaged=facts["damaged"],
        foreign=facts["foreign"],
    )


def _elf_facts(values: Mapping[str, Any]) -> ElfFacts:
    return ElfFacts(
        machine=values["machine"],
        versions=tuple(values["versions"]),
        needed=tuple(values["needed"]),
        soname=values["soname"],
        search_path=tuple(values["search_path"]),
        is_module=values["is_module"],
        symbols=values["symbols"],
    )
