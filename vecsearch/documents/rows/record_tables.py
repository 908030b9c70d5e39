"""A file as records, each a row's values by the names of its columns; from the beginning as often as it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple

from vecsearch.core.errors import InputError, UnreadableFileError
from vecsearch.core.json_lines import parse_json_line
from vecsearch.core.nesting import NestingError, load_json
from vecsearch.core.parsed import ParseWarning
from vecsearch.core.row_options import LINE_COLUMN
from vecsearch.core.settings import STREAM_MIN_BYTES
from vecsearch.documents.decoding import decode, is_binary
from vecsearch.documents.loaders import LOADERS
from vecsearch.documents.loaders.file_types import detect_file_type
from vecsearch.documents.loaders.json_records import describe_type, read_lines
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.loaders.table import DelimitedText, format_cell, open_csv, open_text, open_tsv
from vecsearch.documents.loaders.table_header import is_header
from vecsearch.documents.rows.json_arrays import iterate_array
from vecsearch.documents.text_stream import iterate_lines

SAMPLE_RECORDS: Final = 100  # that tell what the columns mean
_HEADER_SEARCH_ROWS: Final = 20  # among which a header stands
_TABLE_SHARE: Final = 0.8  # of rows that have more than one value, where a sheet is a table
_RECORD_SHARE: Final = 0.5  # of records that have a key, where they are alike
_LINES_MIN: Final = 3
_LINE_WORDS_MAX: Final = 8
_LINE_CHARACTERS_MAX: Final = 100
_MEAN_WORDS_MAX: Final = 4
_SENTENCE_ENDS: Final = (".", "!", "?", ",", ";", ":", "…", "。", "{", "}", "(", ")", "\\")
_PLAIN_SUFFIXES: Final = ("", ".txt", ".text", ".lst", ".list", ".dic")


class Record(NamedTuple):
    """A row by its number in the file, from 1, and its values that are not missing."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordTable:
    """Records that have columns in common, `sample` the first of them.

    `is_likely`: it looks like a list to anybody. `name` is that of a sheet. `is_text`: values are texts whose types are untold.
    `noun` is what one record is called where it stands.
    """

    columns: tuple[str, ...]
    read_records: Callable[[], Iterator[Record | ParseWarning]]
    sample: tuple[Record, ...]
    is_likely: bool
    name: str | None = None
    is_text: bool = False
    noun: str = "row"

    @property
    def is_plain_list(self) -> bool:
        """Return whether it has no columns, but lines."""
        return self.columns == (LINE_COLUMN,)


def open_tables(raw: RawFile, named: Sequence[str]) -> list[RecordTable]:
    """Open the tables of a file in which the columns `named` are expected; none where its kind has no rows.

    Raises UnreadableFileError, BinaryFileError, EncryptedFileError, OSError.
    """
    kind = detect_file_type(raw) or raw.suffix
    loader = LOADERS.get(kind, "plain_text:load_unknown").partition(":")[2]
    if loader == "load_workbook":
        return _open_sheets(raw, named) if is_binary(raw.head) else []
    if loader == "load_json_text":
        return _open_json(raw)
    opener = _OPENERS.get(loader)
    return [] if opener is None else [opener(raw, named)]


# -- tables


def _open_delimited(raw: RawFile, text: DelimitedText, named: Sequence[str]) -> RecordTable:
    if not text.has_columns and not named:
        return _open_lines(raw)
    head = list(islice(text.read_rows(), SAMPLE_RECORDS))
    place = find_header([cells for _, cells in head], named)
    columns = _name_columns([cells for _, cells in head], place)
    first = 0 if place is None else head[place][0] + 1

    def read_records() -> Iterator[Record]:
        for number, cells in text.read_rows():
            if number >= first:
                yield Record(number, {name: cell for name, cell in _name_cells(columns, cells) if cell})

    sample = tuple(islice(read_records(), SAMPLE_RECORDS))
    return RecordTable(columns, read_records, sample, is_likely=place is not None and len(sample) > 1, is_text=True)


def find_header(rows: Sequence[Sequence[str]], named: Sequence[str]) -> int | None:
    """Return which of the first rows names the columns: one that has all of those `named`, else one that looks like it."""
    if named:
        for number, row in enumerate(rows[:_HEADER_SEARCH_ROWS]):
            if set(named) <= {cell.strip() for cell in row}:
                return number
    place = next((place for place, row in enumerate(rows) if sum(map(bool, row)) > 1), None)
    return place if place is not None and is_header(rows[place], rows[place + 1 :]) else None


def _name_columns(rows: Sequence[Sequence[str]], header: int | None) -> tuple[str, ...]:
    """Return a name of its own for each column."""
    width = max(map(len, rows), default=0)
    names = [" ".join(name.split()) for name in rows[header]] if header is not None else []
    columns = dict[str, None]()
    for number, name in enumerate([*names, *[""] * (width - len(names))], start=1):
        own, again = name or f"column {number}", 2
        while own in columns:
            own, again = f"{name} ({again})", again + 1
        columns[own] = None
    return tuple(columns)


