"""Documents from the rows of a file, one each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.files import SkippedFile
from vecsearch.core.id_table import IdTable
from vecsearch.core.parsed import LoaderItem, ParsedDocument, ParseWarning, Section
from vecsearch.core.row_options import ROW_MARK, RowOptions
from vecsearch.core.types import format_count
from vecsearch.documents.loaders.json_records import find_text
from vecsearch.documents.loaders.named_values import format_values
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.documents.rows.column_choice import KEY_LENGTH_MAX, check_columns, choose_columns
from vecsearch.documents.rows.record_tables import Record, RecordTable, open_tables
from vecsearch.documents.rows.value_types import ColumnTypes

_HASH_CHARACTERS: Final = 12  # of a row without an id: too few for two of a million to be alike but by a rare chance
_METADATA: Final = "metadata"  # a column whose objects are the metadata


@dataclass(frozen=True, slots=True)
class OpenRows:
    """A file that is read row by row. `options` name the columns of its first table, guessed or not."""

    raw: RawFile
    tables: Sequence[tuple[RecordTable, RowOptions]]
    skipped: Sequence[SkippedFile] = ()
    prefix: str = ""  # of ids of the file's own, with the mark; empty where there is no file

    @property
    def options(self) -> RowOptions:
        """Return the columns of the first table."""
        return self.tables[0][1]

    def read_items(self) -> Iterator[LoaderItem]:
        """Yield a document for each row, and what is wrong with others. Holds one at a time. Raises UnreadableFileError."""
        yield from self.skipped
        ids = _RowIds(self.prefix)
        for table, options in self.tables:
            yield from _RowReader(table, options, ids).read_items()
        if ids.repeated:
            says = "says" if ids.repeated == 1 else "say"
            yield SkippedFile(self.raw.name, f"{format_count(ids.repeated, 'row')} that {says} the same as one before")


def open_rows(raw: RawFile, options: RowOptions, *, explicit: bool = True, prefix: str | None = None) -> OpenRows | None:
    """Open the rows of a file; None for one that is a document as a whole.

    A file that is not `explicit`, as those met in a folder are not, has rows only where it looks like a list. `prefix` is what
    the ids of guessed columns begin with, by default the file's name and a mark. Raises UnreadableFileError, also for a column
    that is named and not there, BinaryFileError, OSError.
    """
    named, is_certain = options.list_columns(), explicit and not options.guess
    try:
        tables = [table for table in open_tables(raw, named) if table.sample]
    except UnreadableFileError:
        if is_certain:
            raise
        return None  # whoever reads it as a document says what is wrong with it
    if not is_certain:
        if not tables or not all(table.is_likely for table in tables):
            return None
        tables = [] if named and tables[0].is_plain_list and not explicit else tables
    if not tables:
        return None
    chosen, skipped, errors = list[tuple[RecordTable, RowOptions]](), list[SkippedFile](), list[UnreadableFileError]()
    for table in tables:
        try:
            chosen.append((table, choose_columns(table, options)))
        except UnreadableFileError as error:
            errors.append(error)
            skipped.append(SkippedFile(f"{raw.name} › {table.name}", str(error)))
    if not chosen:
        raise errors[0]
    if options.guess and (_is_own_format(*chosen[0]) or not _has_items(chosen[0][1])):
        return None
    return OpenRows(raw, chosen, skipped, f"{raw.name}{ROW_MARK}" if prefix is None else prefix)


def _has_items(columns: RowOptions) -> bool:
    """Return whether rows are things with a name: figures by year are a table to read as a whole."""
    return columns.id is not None and bool(columns.text or columns.title)


def _is_own_format(table: RecordTable, options: RowOptions) -> bool:
    """Return whether these are JSON lines that are documents without a guess: with ids, or without a column that could be one."""
    if table.noun != "line" or table.is_plain_list:
        return False
    return options.id in (None, "text", "title") or any(
        "id" in record.values or "_id" in record.values for record in table.sample
    )


class _RowIds:
    """The ids of a file's rows."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._rows = prefix, IdTable()
        self._again: dict[str, int] = {}  # how often an id was given once more
        self.repeated = 0  # rows that say the same as one before

    def take(self, key: str, number: int) -> int | None:
        """Take an id of a column that the user named; returns the row that has it already, None for none."""
        first = self._rows.find(key)
        self._rows.add(key, number)
        return first

    def take_unique(self, key: str, number: int, *, is_content: bool) -> str | None:
        """Return an id of the file's own; None where the key is all that the row says, and was there before."""
        identifier = f"{self._prefix}{key}"
        if identifier in self._rows:
            if is_content:
                self.repeated += 1
                return None
            again = self._again.get(identifier, 1)
            while (other := f"{identifier} ({again + 1})") in self._rows:
                again += 1
            self._again[identifier], identifier = again + 1, other
        self._rows.add(identifier, number)
        return identifier


