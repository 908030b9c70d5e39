"""Mending what follows from the truth, in SQLite and beside it, one kind of trouble after another.

Use inside `Database.locked()`. Each step is one transaction or harmless to repeat, and leaves a database that can be mended
again. What has to be encoded again is left to `vecsearch.indexing.repair`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from sqlalchemy import Connection, delete, exists, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core import atomic_files
from vecsearch.core.batched import batched
from vecsearch.core.errors import DiskFullError, StorageError
from vecsearch.core.settings import DATABASE_FILE, READ_DOCUMENTS, READ_ROWS
from vecsearch.stores.base import PreservedFields
from vecsearch.stores.sqlite.engine import sequences
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.tables import (
    CHUNK_TEXT,
    chunks,
    collections,
    documents,
    segments,
    sources,
    staged_vectors,
    tombstones,
    vectors,
)
from vecsearch.stores.sqlite.engine.tables import metadata_index_table as fact_rows
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.integrity import folder, schema_checks
from vecsearch.stores.sqlite.integrity.problems import Kind
from vecsearch.stores.sqlite.integrity.rows import broken_documents, unsound_vectors
from vecsearch.stores.sqlite.vectors.faiss_segment import Vector, get_dtype
from vecsearch.stores.sqlite.write import compaction, replacement

Mender: TypeAlias = Callable[[DatabaseFolder, Iterable[CollectionState]], None]  # the collections that have this trouble


def back_up(database: DatabaseFolder) -> Path:
    """A copy of the database in its folder, as it is before anything is changed. Raises StorageFull.

    Where SQLite cannot read it through, its bytes are copied, with the log beside them.
    """
    copy = _unused(database.folder, datetime.now(UTC).strftime("backup-before-fix-%Y%m%dT%H%M%SZ"))
    try:
        database.copy_to(copy)
    except DiskFullError:
        raise
    except StorageError:
        _copy_bytes(database, copy)
    return copy


def _unused(place: Path, name: str) -> Path:
    path, number = place / f"{name}.db", 1
    while path.exists():
        number += 1
        path = place / f"{name}-{number}.db"
    return path


def _copy_bytes(database: DatabaseFolder, copy: Path) -> None:
    with database.begin_read():  # so that nobody begins the log anew meanwhile
        for ending in ("", "-wal"):
            source = database.folder / f"{DATABASE_FILE}{ending}"
            if source.exists():
                with source.open("rb") as there, atomic_files.write_atomically(Path(f"{copy}{ending}")) as target:
                    shutil.copyfileobj(there, target)


def _indexes(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    with database.begin_write() as connection:
        connection.exec_driver_sql("REINDEX")


def _version(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    with database.begin_write() as connection:
        connection.execute(delete(schema_checks.REVISION))
        connection.execute(insert(schema_checks.REVISION).values(version_num=schema_checks.revision_name()))


def _orphans(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    """From what refers down to what is referred to; the index files are then made anew, for they may hold what went."""
    with database.begin_write() as connection:
        lost = ~exists().where(documents.c.id == chunks.c.document_id)
        connection.execute(delete(vectors).where(vectors.c.chunk_id.in_(select(chunks.c.id).where(lost))))
        connection.execute(delete(chunks).where(lost))
        connection.execute(delete(vectors).where(~exists().where(chunks.c.id == vectors.c.chunk_id)))
        for each in (fact_rows, segments, tombstones, staged_vectors):
            connection.execute(delete(each).where(~exists().where(collections.c.id == each.c.collection_id)))
        used = exists().where(documents.c.source_id == sources.c.id)
        of_none = ~exists().where(collections.c.id == sources.c.collection_id)
        connection.execute(delete(sources).where(of_none, ~used))
        _forget_index_files(connection, list_states(connection))


def _collections(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    with database.begin_write() as connection:
        of = select(documents.c.collection_id).where(documents.c.id == chunks.c.document_id).scalar_subquery()
        connection.execute(update(chunks).where(chunks.c.collection_id != of).values(collection_id=of))
        _forget_index_files(connection, list_states(connection))


def _numbers(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    with database.begin_write() as connection:
        for each in sequences.AUTOINCREMENT_TABLES:
            highest, last = schema_checks.highest_number(connection, each), sequences.get_last_number(connection, each)
            if not isinstance(last, int) or last < highest:
                sequences.set_last_number(connection, each, highest)


def _hidden(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    replacement.drop_leftovers(database)


def _facts(database: DatabaseFolder, states: Iterable[CollectionState]) -> None:
    for state in states:
        with database.begin_write() as connection:
            metadata_index.drop(connection, state.id)
            metadata_index.rebuild(connection, state.id, without=metadata_index.unreadable(connection, state.id))
            _touch(connection, state)


def _words(database: DatabaseFolder, states: Iterable[CollectionState]) -> None:
    for state in states:
        with database.begin_write() as connection:
            term_tables.remake(connection, state)
            _touch(connection, state)


def _staged(database: DatabaseFolder, states: Iterable[CollectionState]) -> None:
    with database.begin_write() as connection:
        for state in states:
            connection.execute(delete(staged_vectors).where(staged_vectors.c.collection_id == state.id))


def _index_files(database: DatabaseFolder, states: Iterable[CollectionState]) -> None:
    with database.begin_write() as connection:
        _forget_index_files(connection, states)


def publish_all(database: DatabaseFolder) -> None:
    """Index files for all that has none: the last step, once the rows are as they should be."""
    with database.begin_read() as connection:
        states = list_states(connection)
    _behind(database, states)


def _behind(database: DatabaseFolder, states: Iterable[CollectionState]) -> None:
    for state in states:
        compaction.publish(database, state.ref, deleted_ratio=0.0)
        with database.begin_write() as connection:
            compaction.delete_unused_tombstones(connection, state)


def _leftovers(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    compaction.clear_leftovers(database)
    for path in folder.half_written(database):
        atomic_files.remove(path)


def _modes(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    for path in folder.open_to_others(database):
        with suppress(OSError):  # another user's file stays a finding
            folder.close_to_others(path)


def _log(database: DatabaseFolder, _: Iterable[CollectionState]) -> None:
    database.checkpoint_wal()


def _forget_index_files(connection: Connection, states: Iterable[CollectionState]) -> None:
    """Every row is then searched exactly, until the index files are made anew."""
    for state in states:
        connection.execute(delete(segments).where(segments.c.collection_id == state.id))
        connection.execute(delete(tombstones).where(tombstones.c.collection_id == state.id))
        values = {
            "indexed_up_to": 0,
            "index_version": collections.c.index_version + 1,
            "data_version": collections.c.data_version + 1,
        }
        connection.execute(update(collections).where(collections.c.id == state.id).values(**values))


def _touch(connection: Connection, state: CollectionState) -> None:
    """What others remember of the collection is out of date."""
    at = collections.c.id == state.id
    connection.execute(update(collections).where(at).values(data_version=collections.c.data_version + 1))


MENDERS: Final[Mapping[Kind, Mender]] = {
    Kind.INDEXES: _indexes,
    Kind.VERSION: _version,
    Kind.NUMBERS: _numbers,
    Kind.ORPHANS: _orphans,
    Kind.COLLECTIONS: _collections,
    Kind.INDEX_FILES: _index_files,
    Kind.FACTS: _facts,
    Kind.WORDS: _words,
    Kind.HIDDEN: _hidden,
    Kind.STAGED: _staged,
    Kind.BEHIND: _behind,
    Kind.LEFTOVERS: _leftovers,
    Kind.MODES: _modes,
    Kind.LOG: _log,
}


# -- what is encoded again


@dataclass(frozen=True, slots=True)
class Silenced:
    """A chunk whose vector is to be made again: its row, and what goes into the encoder."""

    row: int
    document: str
    title: str | None
    context: str
    text: str


@dataclass(frozen=True, slots=True)
class Uncut:
    """A document that is to be cut again, as it is stored; `split` is how its file was cut, None for one from code."""

    row: int
    key: str
    source: str | None
    split: str | None
    title: str | None
    text: str
    kept: PreservedFields


def silenced(database: DatabaseFolder, state: CollectionState) -> list[Silenced]:
    """Every chunk whose vector is unsound and follows from its text."""
    query = select(chunks.c.id, documents.c.external_id, documents.c.title, func.coalesce(chunks.c.context, ""), CHUNK_TEXT)
    query = query.join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    found: list[Silenced] = []
    with database.begin_read() as connection:
        for some in batched(unsound_vectors(connection, state).encodable, READ_ROWS):
            found += [Silenced(*row) for row in connection.execute(query.where(chunks.c.id.in_(some)).order_by(chunks.c.id))]
    return found


def put_vectors(database: DatabaseFolder, state: CollectionState, rows: Sequence[int], unit: Vector) -> None:
    """Give chunks other vectors; the index files, and what others have read, are then of no use."""
    blobs = (each.tobytes() for each in np.ascontiguousarray(unit, get_dtype(state.precision)))
    adding = upsert(vectors)
    adding = adding.on_conflict_do_update(index_elements=["chunk_id"], set_={"vector": adding.excluded.vector})
    with database.begin_write() as connection:
        connection.execute(adding, [{"chunk_id": row, "vector": blob} for row, blob in zip(rows, blobs, strict=True)])
        _forget_index_files(connection, [state])


def uncut(database: DatabaseFolder, state: CollectionState) -> list[Uncut]:
    """Every document that its chunks do not cover, but for those whose vectors were brought or whose metadata cannot be read."""
    columns = (documents.c.title, documents.c.text, documents.c.metadata, documents.c.indexed_at)
    query = select(documents.c.id, documents.c.external_id, sources.c.path, sources.c.split, *columns)
    query = query.outerjoin(sources, sources.c.id == documents.c.source_id)
    found: list[Uncut] = []
    with database.begin_read() as connection:
        unreadable = metadata_index.unreadable(connection, state.id)
        broken = [row for row, brought, _ in broken_documents(connection, state) if not brought and row not in unreadable]
        for some in batched(broken, READ_DOCUMENTS):
            for row in connection.execute(query.where(documents.c.id.in_(some)).order_by(documents.c.id)):
                kept = PreservedFields(row.metadata, row.indexed_at)
                found.append(Uncut(row.id, row.external_id, row.path, row.split, row.title, row.text, kept))
    return found


def expect_again(database: DatabaseFolder, some: Iterable[Uncut]) -> None:
    """Let the files of these documents count as not yet read, for what they know of places is not in the text."""
    with database.begin_write() as connection:
        for rows in batched([each.row for each in some], READ_DOCUMENTS):
            of = select(documents.c.source_id).where(documents.c.id.in_(rows))
            connection.execute(update(sources).where(sources.c.id.in_(of)).values(digest=None))
