"""The imports of the modules of a layer, which presets of `exclude` must not break."""

import zlib
from pathlib import Path

from entrypoint.cache import Cache, Made
from entrypoint.layer.inspect import Contents
from entrypoint.layer.layout import Part
from entrypoint.layer.module_imports import Imports, module_imports
from entrypoint.manifest.runtimes import ROOT
from entrypoint.wheels.wheel import read_content

_KIND = "imports/1"
"""Increment the number when other imports are found, so that existing entries are not reused."""


def imports_of(part: Part, cache: Path) -> Imports:
    """Return what the modules of a part import; each wheel is read once."""
    if part.contents is None:
        modules = (entry for entry in part.entries if entry.path.endswith(".py") and not entry.is_link)
        return {entry.path: module_imports(zlib.decompress(entry.data, -zlib.MAX_WBITS)) for entry in modules}
    contents = part.contents
    entry = Cache(cache).get_or_make(_KIND, contents.wheel.sha256, lambda _: Made(facts=_read(contents)))
    return {ROOT + path: names for path, names in entry.facts.items()}


def _read(contents: Contents) -> dict[str, list[str]]:
    members = [member for member in contents.members if member.path.endswith(".py")]
    return {
        member.path: module_imports(file.read())
        for member, file in read_content(contents.wheel.path, members)
    }
