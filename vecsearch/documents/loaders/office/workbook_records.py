"""The records of an old workbook (.xls) whose cells lie far apart, moved together in place: see `packed_cells`."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Final

from vecsearch.documents.loaders.office.ole import open_container, read_stream
from vecsearch.documents.loaders.office.packed_cells import PackedCells, PackedSheets, are_far_apart

_STREAMS: Final = ("Workbook", "Book")
_COLUMNS: Final = 256
_SHEET, _START, _END, _SIZE = 0x85, 0x809, 0x0A, 0x200
_CELLS: Final = frozenset([0x06, 0xD6, 0xFD, 0x203, 0x204, 0x205, 0x27E])  # records of one cell with a value
_NUMBERS: Final = 0xBD  # a record of several cells, one beside the other
_CELL_BYTES: Final = 6  # row, column, format

_Record = tuple[int, int, int]  # kind, where its content begins and ends


def pack_container(data: bytes, kind: str) -> tuple[bytes, PackedSheets]:
    """Return an .xls file that can be read, and its sheets that had to be moved together. Raises UnreadableFileError."""
    import olefile  # type: ignore[import-untyped]

    with open_container(data, kind) as ole:
        name = next(filter(ole.exists, _STREAMS), "")
        stream = bytearray(read_stream(ole, name, [])) if name else bytearray()
    packed = PackedSheets()
    for index, start in enumerate(_list_sheets(stream)):
        if (cells := _pack_sheet(stream, start)) is not None:
            packed[index] = cells
    if not packed:
        return data, packed
    changed = io.BytesIO(data)
    with olefile.OleFileIO(changed, write_mode=True) as ole:
        ole.write_stream(name, bytes(stream))
        return changed.getvalue(), packed


def _iter_records(stream: bytearray, start: int) -> Iterator[_Record]:
    """Yield the records up to the end of the part that starts there, those of charts inside it not among them."""
    depth = 0
    while start + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, start)
        end = min(start + 4 + size, len(stream))
        depth += (kind == _START) - (kind == _END)
        if depth <= 1:
            yield kind, start + 4, end
        if depth < 1:
            return
        start = end


def _list_sheets(stream: bytearray) -> list[int]:
    """Return where each sheet starts, in order."""
    found = ((start, end) for kind, start, end in _iter_records(stream, 0) if kind == _SHEET)
    return [struct.unpack_from("<I", stream, start)[0] for start, end in found if end - start >= 4]


def _pack_sheet(stream: bytearray, sheet: int) -> PackedCells | None:
    size = next((record for record in _iter_records(stream, sheet) if record[0] == _SIZE), None)
    if size is None or not _is_far(stream, sheet, size):
        return None
    cells = PackedCells(_COLUMNS)
    for kind, start, end in _iter_records(stream, sheet):
        if end - start < _CELL_BYTES or not (kind in _CELLS or kind == _NUMBERS):
            continue
        row, first = struct.unpack_from("<HH", stream, start)
        last = struct.unpack_from("<H", stream, end - 2)[0] if kind == _NUMBERS else first
        if first <= last < _COLUMNS:
            new_row, new_first = cells.move(row, range(first, last + 1))
            struct.pack_into("<HH", stream, start, new_row, new_first)
            if kind == _NUMBERS:
                struct.pack_into("<H", stream, end - 2, new_first + last - first)
    stream[size[1] : size[2]] = bytes(size[2] - size[1])
    return cells


def _is_far(stream: bytearray, sheet: int, size: _Record) -> bool:
    """Return whether a sheet says that it has far more room than cells."""
    _, start, end = size
    if end - start not in (10, 14):
        return False
    first_row, last_row, first_column, last_column = struct.unpack_from("<IIHH" if end - start == 14 else "<HHHH", stream, start)
    area = (last_row - first_row) * (last_column - (first_column if first_column < last_column else 0))
    if not are_far_apart(area, 0):
        return False
    count = sum(
        1 if kind in _CELLS else (after - before - _CELL_BYTES) // 6
        for kind, before, after in _iter_records(stream, sheet)
        if kind in _CELLS or kind == _NUMBERS
    )
    return are_far_apart(area, count)
