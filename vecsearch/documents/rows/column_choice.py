"""Which columns of a table are the ids, texts and titles of its documents: those that are named, else guessed ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from vecsearch.core.errors import UnreadableFileError
from vecsearch.core.row_options import LINE_COLUMN, RowOptions
from vecsearch.core.types import format_names
from vecsearch.documents.loaders.table_header import classify_value
from vecsearch.documents.rows.record_tables import RecordTable

KEY_LENGTH_MAX: Final = 200  # characters of an id that is taken from a row
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS: Final = re.compile(r"[^\W_]+")
_ID_NAMES: Final = (
    "id key sku code uuid guid isbn issn ean upc gtin asin doi slug handle identifier number no nr nummer artikelnummer номер"
).split()  # the surest first
_TEXT_NAMES: Final = (
    "text content body document passage abstract description definition summary message comment comments review answer note "
    "notes beschreibung bezeichnung inhalt texte contenu descripción texto contenido descrizione testo описание текст"
).split()
_TITLE_NAMES: Final = (
    "title name headline heading subject label product term word question titel überschrift produkt wort nom titre nombre título "
    "nome titolo имя название"
).split()
_ODD_SHARE_MAX: Final = 0.1  # of the rows of a sample, of a column that is called an id
_MOST: Final = 0.6
_PROSE_WORDS_MIN: Final = 4  # on the average of a column whose name says nothing
_TEXT_WORDS_MIN: Final = 1.5  # … and of one whose name says that it is text


def choose_columns(table: RecordTable, options: RowOptions) -> RowOptions:
    """Return the options with what is guessed in its place: whatever is None or empty then, there is no column for.

    Raises UnreadableFileError for a column that is named and not there.
    """
    if table.is_plain_list:
        check_columns(table, options)
        return RowOptions(LINE_COLUMN, (LINE_COLUMN,), qualified=True)
    if options.qualified and not set(options.list_columns()) <= set(table.columns):
        options = RowOptions()  # guessed for another table of the file, or before it changed
    check_columns(table, options)
    identifier = options.id if options.id is not None else _guess_id(table, options.list_columns())
    text, title = options.text, options.title
    if not text:
        text = _guess_text(table, {identifier, title})
        title = title or _guess_title(table, identifier, text)
    return RowOptions(identifier, text, title, qualified=options.qualified or options.id is None)


def check_columns(table: RecordTable, options: RowOptions) -> None:
    """Raise UnreadableFileError where a column that is named is not there."""
    for name in options.list_columns():
        if name not in table.columns:
            shown = format_names(table.columns, limit=30)
            there = "it is a list of plain lines" if table.is_plain_list else f"its columns: {shown}" if shown else "it has none"
            raise UnreadableFileError(f"no column {name!r} in it; {there}")


def _guess_id(table: RecordTable, taken: Iterable[str]) -> str | None:
    """Return a column of short values that are all there and all different, the first.

    One that is called so may have some odd ones among them: rows without an id, or with that of another, get one of their own.
    """
    untaken = [name for name in table.columns if name not in taken]
    named = _find_named([name for name in untaken if _has_unique_values(table, name, odd_share=_ODD_SHARE_MAX)], _ID_NAMES)
    if named is not None:
        return named
    unique = [name for name in untaken if _has_unique_values(table, name)]
    first = next(iter(table.columns), "")
    if _find_named([first], _TEXT_NAMES):
        return None
    return first if first in unique and not _is_mostly(table, first, lambda text: len(text.split()) > 3) else None


def _has_unique_values(table: RecordTable, column: str, *, odd_share: float = 0.0) -> bool:
    """Return whether a column has short values, each in one row; of three rows and more, one may be odd where any share may."""
    values = [record.values.get(column) for record in table.sample]
    keys = {
        text for value in values
        if isinstance(value, str | int) and not isinstance(value, bool)
        and 0 < len(text := str(value)) <= KEY_LENGTH_MAX // 2 and "\n" not in text
    }  # fmt: skip
    odd = len(values) - len(keys)
    return (
        len(keys) > (odd > 0)
        and odd <= (max(1, odd_share * len(values)) if odd_share else 0)
        and not _is_mostly(table, column, lambda text: classify_value(text) in ("date", "truth") or "." in text[-4:-1])
    )


def _guess_text(table: RecordTable, taken: set[str | None]) -> tuple[str, ...]:
    """Return the column of prose: one that is called so, else that of the longest values; none where values are but words."""
    wordy = {name: words for name in table.columns if name not in taken and (words := _count_words(table, name))}
    named = _find_named([name for name, words in wordy.items() if words >= _TEXT_WORDS_MIN], _TEXT_NAMES)
    longest = max(wordy, key=lambda name: wordy[name], default=None)
    if named is not None:
        return (named,)
    return (longest,) if longest is not None and wordy[longest] >= _PROSE_WORDS_MIN else ()


def _guess_title(table: RecordTable, identifier: str | None, text: Sequence[str]) -> str | None:
    """Return the column that names things: one that is called so, else that of the ids where they are words."""
    words = [name for name in table.columns if name not in (identifier, *text) and _count_words(table, name)]
    named = _find_named(words, _TITLE_NAMES)
    if named is not None:
        return named
    is_words = identifier is not None and _is_mostly(table, identifier, lambda key: classify_value(key) == "words")
    return identifier if is_words else None


def _find_named(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column called by the first of the names: as a whole, else by its last word."""
    words = {column: [word.casefold() for word in _WORDS.findall(_CAMEL.sub(" ", column))] for column in columns}
    tests: list[Callable[[list[str], str], bool]] = [lambda own, name: own == [name], lambda own, name: own[-1:] == [name]]
    for has_name in tests:
        for name in names:
            for column, own in words.items():
                if has_name(own, name):
                    return column
    return None


def _count_words(table: RecordTable, column: str) -> float:
    """Return how many words the values of a column have on the average; 0 where they are no texts."""
    values = [record.values[column] for record in table.sample if column in record.values]
    texts = [value for value in values if isinstance(value, str) and classify_value(value) == "words"]
    return sum(len(text.split()) for text in texts) / len(texts) if len(texts) > _MOST * len(values) else 0.0


def _is_mostly(table: RecordTable, column: str, test: Callable[[str], Any]) -> bool:
    texts = [str(record.values[column]) for record in table.sample if column in record.values]
    return bool(texts) and sum(bool(test(text)) for text in texts) >= _MOST * len(texts)
