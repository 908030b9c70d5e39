"""Tables as text: a row a line, each value with its column's name, so that a row is understood by itself."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Final, NamedTuple

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.parsed import LoaderItem, Section
from vecsearch.core.settings import SNIFF_BYTES
from vecsearch.documents.decoding import decode
from vecsearch.documents.loaders.raw_file import RawFile, emit_document

_DELIMITERS: Final = ",;\t|"
_SNIFF_ROWS: Final = 50
_ONE_COLUMN: Final = "\x1f"  # a delimiter that no text has
_AGREEMENT: Final = 0.6  # the share of rows that must have the same number of columns
_NUMBER: Final = re.compile(r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?%?$")
_YEAR: Final = re.compile(r"(19|20)\d\d$")
_NAME_MAX: Final = 100  # characters in a column's name, which is repeated on every line
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_CELL_MAX: Final = 2**31 - 1  # characters: the widest that every platform's csv takes


def load_csv(raw: RawFile) -> Iterator[LoaderItem]:
    """Load values separated by whatever character separates them."""
    text = decode(raw.data)
    match = re.match(r"sep=([,;\t|:])\n", text)  # Excel's way to say it
    return _load_table(raw, text[match.end() :] if match else text, match[1] if match else _detect_delimiter(text))


def load_tsv(raw: RawFile) -> Iterator[LoaderItem]:
    """Load values separated by tabs."""
    return _load_table(raw, decode(raw.data), "\t")


def _load_table(raw: RawFile, text: str, delimiter: str) -> Iterator[LoaderItem]:
    # tab-separated files often hold lone quotes, which mean inches there
    quoting = csv.QUOTE_NONE if delimiter == "\t" and text.count('"') % 2 else csv.QUOTE_MINIMAL
    try:
        lines = label_rows(_read_rows(text, delimiter, quoting)).lines
    except csv.Error as error:
        raise UnreadableFileError(f"no table: {error}") from error
    return emit_document(raw, "\n".join(line for _, line in lines), sections=tuple(_build_sections(lines)))


def _build_sections(lines: Iterable[tuple[int, str]]) -> Iterator[Section]:
    """Yield a section for each run of rows without a gap."""
    start, due = 0, 0
    for number, line in lines:
        if number != due:
            yield Section(start, {"rows": number})
        start, due = start + len(line) + 1, number + 1


class LabeledRows(NamedTuple):
    """Numbered lines, one for each row that holds anything but the header, and the header, empty where there is none."""

    lines: list[tuple[int, str]]
    header: Sequence[str]


def label_rows(rows: Iterable[tuple[int, Sequence[str]]], header: Sequence[str] = ()) -> LabeledRows:
    """Format numbered rows as numbered lines. A header, perhaps below rows of one value such as a title, gives the rows after it
    their names; it has a line of its own only when one of its names would stand nowhere else. With a header given, none is
    looked for."""
    waiting = iter(rows)
    lines: list[tuple[int, str]] = []
    has_header, above, top = bool(header), 0, 0
    for number, row in waiting if not has_header else ():
        if is_header(row):
            header, above, top = row, len(lines), number
            break
        lines.append((number, format_row((), row)))
        if any(row[1:]):
            break
    used: set[int] = set()
    for number, row in waiting:
        lines.append((number, format_row(header, row)))
        used.update(column for column, cell in enumerate(row) if cell)
    if not has_header and any(name and column not in used for column, name in enumerate(header)):
        lines.insert(above, (top, format_row((), header)))
    return LabeledRows(lines, header)


def format_table(rows: Iterable[Sequence[str]]) -> str:
    """Format a table inside a document, a row a line; rows without a value are left out."""
    return "\n".join(line for _, line in label_rows(enumerate(row for row in rows if any(row))).lines)


def _read_rows(text: str, delimiter: str, quoting: int = csv.QUOTE_MINIMAL) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold anything, counted as a spreadsheet does, white space in their cells collapsed."""
    csv.field_size_limit(_CELL_MAX)
    lines = (match[0] for match in _LINES.finditer(text))  # a StringIO would take four bytes a character
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=True)  # type: ignore[arg-type]
    for number, row in enumerate(reader, start=1):
        cells = [" ".join(cell.split()) for cell in row]
        if any(cells):
            yield number, cells


def _detect_delimiter(text: str) -> str:
    """Return the one under which most rows have the same number of columns, then the one that gives more columns."""
    head = text if len(text) <= SNIFF_BYTES else text[: text.rfind("\n", 0, SNIFF_BYTES) + 1] or text[:SNIFF_BYTES]
    agreement, _, place = max((*_measure_agreement(head, delimiter), -place) for place, delimiter in enumerate(_DELIMITERS))
    return _DELIMITERS[-place] if agreement >= _AGREEMENT else _ONE_COLUMN


def _measure_agreement(text: str, delimiter: str) -> tuple[float, int]:
    """Return the share of rows that have the commonest number of columns, and that number; none where the first row is not
    parted."""
    widths = [len(row) for _, row in islice(_read_rows(text, delimiter), _SNIFF_ROWS)]
    width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    return (count / len(widths), width) if width > 1 and widths[0] > 1 else (0.0, 0)


def is_header(row: Sequence[str]) -> bool:
    """Return whether a row names columns: more than one, short, and words; of numbers only years may be among them."""
    numbers = [cell for cell in row if _NUMBER.match(cell)]
    return (
        any(row[1:]) and max(map(len, row)) <= _NAME_MAX and len(numbers) < sum(map(bool, row)) and all(map(_YEAR.match, numbers))
    )


def format_row(header: Sequence[str], row: Sequence[str]) -> str:
    """Return a row in one line, each value with its column's name where there is one."""
    names = [*header, *[""] * (len(row) - len(header))]
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(names, row, strict=False) if cell)


def format_cell(value: object) -> str:
    """Return a cell's value as a person reads it: 42, 3.5, 2024-05-01, 13:45."""
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) <= 2**53 else f"{value:.15g}"
    return _format_time(value) or str(value).upper()  # TRUE, as spreadsheets write it


def _format_time(value: object) -> str:
    match value:
        case datetime():
            day = value.date().isoformat()
            return day if value.time() == time() else f"{day} {_format_time(value.time())}"
        case date():
            return value.isoformat()
        case time():
            return value.isoformat("seconds" if value.second else "minutes")
        case timedelta():
            return str(timedelta(seconds=round(value.total_seconds())))
        case _:
            return ""
