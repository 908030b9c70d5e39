"""Chroma's databases, read from their SQLite file: ids, documents, typed metadata. Not its vectors, nor its index files."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, inspect, select, table
from sqlalchemy import column as sql_column

from vecsearch.core.batched import batched
from vecsearch.core.errors import InputError, UnreadableFileError, VecsearchWarning
from vecsearch.core.nesting import load_json
from vecsearch.core.parsed import ParsedDocument
from vecsearch.core.settings import READ_DOCUMENTS
from vecsearch.core.types import JSON, format_names
from vecsearch.documents.validation import validate_document
from vecsearch.exchange.foreign_sqlite import open_foreign
from vecsearch.exchange.transfer_records import ExportHeader, ImportEntry, ImportRecord

_EMBEDDING: Final = "#embedding"
_SPACE_DEFAULT: Final = "l2"
FILE: Final = "chroma.sqlite3"
_DOCUMENT: Final = "chroma:document"
_VALUES: Final = ("string_value", "int_value", "float_value", "bool_value")
_COLLECTIONS: Final = table("collections", sql_column("id"), sql_column("name"))
_COLLECTION_METADATA: Final = table("collection_metadata", *map(sql_column, ("collection_id", "key", "str_value")))
_SEGMENTS: Final = table("segments", sql_column("id"), sql_column("scope"), sql_column("collection"))
_EMBEDDINGS: Final = table("embeddings", sql_column("id"), sql_column("segment_id"), sql_column("embedding_id"))
_METADATA: Final = table("embedding_metadata", *map(sql_column, ("id", "key", *_VALUES)))
_LISTS: Final = table("embedding_metadata_array", *map(sql_column, ("id", "key", *_VALUES)))
_TAKEN_IN: Final = table("max_seq_id", sql_column("segment_id"), sql_column("seq_id"))
_QUEUE: Final = table("embeddings_queue", sql_column("seq_id"), sql_column("topic"))


@dataclass(frozen=True, slots=True)
class _Part:
    """A collection's segment of documents."""

    collection: str
    name: str
    segment: str


class ChromaSource:
    """A database folder of Chroma, or one collection of it."""

    header: ExportHeader | None = None

    def __init__(self, file: Path, *, only: str | None = None) -> None:
        """Look up its collections. Raises UnreadableFileError, and InputError where the one named is not there."""
        self._file = file
        with open_foreign(file) as connection:
            if missing := {"collections", "segments", "embeddings", "embedding_metadata"} - set(
                inspect(connection).get_table_names()
            ):
                raise UnreadableFileError(f"{file} is no database of Chroma that can be read: it has no table {min(missing)}")
            parts = [_Part(*row) for row in connection.execute(_select_parts())]
            self._parts = [part for part in parts if only in (None, part.name)]
            if only is not None and not self._parts:
                raise InputError(
                    f"no collection {only!r} in {file} (there: {format_names([part.name for part in parts]) or 'none'})"
                )
            of = _EMBEDDINGS.c.segment_id.in_([part.segment for part in self._parts])
            for part in self._parts:
                _warn_of_space(part.name, _find_space(connection, part.collection))
            self.total = float(connection.scalar(select(func.count()).select_from(_EMBEDDINGS).where(of)) or 0)

    def read_entries(self) -> Iterator[ImportEntry]:
        """Yield every entry of every collection, in the order they were added."""
        with open_foreign(self._file) as connection:
            for part in self._parts:
                yield from _check_queue(connection, part)
                rows = connection.execute(_select_entries(part).execution_options(yield_per=READ_DOCUMENTS))
                for batch in batched(rows, READ_DOCUMENTS):
                    metadatas = _read_metadata(connection, [row.id for row in batch])
                    for row in batch:
                        yield _build_entry(part, row.embedding_id, metadatas[row.id])


def _select_parts() -> Select[Any]:
    return (
        select(_COLLECTIONS.c.id, _COLLECTIONS.c.name, _SEGMENTS.c.id)
        .join_from(_COLLECTIONS, _SEGMENTS, _SEGMENTS.c.collection == _COLLECTIONS.c.id)
        .where(_SEGMENTS.c.scope == "METADATA")
        .order_by(_COLLECTIONS.c.name, _COLLECTIONS.c.id)
    )


