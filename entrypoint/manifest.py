"""lambda-layers.yml: what it says, as frozen values."""

from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a layer asks for: requirements files, or lines written into the manifest itself."""

    files: tuple[Path, ...] = ()
    lines: tuple[tuple[str, Place], ...] = ()
    place: Place
