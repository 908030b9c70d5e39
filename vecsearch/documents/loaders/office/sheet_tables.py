"""The tables that an .xlsx declares on its sheets: at which rows they begin, and whether with a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from vecsearch.documents.loaders.office.package import Package, find_child, get_attribute

_RANGE: Final = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?\d{1,7})?$")
_NO_HEADER: Final = "0"


class TableStart(NamedTuple):
    """The tables that begin in one row: all their columns, and whether all have a header."""

    width: int
    has_header: bool


TableStarts: TypeAlias = dict[int, TableStart]  # by the number of the row


def find_main_part(book: Package) -> str:
    """Return the name of the part that lists the sheets, empty where that is not XML, as in an .xlsb."""
    main = next(iter(book.find_related("", "/officeDocument").values()), "")
    return main if main.endswith(".xml") else ""


def iter_sheet_parts(book: Package) -> Iterator[tuple[str, str]]:
    """Yield the name of each sheet and that of its part."""
    if main := find_main_part(book):
        parts = book.find_related(main)
        sheets = find_child(book.parse_part(main), "sheets")
        for sheet in sheets if sheets is not None else ():
            identifier = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
            if part := parts.get(identifier):
                yield sheet.get("name", ""), part


def read_table_starts(book: Package) -> dict[str, TableStarts]:
    """Return a map from the name of a sheet to where its tables begin."""
    return {name: _read_starts(book, part) for name, part in iter_sheet_parts(book)}


def find_declared_header(starts: TableStarts, rows: Sequence[tuple[int, Sequence[str]]]) -> bool | None:
    """Return whether the first of numbered rows with more than one value is a header; None where no table begins there alone."""
    number, cells = next(((number, cells) for number, cells in rows if any(cells[1:])), (0, ()))
    start = starts.get(number)
    if start is None or sum(map(bool, cells)) > start.width:
        return None
    return start.has_header


def _read_starts(book: Package, sheet: str) -> TableStarts:
    starts: TableStarts = {}
    for part in book.find_related(sheet, "/table").values():
        table = book.parse_part(part)
        if match := _RANGE.match(get_attribute(table, "ref")):
            first, number, last = match.groups()
            width = _count_columns(last or first) - _count_columns(first) + 1
            before = starts.get(int(number), TableStart(0, has_header=True))
            has_header = before.has_header and get_attribute(table, "headerRowCount") != _NO_HEADER
            starts[int(number)] = TableStart(before.width + width, has_header)
    return starts


def _count_columns(name: str) -> int:
    """Return the number of a column by its letters: 1 for A."""
    number = 0
    for letter in name:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number
