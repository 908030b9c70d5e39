"""Sheets of an OpenDocument workbook whose cells lie far apart, moved together: see `packed_cells`.

Rows and cells have no numbers there; what is empty is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vecsearch.documents.loaders.office.packed_cells import COLUMNS_MAX, ROWS_MAX, PackedCells, PackedSheets, are_far_apart

_TABLE: Final = re.compile(rb"""<(/?)table:table(?=[\s>/])(?:[^>"']|"[^"]*"|'[^']*')*?(/?)>""")
_CELL: Final = re.compile(
    rb"""<(/?)table:(table-row|table-cell|covered-table-cell)(?=[\s>/])((?:[^>"']|"[^"]*"|'[^']*')*?)(/?)>"""
)
_REPEATED: Final = re.compile(rb"""\stable:number-(?:rows|columns)-repeated\s*=\s*["'](\d{1,7})["']""")
_GAP: Final = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']\d{2,}""")
_CELL_END: Final = b"</table:table-cell>"
_WIDTH: Final = 256  # columns of the rows that are written
_REPEAT_MAX: Final = 64  # times a value is repeated: more fill a page with it


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell with a value, on the bytes [start, end); `tag_end` is where its tag ends."""

    row: int
    column: int
    row_times: int
    times: int
    start: int
    tag_end: int
    end: int


def pack_content(data: bytes) -> tuple[bytes | None, PackedSheets]:
    """Return the content of a workbook that can be read, and its sheets that had to be moved together; None for one that can be
    as it is."""
    packed = PackedSheets()
    pieces: list[bytes] = []
    done = 0
    for index, (start, end) in enumerate(_find_tables(data)):
        last = max(data.rfind(_CELL_END, start, end), start)
        cells = list(_iter_cells(data, start, end)) if _GAP.search(data, start, last) else []
        height = max((cell.row + cell.row_times for cell in cells), default=0)
        width = max((cell.column + cell.times for cell in cells), default=0)
        if are_far_apart(height * width, len(cells)):
            packed[index] = PackedCells(_WIDTH)
            pieces += [data[done:start], *_write_rows(data, cells, packed[index])]
            done = end
    return (b"".join((*pieces, data[done:])) if packed else None), packed


def _find_tables(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the content of each sheet begins and ends."""
    depth, start = 0, 0
    for match in _TABLE.finditer(data):
        if match[1]:
            depth -= 1
        elif not match[2]:
            depth += 1
            start = match.end() if depth == 1 else start
        if depth == 0:
            yield (start, match.start()) if match[1] else (match.end(), match.end())


def _iter_cells(data: bytes, first: int, last: int) -> Iterator[_Cell]:
    """Yield the cells that are not empty, in order; those of a table inside one are a part of it."""
    row, row_times, column, next_row = 0, 1, 0, 0
    opened: list[tuple[int, int, int, int]] = []  # column, times, where the tag begins and ends
    for match in _CELL.finditer(data, first, last):
        closes, kind, attributes, is_empty = match.groups()
        if closes and kind != b"table-row" and opened:
            place, times, start, tag_end = opened.pop()
            if not opened:
                yield _Cell(row, place, row_times, times, start, tag_end, match.end())
        elif closes or (opened and is_empty):
            continue
        elif kind != b"table-row":
            times = _count(attributes)
            if not is_empty:
                opened.append((column, times, match.start(), match.end()))
            column = column if opened[1:] else min(column + times, COLUMNS_MAX)
        elif not opened:
            row, row_times, column = next_row, _count(attributes), 0
            next_row = min(row + row_times, ROWS_MAX)


def _count(attributes: bytes) -> int:
    repeated = _REPEATED.search(attributes)
    return max(int(repeated[1]), 1) if repeated else 1


def _write_rows(data: bytes, cells: list[_Cell], places: PackedCells) -> Iterator[bytes]:
    yield b"<table:table-row>"
    for cell in cells:
        written = _REPEATED.sub(b"", data[cell.start : cell.tag_end]) + data[cell.tag_end : cell.end]
        for row in range(cell.row, min(cell.row + min(cell.row_times, _REPEAT_MAX), ROWS_MAX)):
            for column in range(cell.column, min(cell.column + min(cell.times, _REPEAT_MAX), COLUMNS_MAX)):
                new_row, new_column = places.move(row, [column])
                if new_row and not new_column:
                    yield b"</table:table-row><table:table-row>"
                yield written
    yield b"</table:table-row>"
