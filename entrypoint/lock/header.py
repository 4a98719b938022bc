"""The header of a generated lock: its platform, and the hashes of its inputs and of itself.

Light, for the check hook.
"""

import hashlib
import re
from pathlib import Path

from entrypoint.lock.input_files import LARGEST
from entrypoint.lock.requirement_lines import RequirementLines, read_lines
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

LOCK_HINT = "run: lambda-layers lock"

MADE_FOR = re.compile(r"^# Made by `lambda-layers lock` for (\S+)\.", re.MULTILINE)
INPUTS = re.compile(r"^# inputs: (sha256:[0-9a-f]{64})$", re.MULTILINE)
DIGEST = re.compile(r"^# digest: (sha256:[0-9a-f]{64})\n", re.MULTILINE)
FROM_SOURCE = re.compile(r"^# from source: (.+)$", re.MULTILINE)
_BUILT_VERSION = r"[A-Za-z0-9][A-Za-z0-9.!+_-]*"
BUILD_SECTION = re.compile(
    rf"^# build requirements of ([a-z0-9-]+=={_BUILT_VERSION}):(?: none)?$", re.MULTILINE
)
BUILD_ENTRY = re.compile(
    rf"#   (?P<name>[a-z0-9-]+)==(?P<version>{_BUILT_VERSION})(?P<source> \(from source\))?"
    r"(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)
_SYSTEM_PACKAGE = r"[A-Za-z0-9][A-Za-z0-9.+_-]*"
LIBRARY_SECTION = re.compile(
    rf"^# libraries of (?P<image>\S+) for (?P<names>{_SYSTEM_PACKAGE}(?:, {_SYSTEM_PACKAGE})*):$",
    re.MULTILINE,
)
LIBRARY_ENTRY = re.compile(rf"#   (?P<name>{_SYSTEM_PACKAGE}) (?P<version>[A-Za-z0-9][A-Za-z0-9.:+~^_-]*)")
_PINNED_IN_COMMENT = re.compile(r"^#   [^/\s]+==.*$", re.MULTILINE)
_PIN = re.compile(r"^([a-z0-9-]+)==\S+ \\\n", re.MULTILINE)
_HASHES = r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
_WELL_FORMED = re.compile(rf"(?:#.*\n)+(?:[a-z0-9-]+==\S+{_HASHES}(?:    #.*\n)*)*")


def inputs_hash(inputs: RequirementLines, platform: Platform) -> str:
    """Hash the inputs for a platform; comments, whitespace, order and credentials have no effect."""
    lines = ("".join(("-c " if line.is_constraint else "", *line.text.split())) for line in inputs.lines)
    text = "\n".join(
        [str(platform), *inputs.option_lines, *sorted(lines), *inputs.build_lines, *inputs.source_lines]
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def lock_digest(text: str) -> str:
    """Hash the text of a lock, without the line that has this hash.

    It shows that a lock was changed by hand or by a merge, so that it has a package that nothing asks for.
    """
    return f"sha256:{hashlib.sha256(DIGEST.sub('', text).encode()).hexdigest()}"


def has_own_digest(text: str) -> bool:
    """Return whether a lock has the hash of its text, once."""
    return DIGEST.findall(text) == [lock_digest(text)]


def is_in_sync(
    path: Path,
    platform: Platform,
    *,
    requirements: Requirements,
    from_source: frozenset[str] = frozenset(),
    root: Path | None = None,
) -> bool:
    """Return whether a lock is a generated one, in sync with its inputs, and pinned and hashed in every line.

    If this is False, read the lock in full to find out what is wrong, if anything.
    """
    try:
        if path.stat().st_size > LARGEST:
            return False
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    made_for, recorded = MADE_FOR.search(text), INPUTS.search(text)
    if requirements.libraries and not LIBRARY_SECTION.search(text):
        return False
    if not made_for or not recorded or made_for[1] != str(platform) or not _is_as_written(text):
        return False
    inputs = read_lines(requirements, root=root, from_source=from_source)
    return not inputs.problems and inputs_hash(inputs, platform) == recorded[1]


def _is_as_written(text: str) -> bool:
    """Return whether a lock has the form and the digest that `lambda-layers lock` gives it."""
    names = _PIN.findall(text)
    if not _WELL_FORMED.fullmatch(text) or not has_own_digest(text):
        return False
    if names != sorted(set(names)):  # two pins of one package may conflict
        return False
    compiled = {name for found in FROM_SOURCE.findall(text) for name in found.split(", ")}
    described = {built.partition("==")[0] for built in BUILD_SECTION.findall(text)}
    for line in _PINNED_IN_COMMENT.findall(text):
        entry = BUILD_ENTRY.fullmatch(line)
        if not entry:
            return False
        compiled |= {entry["name"]} if entry["source"] else set()
    return compiled <= described
