"""Metadata, taken apart: a row for every value under every key, which is what a filter looks up.

A top-level key stands as it is; below it, the keys of objects stand as paths with dots. A key that has dots itself comes before
the path that reads the same, and is part of no path. The rows always follow from `documents.metadata`, so that those to take out
are known without a second index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select

from vecsearch.core.batched import batched
from vecsearch.core.settings import READ_ROWS
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import documents, metadata_index_table
from vecsearch.stores.sqlite.filters.metadata_values import MetadataEntry, list_entries


def add(connection: Connection, collection: int, stored: Iterable[tuple[int, str]]) -> None:
    """Add the entries of documents: (row, metadata as stored)."""
    _ADD.run_many(connection, sorted(_build_rows(collection, stored)))  # in the table's order, which is twice as quick


def remove(connection: Connection, collection: int, stored: Iterable[tuple[int, str]]) -> None:
    """Remove the entries of documents: (row, metadata as it was stored when they were added)."""
    _REMOVE.run_many(connection, sorted(_build_rows(collection, stored)))


def rebuild(connection: Connection, collection: int, *, without: Container[int] = ()) -> None:
    """Add the entries of every document, `without` some (rows), of a collection that has none; a batch at a time."""
    for batch in _read_documents(connection, collection):
        add(connection, collection, [(row, stored) for row, stored in batch if row not in without])


def rebuild_batch(connection: Connection, collection: int, *, after: int) -> int | None:
    """Rebuild the rows of the next documents above a row, from 0 on; returns the last of them, None for no more.

    Documents whose metadata cannot be read are left out.
    """
    if after == 0:
        drop(connection, collection)
    batch = _NEXT_DOCUMENTS.run(connection, collection=collection, after=after, count=READ_ROWS).fetchall()
    if not batch:
        return None
    readable = [(row, stored) for row, stored, is_object in batch if is_object]
    add(connection, collection, readable)
    return int(batch[-1][0])


def drop(connection: Connection, collection: int) -> None:
    """Drop the entries of a collection."""
    connection.execute(delete(metadata_index_table).where(metadata_index_table.c.collection_id == collection))


def find_unreadable(connection: Connection, collection: int) -> set[int]:
    """Return the documents (rows) whose metadata is no JSON object: they have no entries."""
    return {row for (row,) in _UNREADABLE.run(connection, collection=collection)}


def count_mismatches(connection: Connection, collection: int, *, without: Container[int] = ()) -> int:
    """Count the documents, `without` some (rows), whose entries are not those of their metadata. Holds a hash for each."""
    balance: Counter[int] = Counter()
    for batch in _read_documents(connection, collection):
        balance.update({row: sum(map(_hash_entry, list_entries(stored))) for row, stored in batch if row not in without})
    for row, *fact in _NOTED.run(connection, collection=collection):
        if row in without:
            continue
        balance[row] -= _hash_entry((fact[0], fact[1], fact[2]))
    return sum(1 for left in balance.values() if left)


def _read_documents(connection: Connection, collection: int) -> Iterator[list[tuple[int, str]]]:
    """Yield (row, metadata) of every document, in batches."""
    return batched(_DOCUMENTS.run(connection, collection=collection), READ_ROWS)


def _build_rows(collection: int, stored: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str, int, Any, int]]:
    known: dict[str, dict[MetadataEntry, None]] = {}  # documents with the same metadata are many
    for document, metadata in stored:
        entries = known.get(metadata)
        if entries is None:
            entries = known[metadata] = list_entries(metadata)
        for key, kind, value in entries:
            yield collection, key, kind, value, document


def _hash_entry(fact: MetadataEntry) -> int:
    return hash((fact[0], fact[1], repr(fact[2])))  # as text: Python's hash takes -1 for -2


_ADD: Final = PreparedStatement(insert(metadata_index_table))
_REMOVE: Final = PreparedStatement(
    delete(metadata_index_table).where(*(column == bindparam(column.name) for column in metadata_index_table.c))
)
_NOTED: Final = PreparedStatement(
    select(
        metadata_index_table.c.document_id, metadata_index_table.c.key, metadata_index_table.c.kind, metadata_index_table.c.value
    ).where(metadata_index_table.c.collection_id == bindparam("collection"))
)
_DOCUMENTS: Final = PreparedStatement(
    select(documents.c.id, documents.c.metadata).where(documents.c.collection_id == bindparam("collection"))
)
_IS_OBJECT: Final = case(
    (func.typeof(documents.c.metadata) != "text", 0),
    (func.json_valid(documents.c.metadata) == 0, 0),
    else_=func.json_type(documents.c.metadata) == "object",
)
_UNREADABLE: Final = PreparedStatement(
    select(documents.c.id).where(documents.c.collection_id == bindparam("collection"), _IS_OBJECT == 0)
)
_NEXT_DOCUMENTS: Final = PreparedStatement(
    select(documents.c.id, documents.c.metadata, _IS_OBJECT)
    .where(documents.c.collection_id + 0 == bindparam("collection"), documents.c.id > bindparam("after"))
    .order_by(documents.c.id)
    .limit(bindparam("count"))
)