class _RowReader:
    """Reads one table."""

    def __init__(self, table: RecordTable, options: RowOptions, ids: _RowIds) -> None:
        check_columns(table, options)
        self._table, self._options, self._ids = table, options, ids
        self._used = set(options.list_columns())
        self._types: ColumnTypes | None = None

    def read_items(self) -> Iterator[LoaderItem]:
        if self._table.is_text:
            columns = [name for name in self._table.columns if name not in self._used]
            records = (entry.values for entry in self._table.read_records() if isinstance(entry, Record))
            self._types = ColumnTypes(columns, records)
        for entry in self._table.read_records():
            item = self._make_document(entry) if isinstance(entry, Record) else entry
            if item is not None:
                yield item

    def _make_document(self, record: Record) -> ParsedDocument | ParseWarning | None:
        values = {name: value for name, value in record.values.items() if not _is_missing(value)}
        title = values.get(self._options.title) if self._options.title else None
        text = "\n\n".join(_format_text(values[name]) for name in self._options.text if name in values)
        metadata = {name: value for name, value in values.items() if name not in self._used}
        if not text.strip():
            text, key = find_text(metadata)
            if not self._options.text:
                metadata.pop(key, None)
        if not text.strip() and title is None:
            return None
        identifier = self._choose_id(record, values)
        if not isinstance(identifier, str):
            return identifier
        return ParsedDocument(
            identifier, text, None if title is None else " ".join(_format_text(title).split()),
            self._convert(metadata), self._make_sections(),
        )  # fmt: skip

    def _choose_id(self, record: Record, values: dict[str, Any]) -> str | ParseWarning | None:
        """Return the id of a row; None for a row to leave out."""
        column, where = self._options.id, f"{self._table.noun} {record.number:,}"
        value = values.get(column) if column is not None else None
        key = value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""
        if self._options.qualified:
            is_hash = not key or len(key) > KEY_LENGTH_MAX
            key = _hash_values(values) if is_hash else " ".join(key.split())
            return self._ids.take_unique(key, record.number, is_content=is_hash or self._table.is_plain_list)
        if not key:
            return ParseWarning(f"{where}: no value in the column {column!r}, which is to be the id")
        if (first := self._ids.take(key, record.number)) is not None:
            return ParseWarning(f"{where}: the id {key!r} was given in {self._table.noun} {first:,} already")
        return key

    def _convert(self, metadata: dict[str, Any]) -> dict[str, Any]:
        if self._types is not None:
            typed = {name: self._types.convert(name, value) for name, value in metadata.items()}
            return {name: value for name, value in typed.items() if value is not None}
        inner = metadata.get(_METADATA)
        if isinstance(inner, dict):
            return {**{name: value for name, value in metadata.items() if name != _METADATA}, **inner}
        return metadata

    def _make_sections(self) -> tuple[Section, ...]:
        """Return the sheet. Where in it the row stands is not said: a row that others move is the same document."""
        return () if self._table.name is None else (Section(0, {"sheet": self._table.name}),)


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and isnan(value))


def _format_text(value: Any) -> str:
    return value if isinstance(value, str) else format_values(value)


def _hash_values(values: dict[str, Any]) -> str:
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARACTERS]
