"""Spreadsheets: each sheet apart, hidden ones too, a row a line with the names of its columns; formulas as their last results.

Of .xlsx also the comments, text boxes and charts, after the rows of their sheet. How a number is formatted is not known.
"""

from __future__ import annotations

import io
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import chain, groupby, islice
from typing import Final, TypeAlias

import python_calamine

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, ParseWarning
from vecsearch.core.types import Metadata
from vecsearch.documents.loaders.document_builder import DocumentBuilder, finish_document
from vecsearch.documents.loaders.office.core_properties import read_core_properties
from vecsearch.documents.loaders.office.encryption import decrypt_opendocument
from vecsearch.documents.loaders.office.ole import OLE_MAGIC, decrypt_ole, open_container, read_ole_properties
from vecsearch.documents.loaders.office.opendocument import read_opendocument_metadata
from vecsearch.documents.loaders.office.package import Package, open_package
from vecsearch.documents.loaders.office.package_cells import pack_package
from vecsearch.documents.loaders.office.packed_cells import PackedCells, PackedSheets
from vecsearch.documents.loaders.office.sheet_notes import read_sheet_notes
from vecsearch.documents.loaders.office.sheet_tables import TableStarts, find_declared_header, read_table_starts
from vecsearch.documents.loaders.office.workbook_records import pack_container
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import format_cell, label_rows

_CellValue: TypeAlias = str | float | bool | date | datetime | time | timedelta
_SheetRow: TypeAlias = tuple[int, Sequence[_CellValue], list[str]]  # number, values, as text
_KIND: Final = "a spreadsheet"
_HEADER_SAMPLE_ROWS: Final = 20  # rows that tell whether a table has names of its own
_SPAN_MAX: Final = 10_000  # rows that one cell spans; longer ones are a background


def load_workbook(raw: RawFile) -> Iterator[LoaderItem]:
    """Yield the items of an .xlsx, .xlsm, .xltx, .xlsb, .xls or .ods file.

    Raises EncryptedFileError, EmptyFileError, UnreadableFileError.
    """
    data, document = _decrypt_workbook(raw)
    outline, problems = DocumentBuilder(), list[ParseWarning]()
    beside, tables = (read_sheet_notes(document), read_table_starts(document)) if document else ({}, {})
    readable, packed = _pack_far_cells(data, document)
    book = _open_workbook(readable)
    for index, name in enumerate(book.sheet_names):
        outline.start_part({"sheet": name}, name)
        try:
            _write_rows(outline, name, _read_rows(book.get_sheet_by_index(index), packed.get(index)), tables.get(name, {}))
        except BaseException as error:
            if not _is_damage(error):
                raise
            problems.append(ParseWarning(f"sheet {name}: {' '.join(str(error).split())}"))
        if notes := beside.get(name):
            outline.at({"sheet": name}, name)
            outline.add_block(notes)
    title, metadata = _read_metadata(data, document, problems)
    problems.extend(document.problems if document else ())
    nothing = "no text in its cells: pictures, perhaps"
    yield from finish_document(raw, outline, title, metadata, problems, empty_message=nothing)


def open_sheet_rows(raw: RawFile) -> Iterator[tuple[str, Callable[[], Iterator[_SheetRow]]]]:
    """Yield the name of each sheet, and what reads its rows from the beginning: number, values, the values as text.

    Raises EncryptedFileError, UnreadableFileError.
    """
    data, document = _decrypt_workbook(raw)
    readable, packed = _pack_far_cells(data, document)
    book = _open_workbook(readable)
    for index, name in enumerate(book.sheet_names):
        yield name, partial(_read_sheet, book, index, packed.get(index))


def _read_sheet(book: python_calamine.CalamineWorkbook, index: int, packed: PackedCells | None) -> Iterator[_SheetRow]:
    """Yield the rows of a sheet. Raises UnreadableFileError."""
    try:
        yield from _read_rows(book.get_sheet_by_index(index), packed)
    except BaseException as error:
        if _is_damage(error):
            raise UnreadableFileError(f"sheet {book.sheet_names[index]}: {' '.join(str(error).split())}") from error
        raise


def _decrypt_workbook(raw: RawFile) -> tuple[bytes, Package | None]:
    """Return the workbook without its encryption, and its parts unless it is an old one without."""
    data = decrypt_ole(raw, _KIND) if raw.head.startswith(OLE_MAGIC) else raw.data
    if data.startswith(OLE_MAGIC):
        return data, None
    plain = decrypt_opendocument(RawFile(raw.name, raw.suffix, content=data, passwords=raw.passwords), _KIND)
    return plain.data, open_package(plain, _KIND)