def _find_space(connection: Connection, collection: str) -> str:
    """Return what a collection was searched by, wherever the version that made it has noted that: cosine, l2 or ip."""
    inspector = inspect(connection)
    there = {column["name"] for column in inspector.get_columns("collections")}
    columns: list[ColumnElement[Any]] = [sql_column(name) for name in ("schema_str", "config_json_str") if name in there]
    if columns:
        for text in connection.execute(select(*columns).select_from(_COLLECTIONS).where(_COLLECTIONS.c.id == collection)).one():
            with suppress(TypeError, ValueError):  # nothing there, or no JSON
                noted = load_json(text)
                if space := _find_key(_find_key(noted, _EMBEDDING) or noted, "space"):
                    return str(space)
    if inspector.has_table(_COLLECTION_METADATA.name):
        of = _COLLECTION_METADATA.c
        space = connection.scalar(select(of.str_value).where(of.collection_id == collection, of.key == "hnsw:space"))
        return space or _SPACE_DEFAULT
    return _SPACE_DEFAULT


def _find_key(value: JSON, key: str) -> JSON:
    """Return what stands under a key at any level, the highest one; None where it is not there."""
    waiting = [value]
    for part in waiting:
        if isinstance(part, dict):
            if key in part:
                return part[key]
            waiting += part.values()
    return None


def _warn_of_space(name: str, space: str) -> None:
    if space != "cosine":
        warnings.warn(
            f"Chroma compared the vectors of {name!r} by {space}, vecsearch does so by the cosine: the texts are embedded anew, "
            "and what is near may be ranked otherwise",
            VecsearchWarning,
            stacklevel=2,
        )


def _select_entries(part: _Part) -> Select[Any]:
    query = select(_EMBEDDINGS.c.id, _EMBEDDINGS.c.embedding_id).where(_EMBEDDINGS.c.segment_id == part.segment)
    return query.order_by(_EMBEDDINGS.c.id)


def _check_queue(connection: Connection, part: _Part) -> Iterator[ImportEntry]:
    """Yield a complaint about changes that Chroma has noted and not yet carried out, as after a crash."""
    if not {"max_seq_id", "embeddings_queue"} <= set(inspect(connection).get_table_names()):
        return
    done = connection.scalar(select(_TAKEN_IN.c.seq_id).where(_TAKEN_IN.c.segment_id == part.segment))
    done = int.from_bytes(done) if isinstance(done, bytes) else done or 0  # bytes in older versions
    newer = select(func.count()).where(_QUEUE.c.topic.endswith(part.collection, autoescape=True), _QUEUE.c.seq_id > done)
    if count := connection.scalar(newer):
        what = f"{count:,} changes are still in Chroma's queue: open it with Chroma once, count its entries, and import again"
        yield ImportEntry(f"collection {part.name!r}", 0.0, None, what)


def _read_metadata(connection: Connection, rows: list[int]) -> dict[int, dict[str, Any]]:
    metadata_by_row: dict[int, dict[str, Any]] = defaultdict(dict)
    inspector = inspect(connection)
    for source in (_METADATA, _LISTS):
        if not inspector.has_table(source.name):
            continue
        column_names = {column["name"] for column in inspector.get_columns(source.name)}
        columns = [source.c[name] for name in ("id", "key", *_VALUES) if name in column_names]  # bool_value came later
        for row, key, *values in connection.execute(select(*columns).where(source.c.id.in_(rows)).order_by(sql_column("rowid"))):
            value = _choose_value(values)
            if source is _LISTS:
                metadata_by_row[row].setdefault(key, []).append(value)
            else:
                metadata_by_row[row][key] = value
    return metadata_by_row


def _choose_value(values: Iterable[Any]) -> Any:
    """Return the one of string, integer, float and truth value that is there."""
    for name, value in zip(_VALUES, values, strict=False):
        if value is not None:
            return bool(value) if name == "bool_value" else value
    return None


def _build_entry(part: _Part, identifier: Any, metadata: dict[str, Any]) -> ImportEntry:
    where = f"{identifier!r} of collection {part.name!r}"
    text = metadata.pop(_DOCUMENT, None)
    if not isinstance(text, str):
        return ImportEntry(where, 1.0, None, "it has no document, only a vector")
    try:
        return ImportEntry(where, 1.0, ImportRecord(validate_document(ParsedDocument(identifier, text, None, metadata))))
    except InputError as error:
        return ImportEntry(where, 1.0, None, str(error))
