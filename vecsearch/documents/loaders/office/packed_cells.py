"""The cells of a sheet, moved together because they lie far apart: what reads them takes room for every cell between."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, Final, TypeAlias

COLUMNS_MAX: Final = 1 << 14  # columns of a sheet
ROWS_MAX: Final = 1 << 20
_AREA_MAX: Final = 2_000_000  # cells for which there is room, empty or not
_COLUMN_MASK: Final = COLUMNS_MAX - 1

PackedSheets: TypeAlias = dict[int, "PackedCells"]  # by the number of the sheet in its workbook, from 0


def are_far_apart(area: int, count: int) -> bool:
    """Return whether so many cells must be moved together to be read, of a sheet with room for `area` cells."""
    return area > _AREA_MAX and area > 2 * count


class PackedCells:
    """Where the cells of a sheet belong that were moved together, one beside the other; rows and columns count from 0."""

    def __init__(self, width: int = COLUMNS_MAX) -> None:
        self._width = width
        self._places = array("q")  # row and column of what stands in each new place; -1 for nothing

    def move(self, row: int, columns: Sequence[int]) -> tuple[int, int]:
        """Take in cells of a row, and return the row and column where the first stands from now on, the others behind it."""
        left = self._width - len(self._places) % self._width
        if left < len(columns):
            self._places.extend([-1] * left)
        start = len(self._places)
        self._places.extend(row * COLUMNS_MAX + column for column in columns)
        return start // self._width, start % self._width

    @property
    def columns(self) -> list[int]:
        """Return the columns that have a cell, in order."""
        return sorted({place & _COLUMN_MASK for place in self._places if place >= 0})

    def restore_rows(self, rows: Iterable[Sequence[Any]], first_column: int) -> Iterator[tuple[int, list[Any]]]:
        """Yield the rows of the sheet with their numbers, a value for each of `columns`. Of the rows given, which begin at the
        first, `first_column` is the column of the first value."""
        columns = self.columns
        cells: Iterable[tuple[int, Any]] = self._iter_cells(rows, first_column)
        if any(place > after for place, after in pairwise(filter(lambda place: place >= 0, self._places))):
            cells = sorted(dict(cells).items())
        for number, in_row in groupby(cells, lambda cell: cell[0] // COLUMNS_MAX):
            restored: list[Any] = [""] * len(columns)
            for place, value in in_row:
                restored[bisect_left(columns, place & _COLUMN_MASK)] = value
            yield number, restored

    def _iter_cells(self, rows: Iterable[Sequence[Any]], first_column: int) -> Iterator[tuple[int, Any]]:
        for number, row in enumerate(rows):
            start = number * self._width + first_column
            for place, value in zip(self._places[start : start + len(row)], row, strict=False):
                if place >= 0:
                    yield place, value
