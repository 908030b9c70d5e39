"""Tables as callers have them in memory (pandas, polars, Arrow, a mapping of columns) → documents, one a row.

Nothing is imported for it: a table is what has named columns that can be taken by their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from vecsearch.api.arguments import check_length, to_plain_json
from vecsearch.api.columns import is_missing, list_optional_values, list_values
from vecsearch.core.checks import shorten_repr
from vecsearch.core.errors import InputError, UsageError
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.row_options import RowOptions
from vecsearch.core.types import format_names
from vecsearch.documents.loaders.named_values import format_values
from vecsearch.documents.validation import validate_document


def parse_row_options(
    rows: bool | RowOptions, id: str | None, text: str | Sequence[str] | None, title: str | None
) -> RowOptions | None:
    """Return how rows become documents, None where files are documents. Naming a column asks for rows. Raises InputError."""
    columns = _parse_columns(id, text, title)
    if isinstance(rows, RowOptions):
        if columns.list_columns():
            raise UsageError("rows names the columns already: leave id, text and title out")
        return rows
    return columns if rows or columns.list_columns() else None


def parse_frame(frame: Any, *, id: str | None, text: str | Sequence[str] | None, title: str | None) -> list[ParsedDocument]:
    """Return a checked document for each row of a table. Raises InputError, which names the row, from 0, and the column."""
    options = _parse_columns(id, text, title)
    columns = _list_columns(frame)
    for name in options.list_columns():
        if name not in columns:
            raise InputError(f"no column {name!r} in the table; its columns: {format_names(list(columns), limit=30)}")
    documents, rows = list[ParsedDocument](), dict[str, int]()
    for row, values in enumerate(zip(*columns.values(), strict=True)):
        document = _make_document(row, dict(zip(columns, values, strict=True)), options)
        if (first := rows.setdefault(document.id, row)) != row:
            raise InputError(f"row {row:,}, column {options.id!r}: the id {document.id!r} was given in row {first:,} already")
        documents.append(document)
    return documents


def _parse_columns(id: Any, text: Any, title: Any) -> RowOptions:
    texts = [] if text is None else [text] if isinstance(text, str) else list_values(text, "text")
    for name in (id, *texts, title):
        if name is not None and not isinstance(name, str):
            raise InputError(f"a column is named by a string, got {shorten_repr(name)}")
    return RowOptions(id, tuple(texts), title)


def _list_columns(frame: Any) -> dict[str, list[Any]]:
    """Return the values of each column by its name, None for what is missing."""
    names = getattr(frame, "column_names", None)  # of Arrow
    if names is None:
        names = frame if isinstance(frame, Mapping) else getattr(frame, "columns", None)
    if names is None or isinstance(frame, str) or not hasattr(frame, "__getitem__"):
        raise InputError(f"expected a DataFrame, an Arrow table or a mapping of columns, got {shorten_repr(frame)}")
    columns, first = dict[str, list[Any]](), ""
    for name in list(names):
        if not isinstance(name, str):
            raise InputError(f"a column is named by a string, got {shorten_repr(name)}; rename it")
        if name in columns:
            raise InputError(f"two columns are named {name!r}; rename one")
        columns[name] = list_optional_values(frame[name], f"column {name!r}")
        first = first or name
        check_length(columns[name], f"column {name!r}", len(columns[first]), beside=f"value of {first!r}")
    return columns


def _make_document(row: int, values: dict[str, Any], options: RowOptions) -> ParsedDocument:
    plain = {}
    for name, value in values.items():
        if not is_missing(value):
            try:
                plain[name] = to_plain_json(value, "a value")
            except InputError as error:
                raise InputError(f"row {row:,}, column {name!r}: {error}") from error
    title = plain.get(options.title) if options.title is not None else None
    text = "\n\n".join(_format_text(plain[name]) for name in options.text if name in plain)
    named = set(options.list_columns())
    metadata = {name: value for name, value in plain.items() if name not in named}
    try:
        return validate_document(
            ParsedDocument(
                _choose_id(plain, options), text if text.strip() else format_values(metadata),
                None if title is None else _format_text(title), metadata,
            )
        )  # fmt: skip
    except InputError as error:
        raise InputError(f"row {row:,}: {error}") from error


def _choose_id(values: Mapping[str, Any], options: RowOptions) -> str:
    if options.id is None:
        return uuid4().hex
    value = values.get(options.id)
    if isinstance(value, float) and value.is_integer():  # whole numbers beside one that is missing
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"column {options.id!r} must hold a string or a whole number, got {shorten_repr(value)}")
    return str(value)


def _format_text(value: Any) -> str:
    return value if isinstance(value, str) else format_values(value)