def _open_workbook(data: bytes) -> python_calamine.CalamineWorkbook:
    try:
        return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except BaseException as error:
        if _is_damage(error):
            raise UnreadableFileError(f"{_KIND} is damaged") from error
        raise


def _is_damage(error: BaseException) -> bool:
    """Return whether an error is the library's: one of its own, or a failed assertion in its Rust, which is no Exception."""
    return isinstance(error, python_calamine.CalamineError) or type(error).__name__ == "PanicException"


def _read_metadata(data: bytes, document: Package | None, problems: list[ParseWarning]) -> tuple[str | None, Metadata]:
    if document is None:
        with open_container(data, _KIND) as ole:
            return read_ole_properties(ole, problems)
    return read_opendocument_metadata(document) if document.has_part("meta.xml") else read_core_properties(document)


def _pack_far_cells(data: bytes, document: Package | None) -> tuple[bytes, PackedSheets]:
    """Return a workbook that the library can read, and its sheets whose cells were moved together for that."""
    if document is not None:
        changed, packed = pack_package(document)
        return data if changed is None else changed, packed
    return pack_container(data, _KIND)


def _read_rows(sheet: python_calamine.CalamineSheet, packed: PackedCells | None) -> Iterator[_SheetRow]:
    """Yield the rows that hold anything, numbered as the sheet does. Holds one at a time: sheets may be long."""
    _, left = sheet.start or (0, 0)
    rows: Iterable[tuple[int, list[_CellValue]]] = enumerate(sheet.iter_rows())
    columns: Sequence[int] = range(left, left + sheet.width)
    if packed is not None:
        rows, columns = packed.restore_rows(sheet.iter_rows(), left), packed.columns
    spanned = _find_spanned_columns(sheet, columns)
    above: list[_CellValue] = []
    for row, values in rows:
        for column in spanned.get(row, ()):
            if column < min(len(values), len(above)):
                values[column] = above[column]
        above = values
        texts = [format_cell(value) for value in values]
        if any(texts):
            yield row + 1, values, texts


def _find_spanned_columns(sheet: python_calamine.CalamineSheet, columns: Sequence[int]) -> dict[int, list[int]]:
    """Return a map from a row to the places in it, of the `columns` that are read, where a cell of the row above goes on."""
    columns_by_row: dict[int, list[int]] = {}
    for (first, column), (last, _) in sheet.merged_cell_ranges or ():
        if last - first < _SPAN_MAX and (place := bisect_left(columns, column)) < len(columns) and columns[place] == column:
            for row in range(first + 1, last + 1):
                columns_by_row.setdefault(row, []).append(place)
    return columns_by_row


def _write_rows(builder: DocumentBuilder, sheet: str, rows: Iterator[_SheetRow], tables: TableStarts) -> None:
    """Write stretches of rows, each a table of its own unless it goes on with the one above. `tables` are those declared."""
    header: Sequence[str] = ()
    for _, stretch in groupby(enumerate(rows), lambda numbered: numbered[1][0] - numbered[0]):
        part = (row for _, row in stretch)
        head = list(islice(part, _HEADER_SAMPLE_ROWS))
        has_header = find_declared_header(tables, [(number, texts) for number, _, texts in head])
        labelled = label_rows(
            ((number, texts) for number, _, texts in chain(head, part)),
            header if has_header is None and _is_continuation(header, head) else (),
            has_header=has_header,
        )
        header = labelled.header
        for _, run in groupby(enumerate(labelled.lines), lambda numbered: numbered[1][0] - numbered[0]):
            numbers, lines = zip(*(line for _, line in run), strict=True)
            builder.at({"sheet": sheet, "rows": numbers[0]}, sheet)
            builder.add_block("\n".join(lines))


def _is_continuation(header: Sequence[str], first_rows: Sequence[_SheetRow]) -> bool:
    """Return whether rows after an empty one stand under the header before it: in its columns, and with no names of their own."""
    _, values, texts = first_rows[0]
    if any(text and not (column < len(header) and header[column]) for column, text in enumerate(texts)):
        return False
    if not all(isinstance(value, str) for value in values):
        return True
    names = any(
        texts[column] and not isinstance(row_values[column], str)
        for _, row_values, _ in first_rows[1:]
        for column in range(len(texts))
    )
    return not names and sum(map(bool, texts)) > 1
