"""Sizes -> rectangles side by side: the only importer of squarify."""

from collections.abc import Sequence
from typing import NamedTuple

import squarify

_WIDTH, _HEIGHT = 160.0, 90.0
"""The proportions that rectangles are made square for; on a narrow screen they get narrower."""


class Box(NamedTuple):
    """A rectangle, in percent of the whole."""

    x: float
    y: float
    width: float
    height: float

    def inside(self, outer: "Box") -> "Box":
        """Return the same rectangle where the whole is another one's inside."""
        return Box(
            outer.x + self.x * outer.width / 100,
            outer.y + self.y * outer.height / 100,
            self.width * outer.width / 100,
            self.height * outer.height / 100,
        )


WHOLE = Box(0, 0, 100, 100)


def boxes(sizes: Sequence[int], within: Box = WHOLE) -> tuple[Box, ...]:
    """Return a rectangle for each size, all in proportion; the sizes come largest first, and are above 0."""
    if not sizes:
        return ()
    width, height = within.width * _WIDTH / 100, within.height * _HEIGHT / 100
    found = squarify.squarify(squarify.normalize_sizes(sizes, width, height), 0, 0, width, height)
    return tuple(
        Box(
            each["x"] / width * 100,
            each["y"] / height * 100,
            each["dx"] / width * 100,
            each["dy"] / height * 100,
        ).inside(within)
        for each in found
    )
