"""Words: two FTS5 tables a collection, so that how rare a word is belongs to that collection.

`terms` holds what `analysis` makes of a text, a stem a position, and is ranked by BM25; `forms` holds which words stand in a
chunk as they are written, for prefixes, identifiers such as `C++`, and single words in quotes. Both are contentless: they hold
the inverted index alone, the texts stay in `documents`. So an entry is taken out by giving what went in, before the rows that
hold it go. `matching` asks them; nothing else knows FTS5.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Select,
    Table,
    TableClause,
    Text,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
)
from sqlalchemy import column as sql_column
from sqlalchemy.exc import DBAPIError

from vecsearch.core.settings import READ_ROWS
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import get_driver
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import CHUNK_TEXT, chunks, documents
from vecsearch.stores.sqlite.fulltext.bm25 import count_indexed_chunks, get_forms_table, get_terms_table
from vecsearch.text.analyzer import get_analyzer

IndexEntry: TypeAlias = tuple[int, str | None, str, str]  # chunk id, document title, chunk context, chunk text

_VERSION: Final = 4  # of FTS5's own format
_TOKENIZER: Final = "unicode61 remove_diacritics 0 categories ''L* M* N* P* S* Co''"  # terms come apart at blanks alone


def create(connection: Connection, state: CollectionState) -> None:
    """Make the tables of a new collection."""
    for each in _build_table_specs(state):
        _create_table(connection, each, each.name, "content=''")


def drop(connection: Connection, state: CollectionState) -> None:
    """Remove the tables with all that is in them."""
    for name in (get_terms_table(state), get_forms_table(state)):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {name}")


def rebuild(connection: Connection, state: CollectionState) -> None:
    """Make both tables anew from the texts, in the collection's language."""
    drop(connection, state)
    create(connection, state)
    rows = connection.execute(_select_texts().where(documents.c.collection_id == state.id).execution_options(yield_per=READ_ROWS))
    for some in rows.partitions(READ_ROWS):
        add(connection, state, [tuple(row) for row in some])


def rebuild_batch(connection: Connection, state: CollectionState, *, after: int) -> int | None:
    """Index the next chunks above a row, from 0 on, which begins with new tables; returns the last of them, None for no more."""
    if after == 0:
        drop(connection, state)
        create(connection, state)
    following = _select_texts().where(chunks.c.collection_id == state.id, chunks.c.id > after)
    rows = connection.execute(following.order_by(chunks.c.id).limit(READ_ROWS)).all()
    add(connection, state, [tuple(row) for row in rows])
    return int(rows[-1][0]) if rows else None


def add(connection: Connection, state: CollectionState, entries: Iterable[IndexEntry]) -> None:
    """Index chunks."""
    for name, columns, rows in _build_index_rows(state, entries):
        PreparedStatement(insert(_make_table_clause(name, *columns))).run_many(connection, rows)


def remove_documents(connection: Connection, state: CollectionState, rows: Sequence[int]) -> None:
    """Take out every chunk of these documents (row ids), whose rows must still be there."""
    found = connection.execute(_select_texts().where(documents.c.id.in_(rows)))
    entries = [tuple(row) for row in found]
    for name, columns, gone in _build_index_rows(state, entries):
        command = insert(_make_table_clause(name, *columns, name))
        PreparedStatement(command).run_many(connection, [(*row, "delete") for row in gone])


def optimize(connection: Connection, state: CollectionState) -> None:
    """Merge the parts of each table into one."""
    for name in (get_terms_table(state), get_forms_table(state)):
        connection.execute(insert(_make_table_clause(name, name)).values({name: "optimize"}))


def try_count_chunks(connection: Connection, state: CollectionState) -> int:
    """How many chunks the tables hold; 0 where that cannot be told."""
    try:
        return count_indexed_chunks(connection, state)
    except sqlite3.Error:
        return 0


# -- checking and mending


@dataclass(frozen=True, slots=True)
class _TableSpec:
    """One of a collection's tables: its columns, what else it is made with, and the tables that FTS5 keeps it in."""

    name: str
    columns: tuple[str, ...]
    options: str
    shadow_tables: Mapping[str, tuple[str, ...]]


_SHADOW_TABLES: Final = {"data": ("id", "block"), "idx": ("segid", "term", "pgno"), "config": ("k", "v")}
_SIZE_TABLE: Final = {"docsize": ("id", "sz")}
_SHADOW_SCHEMAS: Final = {  # as FTS5 makes them
    "data": "(id INTEGER PRIMARY KEY, block BLOB)",
    "idx": "(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID",
    "config": "(k PRIMARY KEY, v) WITHOUT ROWID",
    "docsize": "(id INTEGER PRIMARY KEY, sz BLOB)",
}
_SQLITE_MASTER: Final = table("sqlite_master", sql_column("name"))
_UNRELATED_ERRORS: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_READONLY")