def _name_cells(columns: Sequence[str], cells: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    yield from zip(columns, cells, strict=False)
    for number in range(len(columns), len(cells)):
        yield f"column {number + 1}", cells[number]


def _open_sheets(raw: RawFile, named: Sequence[str]) -> list[RecordTable]:
    from vecsearch.documents.loaders.office.sheets import open_sheet_rows

    sheets = [_open_sheet(name, read_rows, named) for name, read_rows in open_sheet_rows(raw)]
    tables = [table for table in sheets if table.sample]
    if len(tables) == 1:
        return [replace(tables[0], name=None)]
    return tables


def _open_sheet(name: str, read_rows: Callable[[], Iterator[Any]], named: Sequence[str]) -> RecordTable:
    head = list(islice(read_rows(), SAMPLE_RECORDS))
    texts = [row[2] for row in head]
    place = find_header(texts, named)
    columns = _name_columns(texts, place)
    first = 0 if place is None else head[place][0] + 1

    def read_records() -> Iterator[Record]:
        for number, cells, _ in read_rows():
            if number >= first:
                values = ((column, to_json_value(cell)) for column, cell in _name_cells(columns, cells))
                yield Record(number, {column: value for column, value in values if value not in ("", None)})

    sample = tuple(islice(read_records(), SAMPLE_RECORDS))
    body = texts[place + 1 :] if place is not None else []
    is_table = len(body) > 1 and sum(sum(map(bool, row)) > 1 for row in body) >= _TABLE_SHARE * len(body)
    numbers = [number for number, _, _ in head[place:]]
    return RecordTable(
        columns, read_records, sample, is_likely=is_table and numbers[-1] - numbers[0] == len(numbers) - 1, name=name
    )


def to_json_value(cell: Any) -> Any:
    """Return the value of a cell as JSON holds it: whole numbers as such, days and times as ISO 8601 writes them."""
    match cell:
        case str():
            return cell.strip()
        case float() if cell.is_integer() and abs(cell) <= 2**53:
            return int(cell)
        case datetime() if cell.time() != time():
            return cell.isoformat()
        case date() | time() | timedelta():
            return format_cell(cell)
    return cell


# -- records


def _open_json(raw: RawFile) -> list[RecordTable]:
    """Open the records of an array, or of the one array that an object holds."""
    with suppress(UnreadableFileError):
        if next(iter(open_text(raw)()), "").lstrip()[:1] == "[":
            return [_open_records(lambda: enumerate(iterate_array(open_text(raw)()), start=1), "record")]
    if raw.size >= STREAM_MIN_BYTES:
        return []
    try:
        value = load_json(decode(raw.data))
    except (ValueError, NestingError):
        return []
    arrays = [member for member in value.values() if _is_record_list(member)] if isinstance(value, dict) else []
    return [_open_records(lambda: enumerate(arrays[0], start=1), "record")] if len(arrays) == 1 else []


def _is_record_list(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(entry, dict) for entry in value)


def _read_json_lines(raw: RawFile) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(read_lines(raw), start=1):
        if line.strip():
            try:
                yield number, parse_json_line(line)
            except InputError as error:
                yield number, ParseWarning(f"line {number}: {error}")


def _open_records(read_values: Callable[[], Iterable[tuple[int, Any]]], noun: str) -> RecordTable:
    """Open objects, or words where the first value is one."""
    try:
        first = next((value for _, value in read_values() if not isinstance(value, ParseWarning)), None)
        is_list = isinstance(first, str)

        def read_records() -> Iterator[Record | ParseWarning]:
            for number, value in read_values():
                if isinstance(value, ParseWarning):
                    yield value
                elif is_list and isinstance(value, str | int | float):
                    yield from _make_line(number, str(value))
                elif isinstance(value, dict):
                    yield Record(number, {name: member for name, member in value.items() if member is not None})
                else:
                    yield ParseWarning(f"{noun} {number}: expected an object, got {describe_type(value)}")

        sample = tuple(entry for entry in islice(read_records(), SAMPLE_RECORDS) if isinstance(entry, Record))
    except UnreadableFileError:  # of an array that breaks off soon
        return RecordTable((), lambda: iter(()), (), is_likely=False)
    columns = tuple(dict.fromkeys(name for record in sample for name in record.values))
    is_alike = any(sum(name in record.values for record in sample) >= _RECORD_SHARE * len(sample) for name in columns)
    return RecordTable(columns, read_records, sample, is_likely=len(sample) > 1 and is_alike, noun=noun)


# -- lines


def _open_lines(raw: RawFile) -> RecordTable:
    def read_records() -> Iterator[Record]:
        for number, line in enumerate(iterate_lines(open_text(raw)()), start=1):
            yield from _make_line(number, line)

    sample = tuple(islice(read_records(), SAMPLE_RECORDS))
    is_likely = raw.suffix in _PLAIN_SUFFIXES and _is_word_list([record.values[LINE_COLUMN] for record in sample])
    return RecordTable((LINE_COLUMN,), read_records, sample, is_likely=is_likely, noun="line")


def _make_line(number: int, line: str) -> Iterator[Record]:
    if text := " ".join(line.split()):
        yield Record(number, {LINE_COLUMN: text})


def _is_word_list(lines: Sequence[str]) -> bool:
    """Return whether lines are words or short names, one a line, and no text of sentences, no code, no settings."""
    words = [len(line.split()) for line in lines]
    return (
        len(lines) >= _LINES_MIN
        and max(words) <= _LINE_WORDS_MAX
        and max(map(len, lines)) <= _LINE_CHARACTERS_MAX
        and sum(words) <= _MEAN_WORDS_MAX * len(lines)
        and sum(line.endswith(_SENTENCE_ENDS) or "=" in line for line in lines) <= 0.1 * len(lines)
        and sum(any(map(str.isalpha, line)) for line in lines) >= 0.8 * len(lines)
    )


_OPENERS: Final[Mapping[str, Callable[[RawFile, Sequence[str]], RecordTable]]] = {
    "load_csv": lambda raw, named: _open_delimited(raw, open_csv(raw), named),
    "load_tsv": lambda raw, named: _open_delimited(raw, open_tsv(raw), named),
    "load_json_lines": lambda raw, _: _open_records(lambda: _read_json_lines(raw), "line"),
    "load_plain_text": lambda raw, _: _open_lines(raw),
    "load_unknown": lambda raw, _: _open_lines(raw),
}
