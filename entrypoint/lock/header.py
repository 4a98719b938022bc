"""The header of our locks: the platform and the hash of the inputs. Light, for the hooks."""

import hashlib
import re
from pathlib import Path

from entrypoint.lock.requirement_lines import RequirementLines, read_lines
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

LOCK_HINT = "run: lambda-layers lock"

MADE_FOR = re.compile(r"^# Made by `lambda-layers lock` for (\S+)\.", re.MULTILINE)
INPUTS = re.compile(r"^# inputs: (sha256:[0-9a-f]{64})$", re.MULTILINE)
_PIN = re.compile(r"^([a-z0-9-]+)==\S+ \\\n", re.MULTILINE)
_HASHES = r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
_WELL_FORMED = re.compile(rf"(?:#.*\n)+(?:[a-z0-9-]+==\S+{_HASHES}(?:    #.*\n)*)*")


def inputs_hash(written: RequirementLines, platform: Platform) -> str:
    """Hash the inputs for a platform; comments, blanks, order and credentials do not count."""
    lines = ("".join(("-c " if line.is_constraint else "", *line.text.split())) for line in written.lines)
    text = "\n".join([str(platform), *written.option_lines, *sorted(lines)])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def is_in_sync(
    path: Path,
    platform: Platform,
    *,
    requirements: Requirements,
    from_source: frozenset[str] = frozenset(),
    root: Path | None = None,
) -> bool:
    """Return whether a lock is certainly ours, in sync with its inputs, and pinned and hashed in every line.

    False means that only reading it in full can tell what is wrong with it, if anything is.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    made_for, inputs = MADE_FOR.search(text), INPUTS.search(text)
    if not made_for or not inputs or made_for[1] != str(platform) or not _WELL_FORMED.fullmatch(text):
        return False
    names = _PIN.findall(text)
    if names != sorted(set(names)):  # two pins of one package may contradict each other
        return False
    written = read_lines(requirements, root=root, from_source=from_source)
    return not written.problems and inputs_hash(written, platform) == inputs[1]