def is_exact(connection: Connection, state: CollectionState) -> bool:
    """Whether both tables are sound in themselves and hold exactly what analysis makes of the texts.

    A copy of each is put beside the expected words, and FTS5 compares: the count of rows, the length of each, and a checksum over
    every (chunk, column, position, term). Makes temporary tables: it needs a connection of its own, which keeps them on disk.
    """
    get_driver(connection).execute("PRAGMA temp_store = FILE")
    try:
        for each in _build_table_specs(state):  # which FTS5 must be able to open
            match = literal_column(each.name).op("MATCH")("a")
            connection.execute(
                select(literal_column("rowid")).select_from(_make_table_clause(each.name)).where(match).limit(1)
            ).all()
        expected = {each.name: _create_expected_table(connection, each) for each in _build_table_specs(state)}
        rows = connection.execute(
            _select_texts().where(documents.c.collection_id == state.id).execution_options(yield_per=READ_ROWS)
        )
        for some in rows.partitions(READ_ROWS):
            for name, _, words in _build_index_rows(state, [tuple(row) for row in some]):
                expected[name].run_many(connection, words)
        for each in _build_table_specs(state):
            _compare(connection, each)
    except DBAPIError as error:
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        if name.startswith(_UNRELATED_ERRORS):
            raise
        return False
    return True


def rebuild_damaged(connection: Connection, state: CollectionState) -> None:
    """As `rebuild`, also where FTS5 cannot open its tables any more, and so would not drop them."""
    there = set(connection.scalars(select(_SQLITE_MASTER.c.name)))
    for each in _build_table_specs(state):
        for part in each.shadow_tables:
            if each.name in there:
                connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {each.name}_{part}{_SHADOW_SCHEMAS[part]}")
            else:
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {each.name}_{part}")
        if each.name in there:
            config = table(f"{each.name}_config", sql_column("k"), sql_column("v"))
            connection.execute(delete(config).where(config.c.k == "version"))
            connection.execute(insert(config).values(k="version", v=_VERSION))
    rebuild(connection, state)


def _build_table_specs(state: CollectionState) -> tuple[_TableSpec, _TableSpec]:
    return (
        _TableSpec(get_terms_table(state), ("title", "body"), "", _SHADOW_TABLES | _SIZE_TABLE),
        _TableSpec(get_forms_table(state), ("forms",), ", detail='none', columnsize=0", _SHADOW_TABLES),
    )


def _create_table(connection: Connection, spec: _TableSpec, name: str, content: str) -> None:
    columns = ", ".join(spec.columns)
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {name} USING fts5({columns}, {content}{spec.options}, tokenize='{_TOKENIZER}')"
    )


def _create_expected_table(connection: Connection, spec: _TableSpec) -> PreparedStatement:
    """A temporary table for the words that should be indexed; gives the statement that fills it."""
    columns = (Column(name, Text) for name in spec.columns)
    words = Table(f"expected_{spec.name}", MetaData(), Column("id", Integer, primary_key=True), *columns, prefixes=["TEMPORARY"])
    words.create(connection)
    return PreparedStatement(insert(words))


def _compare(connection: Connection, spec: _TableSpec) -> None:
    """Raises DBAPIError where the table is not what is expected."""
    copy = f"copy_{spec.name}"
    _create_table(connection, spec, f"temp.{copy}", f"content='expected_{spec.name}', content_rowid='id'")
    for part, columns in spec.shadow_tables.items():
        kept = table(f"{spec.name}_{part}", *map(sql_column, columns), schema="main")
        copied = table(f"{copy}_{part}", *map(sql_column, columns), schema="temp")
        connection.execute(delete(copied))
        connection.execute(insert(copied).from_select(columns, select(kept)))
    command = table(copy, sql_column(copy), sql_column("rank"), schema="temp")
    connection.execute(insert(command).values({copy: "integrity-check", "rank": 1}))


def _select_texts() -> Select[Any]:
    return select(chunks.c.id, documents.c.title, func.coalesce(chunks.c.context, ""), CHUNK_TEXT).join_from(
        chunks, documents, documents.c.id == chunks.c.document_id
    )


def _build_index_rows(
    state: CollectionState, entries: Iterable[IndexEntry]
) -> list[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Of both tables: the name, the columns beside the row id, and the rows."""
    by = get_analyzer(state.stemmer)
    terms: list[tuple[Any, ...]] = []
    forms: list[tuple[Any, ...]] = []
    for chunk, title, context, text in entries:
        above, body = by.analyze(f"{title or ''} {context}".strip()), by.analyze(text)
        terms.append((chunk, " ".join(above.terms), " ".join(body.terms)))
        forms.append((chunk, " ".join(above.forms | body.forms)))
    return [(get_terms_table(state), ("title", "body"), terms), (get_forms_table(state), ("forms",), forms)]


def _make_table_clause(name: str, *columns: str) -> TableClause:
    return table(name, *map(sql_column, ("rowid", *columns)))
