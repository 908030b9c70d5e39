"""Spreadsheets: each sheet apart, hidden ones too, a row a line with the names of its columns; formulas as their last results.

Of .xlsx also the comments, text boxes and charts, after the rows of their sheet. How a number is formatted is not known.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain, groupby, islice
from typing import Final, TypeAlias

import python_calamine

from vecsearch.core.errors import UnreadableFile
from vecsearch.core.types import Item, Metadata, Problem
from vecsearch.documents.loaders.office.core_properties import core_properties
from vecsearch.documents.loaders.office.locked import unlocked
from vecsearch.documents.loaders.office.ole import OLE_MAGIC, container, opened, properties
from vecsearch.documents.loaders.office.opendocument import meta
from vecsearch.documents.loaders.office.package import Package, package
from vecsearch.documents.loaders.office.sheet_notes import notes
from vecsearch.documents.loaders.outline import Outline, outlined
from vecsearch.documents.loaders.raw import Raw
from vecsearch.documents.loaders.table import named, shown

_Value: TypeAlias = str | float | bool | date | datetime | time | timedelta
_Row: TypeAlias = tuple[int, Sequence[_Value], list[str]]  # number, values, as text
_KIND: Final = "a spreadsheet"
_HEAD: Final = 20  # rows that tell whether a table has names of its own
_SPAN_MAX: Final = 10_000  # rows that one cell spans; longer ones are a background


def workbook(raw: Raw) -> Iterator[Item]:
    """An .xlsx, .xlsm, .xltx, .xlsb, .xls or .ods. Raises Encrypted, NoText, UnreadableFile."""
    data, document = _opened(raw)
    outline, problems = Outline(), list[Problem]()
    beside = notes(document) if document else {}
    book = _book(data)
    for name in book.sheet_names:
        outline.apart({"sheet": name}, name)
        try:
            _write(outline, name, _rows(book, name))
        except BaseException as error:
            if not _is_damage(error):
                raise
            problems.append(Problem(f"sheet {name}: {' '.join(str(error).split())}"))
        if said := beside.get(name):
            outline.here({"sheet": name}, name)
            outline.block(said)
    title, metadata = _stated(data, document)
    problems.extend(document.problems if document else ())
    nothing = "no text in its cells: pictures, perhaps"
    yield from outlined(raw, outline, title, metadata, problems, nothing=nothing)


def _opened(raw: Raw) -> tuple[bytes, Package | None]:
    """Without its encryption; and its parts, unless it is an old one without."""
    data = opened(raw, _KIND) if raw.head.startswith(OLE_MAGIC) else raw.data
    if data.startswith(OLE_MAGIC):
        return data, None
    plain = unlocked(Raw(raw.name, raw.suffix, content=data, passwords=raw.passwords), _KIND)
    return plain.data, package(plain, _KIND)


def _book(data: bytes) -> python_calamine.CalamineWorkbook:
    try:
        return python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except BaseException as error:
        if _is_damage(error):
            raise UnreadableFile(f"{_KIND} is damaged") from error
        raise


def _is_damage(error: BaseException) -> bool:
    """Whether an error is the library's: one of its own, or a failed assertion in its Rust, which is no Exception."""
    return isinstance(error, python_calamine.CalamineError) or type(error).__name__ == "PanicException"


def _stated(data: bytes, document: Package | None) -> tuple[str | None, Metadata]:
    if document is None:
        with container(data, _KIND) as ole:
            return properties(ole)
    return meta(document) if document.has("meta.xml") else core_properties(document)


def _rows(book: python_calamine.CalamineWorkbook, name: str) -> Iterator[_Row]:
    """The rows that hold anything, numbered as the sheet does. Holds one at a time: sheets may be long."""
    sheet = book.get_sheet_by_name(name)
    spanned = _spanned(sheet)
    above: list[_Value] = []
    for number, values in enumerate(sheet.iter_rows(), start=1):
        for column in spanned.get(number, ()):
            if column < min(len(values), len(above)):
                values[column] = above[column]
        above = values
        texts = [shown(value) for value in values]
        if any(texts):
            yield number, values, texts


def _spanned(sheet: python_calamine.CalamineSheet) -> dict[int, list[int]]:
    """Row → columns in which a cell of the row above goes on."""
    _, left = sheet.start or (0, 0)
    found: dict[int, list[int]] = {}
    for (first, column), (last, _) in sheet.merged_cell_ranges or ():
        if last - first < _SPAN_MAX and column >= left:
            for row in range(first + 2, last + 2):
                found.setdefault(row, []).append(column - left)
    return found


def _write(outline: Outline, sheet: str, rows: Iterator[_Row]) -> None:
    """Stretches of rows, each a table of its own unless it goes on with the one above."""
    header: Sequence[str] = ()
    for _, stretch in groupby(enumerate(rows), lambda each: each[1][0] - each[0]):
        part = (row for _, row in stretch)
        head = list(islice(part, _HEAD))
        found = named(((number, texts) for number, _, texts in chain(head, part)), header if _goes_on(header, head) else ())
        header = found.header
        for _, run in groupby(enumerate(found.lines), lambda each: each[1][0] - each[0]):
            numbers, lines = zip(*(line for _, line in run), strict=True)
            outline.here({"sheet": sheet, "rows": numbers[0]}, sheet)
            outline.block("\n".join(lines))


def _goes_on(header: Sequence[str], head: Sequence[_Row]) -> bool:
    """Whether rows after an empty one stand under the header before it: in its columns, and with no names of their own."""
    _, values, texts = head[0]
    if any(text and not (column < len(header) and header[column]) for column, text in enumerate(texts)):
        return False
    if not all(isinstance(value, str) for value in values):
        return True
    names = any(texts[column] and not isinstance(each[column], str) for _, each, _ in head[1:] for column in range(len(texts)))
    return not names and sum(map(bool, texts)) > 1
