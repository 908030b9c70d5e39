"""Workbooks of the binary formats and of OpenDocument, made byte by byte from the cells of their sheets."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Mapping

Cells = Mapping[str, str | float]  # by places: "B3"

_SECTOR = 512


def parse_place(place: str) -> tuple[int, int]:
    """Return the row and the column of a place, from 0."""
    letters, digits = re.findall(r"([A-Z]+)(\d+)", place)[0]
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - 64
    return int(digits) - 1, column - 1


def sort_cells(cells: Cells) -> list[tuple[int, int, str | float]]:
    """Return the cells by row and column."""
    return sorted((*parse_place(place), value) for place, value in cells.items())


# -- .xls


def make_xls(sheets: Mapping[str, Cells], *, macros: tuple[str, ...] = (), numbers_together: bool = False) -> bytes:
    """Make an .xls file of BIFF8; the sheets named in `macros` are sheets of macros."""
    bodies = [_make_xls_sheet(cells, name in macros, numbers_together) for name, cells in sheets.items()]
    head = _make_record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0x600)) + _make_record(0x42, struct.pack("<H", 1200))
    start = len(head) + sum(4 + 8 + len(name) for name in sheets) + 4
    for (name, _), body in zip(sheets.items(), bodies, strict=True):
        label = struct.pack("<BB", len(name), 0) + name.encode("latin-1")
        head += _make_record(0x85, struct.pack("<IBB", start, 0, int(name in macros)) + label)
        start += len(body)
    return make_container("Workbook", head + _make_record(0x0A, b"") + b"".join(bodies))


def _make_record(kind: int, content: bytes) -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _make_xls_sheet(cells: Cells, has_macros: bool, numbers_together: bool) -> bytes:
    places = sort_cells(cells)
    rows, columns = [row for row, _, _ in places], [column for _, column, _ in places]
    body = _make_record(0x809, struct.pack("<HHHHII", 0x600, 0x40 if has_macros else 0x10, 0, 0, 0, 0x600))
    size = (min(rows), max(rows) + 1, min(columns), max(columns) + 1) if places else (0, 0, 0, 0)
    body += _make_record(0x200, struct.pack("<IIHHH", *size, 0))
    for row, column, value in places:
        cell = struct.pack("<HHH", row, column, 0)
        if isinstance(value, str) and value.startswith("="):  # a formula with a word as its result
            body += _make_record(0x06, cell + b"\0\0\0\0\0\0\xff\xff" + bytes(8))
            body += _make_record(0x207, struct.pack("<HB", len(value) - 1, 0) + value[1:].encode("latin-1"))
        elif isinstance(value, str):
            body += _make_record(0x204, cell + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
        elif numbers_together:  # two numbers, one beside the other
            pair = struct.pack("<HIHI", 0, int(value) << 2 | 2, 0, int(float(value) + 1) << 2 | 2)
            body += _make_record(0xBD, struct.pack("<HH", row, column) + pair + struct.pack("<H", column + 1))
        else:
            body += _make_record(0x203, cell + struct.pack("<d", value))
    return body + _make_record(0x0A, b"")


def make_container(name: str, stream: bytes) -> bytes:
    """Make an OLE file of one stream."""
    stream = stream.ljust(4096, b"\0")
    stream += b"\0" * (-len(stream) % _SECTOR)
    count = len(stream) // _SECTOR
    free, end = 0xFFFFFFFF, 0xFFFFFFFE
    tables = -(-(count + 2) // 127)
    table = [*range(1, count), end, end, *[0xFFFFFFFD] * tables]
    table += [free] * (tables * 128 - len(table))
    entries = b""
    for label, kind, child, first, size in (("Root Entry", 5, 1, end, 0), (name, 2, free, 0, len(stream))):
        text = label.encode("utf-16-le") + b"\0\0"
        entries += struct.pack("<64sHBB3I36xIQ", text, len(text), kind, 1, free, free, child, first, size)
    head = struct.pack("<8s16xHHHHH6x9I", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 62, 3, 0xFFFE, 9, 6, 0, tables, count, 0, 4096,
                       end, 0, end, 0)  # fmt: skip
    head += struct.pack("<109I", *range(count + 1, count + 1 + tables), *[free] * (109 - tables))
    return head + stream + entries.ljust(_SECTOR, b"\0") + struct.pack(f"<{len(table)}I", *table)


# -- .xlsb


def make_xlsb(sheets: Mapping[str, Cells], *, macros: tuple[str, ...] = ()) -> bytes:
    """Make an .xlsb file; the sheets named in `macros` are sheets of macros."""
    workbook = relations = b""
    parts = {}
    for number, (name, cells) in enumerate(sheets.items(), start=1):
        folder, kind = ("macrosheets", _MACRO) if name in macros else ("worksheets", f"{_RELATION}/worksheet")
        workbook += _make_binary(0x9C, struct.pack("<II", 0, number) + _make_wide(f"r{number}") + _make_wide(name))
        relations += f'<Relationship Id="r{number}" Type="{kind}" Target="{folder}/sheet{number}.bin"/>'.encode()
        parts[f"xl/{folder}/sheet{number}.bin"] = _make_binary_sheet(cells)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", _make_relations(
            f'<Relationship Id="r" Type="{_RELATION}/officeDocument" Target="xl/workbook.bin"/>'.encode()))  # fmt: skip
        archive.writestr("xl/_rels/workbook.bin.rels", _make_relations(relations))
        archive.writestr("xl/workbook.bin", workbook + _make_binary(0x90, b"") + _make_binary(0x84, b""))
        for part, data in parts.items():
            archive.writestr(part, data)
    return stream.getvalue()


_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MACRO = "http://schemas.microsoft.com/office/2006/relationships/xlMacrosheet"


def _make_relations(entries: bytes) -> bytes:
    return b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">' + entries + b"</Relationships>"


def _make_binary(kind: int, content: bytes) -> bytes:
    label = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    assert len(content) < 0x80
    return label + bytes([len(content)]) + content


def _make_wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _make_binary_sheet(cells: Cells) -> bytes:
    places = sort_cells(cells)
    rows, columns = [row for row, _, _ in places], [column for _, column, _ in places]
    body = _make_binary(0x94, struct.pack("<4I", min(rows), max(rows), min(columns), max(columns))) + _make_binary(0x91, b"")
    last_row = None
    for row, column, value in places:
        if row != last_row:
            body += _make_binary(0, struct.pack("<I", row) + bytes(13))
            last_row = row
        cell = struct.pack("<II", column, 0)
        number = struct.pack("<d", value) if not isinstance(value, str) else b""
        body += _make_binary(5, cell + number) if number else _make_binary(6, cell + _make_wide(str(value)))
    return body + _make_binary(0x92, b"")


# -- .ods


def make_ods(sheets: Mapping[str, Cells]) -> bytes:
    """Make an .ods file, what is empty repeated as programs do it."""
    tables = "".join(f'<table:table table:name="{name}">{_make_ods_rows(cells)}</table:table>' for name, cells in sheets.items())
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<office:document-content xmlns:office="{urn}:office:1.0" xmlns:table="{urn}:table:1.0" xmlns:text="{urn}:text:1.0">'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    return stream.getvalue()


def _make_ods_rows(cells: Cells) -> str:
    text, next_row, next_column, is_open = "", 0, 0, False
    for row, column, value in sort_cells(cells):
        if row >= next_row:
            text += "</table:table-row>" if is_open else ""
            if row > next_row:
                text += f'<table:table-row table:number-rows-repeated="{row - next_row}"><table:table-cell/></table:table-row>'
            text += "<table:table-row>"
            next_row, next_column, is_open = row + 1, 0, True
        if column > next_column:
            text += f'<table:table-cell table:number-columns-repeated="{column - next_column}"/>'
        kind = "string" if isinstance(value, str) else f'float" office:value="{value}'
        text += f'<table:table-cell office:value-type="{kind}"><text:p>{value}</text:p></table:table-cell>'
        next_column = column + 1
    rest = (
        '<table:table-row table:number-rows-repeated="9"><table:table-cell table:number-columns-repeated="99"/></table:table-row>'
    )
    return f"{text}</table:table-row>{rest}"
