"""Where the shapes of an OpenDocument slide or drawing stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from vecsearch.documents.loaders.office.package import XmlElement, get_attribute, get_local_name
from vecsearch.documents.loaders.office.reading_order import Box, merge_boxes, sort_in_reading_order

_LENGTH: Final = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?)(cm|mm|in|pt|pc|px|)")
_POINTS: Final = {"cm": 72 / 2.54, "mm": 72 / 25.4, "in": 72.0, "pt": 1.0, "pc": 12.0, "px": 0.75, "": 1.0}
_MOVE: Final = re.compile(r"translate ?\(([^ ,)]{1,30})[ ,]+([^ ,)]{1,30})\)")  # where a shape that is turned stands


def sort_shapes(shapes: Iterable[XmlElement]) -> list[XmlElement]:
    """Return the shapes of a page, or of one of its groups, in the order in which they are read."""
    return sort_in_reading_order(shapes, _find_box)


def _find_box(shape: XmlElement) -> Box | None:
    if get_local_name(shape) in ("g", "a"):
        return merge_boxes(map(_find_box, shape))
    places = [get_attribute(shape, name) for name in ("x", "y")]
    if not all(places) and (move := _MOVE.search(get_attribute(shape, "transform"))):
        places = [move[1], move[2]]
    left, top = map(_parse_length, places)
    if left is None or top is None:
        return None
    width, height = (_parse_length(get_attribute(shape, name)) or 0.0 for name in ("width", "height"))
    return Box(left, top, left + width, top + height)


def _parse_length(value: str) -> float | None:
    """Return a length in points."""
    match = _LENGTH.fullmatch(value.strip())
    return float(match[1]) * _POINTS[match[2]] if match else None
