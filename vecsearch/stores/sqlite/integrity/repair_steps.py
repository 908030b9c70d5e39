"""The steps of a repair, each of which derives one kind of thing again, in SQLite or beside it.

Use inside the write lock. Each step is one transaction or harmless to repeat, and leaves a database that can be repaired again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vecsearch.core import atomic_files
from vecsearch.core.batched import batched
from vecsearch.core.errors import DiskFullError, StorageError, raise_foreign
from vecsearch.core.settings import DATABASE_FILE, READ_ROWS
from vecsearch.core.types import Location
from vecsearch.stores.sqlite.engine import migration
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_states
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.stored_values import parse_location
from vecsearch.stores.sqlite.engine.tables import (
    CHUNK_TEXT,
    chunks,
    collections,
    documents,
    pending_vectors,
    segments,
    tombstones,
    vectors,
)
from vecsearch.stores.sqlite.engine.versions import increase_data_version
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.integrity import folder
from vecsearch.stores.sqlite.integrity.problems import ProblemKind
from vecsearch.stores.sqlite.integrity.rows import find_unsound_vectors
from vecsearch.stores.sqlite.vectors.faiss_segment import Vector, get_dtype
from vecsearch.stores.sqlite.write import compaction, pending_rows
from vecsearch.stores.sqlite.write.upgrade import rebuild_derived

Step: TypeAlias = Callable[[DatabaseFolder, Sequence[CollectionState]], None]  # the collections that have this problem


def back_up(database: DatabaseFolder) -> Path:
    """Copy the database into its folder, as it is before anything is changed; returns the copy. Raises DiskFullError.

    Where SQLite cannot read it through, its bytes are copied, with the log beside them.
    """
    copy = _choose_free_path(database.folder, datetime.now(UTC).strftime("backup-before-fix-%Y%m%dT%H%M%SZ"))
    try:
        database.copy_to(copy)
    except DiskFullError:
        raise
    except StorageError:
        _copy_bytes(database, copy)
    return copy


def _choose_free_path(folder: Path, name: str) -> Path:
    path, number = folder / f"{name}.db", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.db"
    return path


def _copy_bytes(database: DatabaseFolder, copy: Path) -> None:
    with database.begin_read():  # so that nobody begins the log again meanwhile
        for ending in ("", "-wal"):
            source = database.folder / f"{DATABASE_FILE}{ending}"
            if source.exists():
                with source.open("rb") as stream, atomic_files.write_atomically(Path(f"{copy}{ending}")) as target:
                    shutil.copyfileobj(stream, target)


def _repair_schema(database: DatabaseFolder, _: Sequence[CollectionState]) -> None:
    with database.begin_upgrade() as connection:
        if migration.list_missing_columns(connection):
            migration.migrate(connection)
        else:
            migration.record_revision(connection)
    rebuild_derived(database)


def _rebuild_sqlite_indexes(database: DatabaseFolder, _: Sequence[CollectionState]) -> None:
    with database.begin_write() as connection:
        connection.exec_driver_sql("REINDEX")


def _rebuild_metadata_index(database: DatabaseFolder, states: Sequence[CollectionState]) -> None:
    for state in states:
        with database.begin_write() as connection:
            metadata_index.drop(connection, state.id)
            unreadable = metadata_index.find_unreadable(connection, state.id)
            metadata_index.rebuild(connection, state.id, without=unreadable)
            increase_data_version(connection, state)


def _rebuild_text_index(database: DatabaseFolder, states: Sequence[CollectionState]) -> None:
    for state in states:
        with database.begin_write() as connection:
            term_tables.rebuild(connection, state)


def _forget_index_files(database: DatabaseFolder, states: Sequence[CollectionState]) -> None:
    with database.begin_write() as connection:
        _delete_segments(connection, states)


def _repair_pending_vectors(database: DatabaseFolder, states: Sequence[CollectionState]) -> None:
    """Forget wrong marks; what has neither mark nor vector then is encoded."""
    with database.begin_write() as connection:
        for state in states:
            pending_rows.repair_marks(connection, state)
        _delete_segments(connection, states)


def publish_all(database: DatabaseFolder) -> None:
    """Write the index files of all collections that lack some: the last step, once the rows are as they should be."""
    with database.begin_read() as connection:
        states = list_states(connection)
    _update_index_files(database, states)


def _update_index_files(database: DatabaseFolder, states: Sequence[CollectionState]) -> None:
    for state in states:
        compaction.publish(database, state.ref, deleted_ratio=0.0)
        with database.begin_write() as connection:
            compaction.delete_unused_tombstones(connection, state)


def _remove_leftover_files(database: DatabaseFolder, _: Sequence[CollectionState]) -> None:
    compaction.clear_leftovers(database)
    for path in folder.list_unfinished_files(database):
        atomic_files.remove(path)


def _close_to_others(database: DatabaseFolder, _: Sequence[CollectionState]) -> None:
    failures = []
    for path in folder.list_files_open_to_others(database):
        try:
            folder.close_to_others(path)
        except OSError as error:  # another user's file
            raise_foreign(error)
            failures.append(f"{path}: {error.strerror or error}")
    if failures:
        raise StorageError("; ".join(failures[:3]))


def _empty_log(database: DatabaseFolder, _: Sequence[CollectionState]) -> None:
    database.checkpoint_wal()


def _delete_segments(connection: Connection, states: Iterable[CollectionState]) -> None:
    """Delete the segments, so that every row is searched exactly until the index files are written again."""
    for state in states:
        connection.execute(delete(segments).where(segments.c.collection_id == state.id))
        connection.execute(delete(tombstones).where(tombstones.c.collection_id == state.id))
        values = {
            "indexed_up_to": 0,
            "index_version": collections.c.index_version + 1,
            "data_version": collections.c.data_version + 1,
        }
        connection.execute(update(collections).where(collections.c.id == state.id).values(**values))


STEPS: Final[Mapping[ProblemKind, Step]] = {
    ProblemKind.SCHEMA: _repair_schema,
    ProblemKind.SQLITE_INDEXES: _rebuild_sqlite_indexes,
    ProblemKind.INDEX_FILES: _forget_index_files,
    ProblemKind.METADATA_INDEX: _rebuild_metadata_index,
    ProblemKind.TEXT_INDEX: _rebuild_text_index,
    ProblemKind.PENDING_VECTORS: _repair_pending_vectors,
    ProblemKind.OUTDATED_INDEX: _update_index_files,
    ProblemKind.LEFTOVERS: _remove_leftover_files,
    ProblemKind.MODES: _close_to_others,
    ProblemKind.LOG: _empty_log,
}


# -- vectors


@dataclass(frozen=True, slots=True)
class UnencodedChunk:
    """A chunk without a sound vector: its row, and what goes into the encoder, if it is a text, which its location says."""

    row: int
    document: str
    title: str | None
    context: str
    text: str
    location: Location


def list_unencoded_chunks(database: DatabaseFolder, state: CollectionState) -> list[UnencodedChunk]:
    """Return every chunk whose vector is unsound and follows from its text."""
    query = select(
        chunks.c.id, documents.c.external_id, documents.c.title, func.coalesce(chunks.c.context, ""), CHUNK_TEXT,
        chunks.c.location,
    )  # fmt: skip
    query = query.join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    unencoded: list[UnencodedChunk] = []
    with database.begin_read() as connection:
        for ids in batched(find_unsound_vectors(connection, state).encodable, READ_ROWS):
            rows = connection.execute(query.where(chunks.c.id.in_(ids)).order_by(chunks.c.id))
            unencoded += [UnencodedChunk(*row[:-1], parse_location(row[-1])) for row in rows]
    return unencoded


def mark_pending(database: DatabaseFolder, state: CollectionState, rows: Sequence[int]) -> None:
    """Have the vectors of chunks made by whoever makes those that wait: they follow from files, which a repair does not read."""
    with database.begin_write() as connection:
        for ids in batched(rows, READ_ROWS):
            for table in (vectors, pending_vectors):
                connection.execute(delete(table).where(table.c.chunk_id.in_(ids)))
        pending_rows.add(connection, state, rows)
        pending_rows.repair_marks(connection, state)
        _delete_segments(connection, [state])


def replace_vectors(database: DatabaseFolder, state: CollectionState, rows: Sequence[int], unit: Vector) -> None:
    """Give chunks other vectors; the index files, and what others have read, are then of no use."""
    blobs = (vector.tobytes() for vector in np.ascontiguousarray(unit, get_dtype(state.precision)))
    statement = upsert(vectors)
    statement = statement.on_conflict_do_update(index_elements=["chunk_id"], set_={"vector": statement.excluded.vector})
    with database.begin_write() as connection:
        connection.execute(statement, [{"chunk_id": row, "vector": blob} for row, blob in zip(rows, blobs, strict=True)])
        _delete_segments(connection, [state])
