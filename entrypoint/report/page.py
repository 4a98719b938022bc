"""The overview -> one self-contained HTML page: the only importer of jinja2.

Everything from archives and AWS is untrusted text: the templates escape it, and the page's own policy
forbids scripts, the network, and any style but the one in the page.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from entrypoint import __version__
from entrypoint.figures import count
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.arn import short_name
from entrypoint.release.archive_contents import Content, FileKind, Inventory
from entrypoint.release.overview import Overview
from entrypoint.report.treemap import Box, boxes

_HERE = Path(__file__).parent
_BOXES = 40
"""The number of packages that a map shows separately; the table shows all."""
_GLYPH, _LINE = 7.2, 18
"""Pixels of a label: the width of a letter, and the height of a line."""
_SCREEN, _PHONE = (1000, 420), (330, 420)
"""The minimum size of a map in pixels: on a screen, and on a phone."""


class Cell(NamedTuple):
    """A rectangle of a map: a package, or its files of one kind."""

    box: Box
    text: str
    #: `fits` everywhere, `wide` only on a screen, empty where the text has no room.
    label: str
    kind: FileKind | None = None


def render(overview: Overview) -> str:
    """Return the page."""
    environment = _environment()
    css = environment.get_template("page.css").render()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        report=overview,
        version=__version__,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        kinds=tuple(FileKind),
        limit=UNZIPPED_BYTES,
        cells=cells,
    )


@cache
def _environment() -> Environment:
    """Return what reads the templates, and keeps them compiled."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "size": _size,
        "percent": _percent,
        "counted": count,
        "short": short_name,
        "slug": _slug,
    }
    return environment


def cells(inventory: Inventory) -> tuple[Cell, ...]:
    """Return a layer's map: its packages by size, each divided by kind of file, and the labels on top."""
    shown = [(_title(each), each.sizes) for each in inventory.contents[:_BOXES] if each.size]
    if rest := [each for each in inventory.contents[_BOXES:] if each.size]:
        shown.append((f"{len(rest)} more", _together(rest)))
        shown.sort(key=lambda item: -sum(item[1].values()))
    found = boxes([sum(sizes.values()) for _, sizes in shown])
    return (
        *(
            cell
            for box, (title, sizes) in zip(found, shown, strict=True)
            for cell in _kinds(title, sizes, box)
        ),
        *(Cell(box, title, _label(title, box)) for box, (title, _) in zip(found, shown, strict=True)),
    )


def _kinds(title: str, sizes: Mapping[FileKind, int], outer: Box) -> Iterator[Cell]:
    found = sorted(((size, kind) for kind, size in sizes.items() if size), reverse=True)
    for box, (size, kind) in zip(boxes([size for size, _ in found], outer), found, strict=True):
        yield Cell(box, f"{title}: {_size(size)} of {kind}", "", kind)


def _together(contents: Sequence[Content]) -> dict[FileKind, int]:
    return {kind: sum(each.sizes.get(kind, 0) for each in contents) for kind in FileKind}


def _title(content: Content) -> str:
    return f"{content.name} {content.version}" if content.version else content.name


def _label(text: str, box: Box) -> str:
    def fits(screen: tuple[int, int]) -> bool:
        width, height = box.width * screen[0] / 100, box.height * screen[1] / 100
        return width >= len(text) * _GLYPH + 8 and height >= _LINE

    return "fits" if fits(_PHONE) else "wide" if fits(_SCREEN) else ""


def _size(number: int) -> str:
    for unit, factor in (("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return f"{number} B"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0 %"


def _slug(kind: str) -> str:
    return kind.partition(" ")[0].lower()
