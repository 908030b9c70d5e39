"""Workbooks in a zip file (.xlsx, .xlsb, .ods), made fit for the library that reads them.

It fails with all that is in a workbook for the sake of two cells far apart, or of a sheet of macros.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from typing import Final

from vecsearch.documents.loaders.office.opendocument_cells import pack_content
from vecsearch.documents.loaders.office.package import PART_BYTES_MAX, ZIP_ERRORS, Package, get_attribute, iter_descendants
from vecsearch.documents.loaders.office.packed_cells import COLUMNS_MAX, ROWS_MAX, PackedCells, PackedSheets, are_far_apart

_OPENDOCUMENT: Final = "content.xml"
_NEEDED: Final = (".xml", ".rels", ".bin", "mimetype")  # the others are pictures, say
_MACRO_KIND: Final = re.compile(rb"relationships/xl(?:Intl)?Macrosheet")
_MACRO_FOLDER: Final = "macrosheets/"
_SHEET_FOLDER: Final = "worksheets/macro-"
_CELL_START: Final = re.compile(rb"<(?:\w+:)?(row|c)(?=[\s/>])([^>]*)>")
_PLACE: Final = re.compile(rb"""(\sr\s*=\s*["'])\$?([A-Z]{0,3})\$?(\d{1,7})(?=["'])""")
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BINARY_CELLS: Final = frozenset([*range(2, 12), 62])  # records of .xlsb that are a cell with a value
_BINARY_ROW, _BINARY_SIZE, _BINARY_END = 0, 0x94, 0x92


def pack_package(book: Package) -> tuple[bytes | None, PackedSheets]:
    """Return a workbook that can be read, and its sheets that had to be moved together; None for one that can be as it is.

    Sheets of macros, which the library refuses together with the whole workbook, are sheets like any other in it.
    """
    if book.has_part(_OPENDOCUMENT):
        content, packed = pack_content(book.read_part(_OPENDOCUMENT)) if _is_small(book, _OPENDOCUMENT) else (None, {})
        return (None if content is None else _rewrite(book, {_OPENDOCUMENT: content})), packed
    changed, packed = dict[str, bytes](), PackedSheets()
    main = next(iter(book.find_related("", "/officeDocument").values()), "")
    parts = book.find_related(main)
    for index, identifier in enumerate(_list_sheet_ids(book, main)):
        name = parts.get(identifier, "").lower()
        if _is_small(book, name):
            cells, pack = PackedCells(), _pack_binary_sheet if name.endswith(".bin") else _pack_xml_sheet
            if (moved := pack(book.read_part(name), cells)) is not None:
                changed[name], packed[index] = moved, cells
    if not changed and not any(_MACRO_FOLDER in name for name in book.names):
        return None, packed
    return _rewrite(book, changed), packed


def _is_small(book: Package, name: str) -> bool:
    """Return whether there is such a part, and its bytes can be looked at."""
    return book.has_part(name) and book.archive.getinfo(book.names[name]).file_size <= PART_BYTES_MAX


def _list_sheet_ids(book: Package, main: str) -> list[str]:
    """Return the ids of the relations to the sheets of a workbook, in order."""
    if not main.lower().endswith(".bin"):
        return [get_attribute(sheet, "id") for sheet in iter_descendants(book.parse_part(main), "sheet")]
    identifiers = []
    data = book.read_part(main)
    for kind, start, end in _iter_binary_records(data):
        if kind == 0x9C and end - start >= 12:
            length = struct.unpack_from("<I", data, start + 8)[0]
            if length != 0xFFFFFFFF:
                identifiers.append(data[start + 12 : start + 12 + 2 * length].decode("utf-16-le", "replace"))
    return identifiers


def _rewrite(book: Package, changed: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, stored in book.names.items():
            if not name.endswith(_NEEDED):
                continue
            try:
                data = changed.get(name) or book.archive.read(stored)
            except ZIP_ERRORS:
                continue  # damaged: who needs it will say
            if name.endswith(".rels"):
                data = _MACRO_KIND.sub(b"relationships/worksheet", data).replace(_MACRO_FOLDER.encode(), _SHEET_FOLDER.encode())
            archive.writestr(stored.replace("\\", "/").replace(_MACRO_FOLDER, _SHEET_FOLDER), data)
    return stream.getvalue()


def _estimate_xml_sheet(data: bytes) -> tuple[int, int]:
    """Return at a glance how many cells the sheet has room for at most, and how many it holds, as most programs write them."""
    count, last = data.count(b"<c "), data.rfind(b"<row ")
    row = _PLACE.search(data, last) if last >= 0 and b"r='" not in data else None
    if row is None:
        return ROWS_MAX * COLUMNS_MAX, 0
    letters = next((number for number in (3, 2) if re.search(rb' r="[A-Z]{%d}' % number, data)), 1)
    return int(row[3]) * (26, 702, COLUMNS_MAX)[letters - 1], count


def _measure_xml_sheet(data: bytes) -> tuple[int, int]:
    """Return how many cells the sheet has room for, and about how many it holds."""
    rows: int = 0
    columns: set[bytes] = set()
    count = 0
    for match in _PLACE.finditer(data):
        columns.add(match[2])
        rows, count = max(rows, int(match[3])), count + 1
    return rows * max(map(_number_column, columns), default=0), count


def _pack_xml_sheet(data: bytes, cells: PackedCells) -> bytes | None:
    if not are_far_apart(*_estimate_xml_sheet(data)) or not are_far_apart(*_measure_xml_sheet(data)):
        return None
    row, column = -1, -1

    def move_cell(match: re.Match[bytes]) -> bytes:
        nonlocal row, column
        tag, attributes = match[1], match[2]
        place = _PLACE.search(attributes)
        if tag == b"row":
            row, column = (int(place[3]) - 1 if place else row + 1), -1
            return match[0]
        row, column = (int(place[3]) - 1, _number_column(place[2]) - 1) if place else (row, column + 1)
        if attributes.endswith(b"/") or not (0 <= row < ROWS_MAX and 0 <= column < COLUMNS_MAX):
            return match[0]
        new_row, new_column = cells.move(row, [column])
        new_place = _name_column(new_column + 1) + b"%d" % (new_row + 1)
        if place:
            attributes = attributes[: place.end(1)] + new_place + attributes[place.end() :]
        else:
            attributes += b' r="%b"' % new_place
        return match[0][: match.start(2) - match.start()] + attributes + b">"

    return _CELL_START.sub(move_cell, data)


def _number_column(letters: bytes) -> int:
    """Return the number of a column from 1 on; 0 for no letters."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _name_column(number: int) -> bytes:
    name = b""
    while number:
        number, letter = divmod(number - 1, 26)
        name = _LETTERS[letter : letter + 1] + name
    return name


def _iter_binary_records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each record of an .xlsb part, and where its content begins and ends."""
    position = 0
    while position < len(data):
        kind, position = _read_packed_int(data, position, 2)
        size, position = _read_packed_int(data, position, 4)
        yield kind, position, position + size
        position += size


def _read_packed_int(data: bytes, position: int, most: int) -> tuple[int, int]:
    """Return a number of up to some bytes, seven bits in each, and where it ends; the kind of a record keeps its high bits."""
    number = 0
    for shift in range(0, 7 * most, 7):
        byte = data[position] if position < len(data) else 0
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return number, position


def _pack_binary_sheet(data: bytes, cells: PackedCells) -> bytes | None:
    size = next((start for kind, start, end in _iter_binary_records(data) if kind == _BINARY_SIZE and end - start >= 16), None)
    if size is None:
        return None
    first_row, last_row, first_column, last_column = struct.unpack_from("<4I", data, size)
    area = (last_row - first_row + 1) * (last_column - first_column + 1)
    if not are_far_apart(area, sum(kind in _BINARY_CELLS for kind, _, _ in _iter_binary_records(data))):
        return None
    moved = bytearray(data)
    struct.pack_into("<4I", moved, size, 0, 0, 0, 0)
    header, row, waiting = 0, 0, list[int]()

    def move_row() -> None:
        if waiting:
            columns = [struct.unpack_from("<I", data, start)[0] for start in waiting]
            new_row, new_column = cells.move(row, columns)
            struct.pack_into("<I", moved, header, new_row)
            for offset, start in enumerate(waiting):
                struct.pack_into("<I", moved, start, new_column + offset)
            waiting.clear()

    for kind, start, end in _iter_binary_records(data):
        if kind in (_BINARY_ROW, _BINARY_END):
            move_row()
        if kind == _BINARY_ROW and end - start >= 4:
            header, row = start, struct.unpack_from("<I", data, start)[0]
        elif kind in _BINARY_CELLS and end - start >= 8:
            waiting.append(start)
    return bytes(moved)
