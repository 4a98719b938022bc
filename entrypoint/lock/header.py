"""What our locks say of themselves: for which platform, from which inputs. Light, for the hooks."""

import hashlib
import re
from pathlib import Path

from entrypoint.lock.requirement_lines import RequirementLines, read_lines
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import Platform

MADE_FOR = re.compile(r"^# Made by `lambda-layers lock` for (\S+)\.", re.MULTILINE)
INPUTS = re.compile(r"^# inputs: (sha256:[0-9a-f]{64})$", re.MULTILINE)
_PIN = re.compile(r"^([a-z0-9-]+)==\S+ \\\n", re.MULTILINE)
_HASHES = r"(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
_STANDS = re.compile(rf"(?:#.*\n)+(?:[a-z0-9-]+==\S+{_HASHES}(?:    #.*\n)*)*")


def lock_path(requirements: Requirements, platform: Platform, layer_name: str, folder: Path) -> Path:
    """Say where a platform's lock stands: beside the first input file, else beside the manifest."""
    if requirements.files:
        first = requirements.files[0]
        return first.with_name(f"{first.stem}-{platform}.txt")
    return folder / f"{layer_name}-{platform}.txt"


def inputs_hash(written: RequirementLines, platform: Platform) -> str:
    """Hash what the inputs say for a platform; comments, blanks, order and credentials do not count."""
    lines = ("".join(("-c " if line.is_constraint else "", *line.text.split())) for line in written.lines)
    text = "\n".join([str(platform), *written.option_lines, *sorted(lines)])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def stands(
    path: Path,
    platform: Platform,
    *,
    requirements: Requirements,
    from_source: frozenset[str] = frozenset(),
    root: Path | None = None,
) -> bool:
    """Tell whether a lock is certainly ours, in step with its inputs, pinned and hashed in every line.

    False says that it has to be read with care: that finds what is wrong with it, if anything is.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    made_for, inputs = MADE_FOR.search(text), INPUTS.search(text)
    if not made_for or not inputs or made_for[1] != str(platform) or not _STANDS.fullmatch(text):
        return False
    names = _PIN.findall(text)
    if names != sorted(set(names)):  # two of one name may contradict each other
        return False
    written = read_lines(requirements, root=root, from_source=from_source)
    return not written.problems and inputs_hash(written, platform) == inputs[1]
