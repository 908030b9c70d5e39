"""The order in which shapes on a slide are read: from top to bottom, and from left to right where they stand in one row.

In the file they lie in the order in which they are drawn, which is the order in which somebody made them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeVar

_ROW_SLACK: Final = 0.25  # of the lower one's height: how far the tops of two shapes in one row may be apart

Shape = TypeVar("Shape")


class Box(NamedTuple):
    """Where a shape stands, in any unit, from the top left corner of what it stands on."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """Return it in the box's unit."""
        return self.bottom - self.top


def merge_boxes(boxes: Iterable[Box | None]) -> Box | None:
    """Return the box around some, None where none of them is known."""
    known = [box for box in boxes if box]
    if not known:
        return None
    lefts, tops, rights, bottoms = zip(*known, strict=True)
    return Box(min(lefts), min(tops), max(rights), max(bottoms))


def sort_in_reading_order(shapes: Iterable[Shape], find_box: Callable[[Shape], Box | None]) -> list[Shape]:
    """Return the shapes in the order in which they are read; one that stands nowhere follows the one before it."""
    runs: list[tuple[Box | None, list[Shape]]] = [(None, [])]
    for shape in shapes:
        box = find_box(shape)
        if box is None:
            runs[-1][1].append(shape)
        else:
            runs.append((box, [shape]))
    first, placed = runs[0][1], [(box, run) for box, run in runs if box]
    return first + [shape for row in _split_rows(placed) for _, run in row for shape in run]


def _split_rows(placed: list[tuple[Box, list[Shape]]]) -> list[list[tuple[Box, list[Shape]]]]:
    """Return the rows from the top; a row's shapes stand beside each other, from the left."""
    rows: list[list[tuple[Box, list[Shape]]]] = []
    top = Box(0, 0, 0, 0)  # the one of the row that is the highest
    for box, run in sorted(placed, key=lambda item: (item[0].top, item[0].left)):
        row = rows[-1] if rows else []
        place = bisect_left(row, box.left, key=lambda item: item[0].left)
        is_beside = (place == 0 or row[place - 1][0].right <= box.left) and (place == len(row) or box.right <= row[place][0].left)
        if row and is_beside and box.top - top.top <= _ROW_SLACK * min(box.height, top.height):
            row.insert(place, (box, run))
        else:
            rows.append([(box, run)])
            top = box
    return rows
