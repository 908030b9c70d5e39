"""What `doctor` looks at: is the truth sound, and does everything derived agree with it? Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from os import W_OK, access

import numpy as np
from sqlalchemy import Connection, func, select

from vecsearch.core.errors import StorageError
from vecsearch.core.types import Finding, Severity, plural
from vecsearch.persistence import facts, fulltext
from vecsearch.persistence.database import Database
from vecsearch.persistence.publish import named_files, pending
from vecsearch.persistence.segments import StoredSegment, segments_of
from vecsearch.persistence.state import CollectionState, all_states
from vecsearch.persistence.tables import chunks, documents, sources, vectors
from vecsearch.persistence.vectors import Segment, dtype
from vecsearch.persistence.view import dead_rows, read_rows

RESTORE = "restore a backup, or index the files again into a new database"
_OPTIMIZE = "vecsearch optimize"


def examine(database: Database) -> Iterator[Finding]:
    """Everything worth knowing, the worst first; nothing when all is well."""
    try:
        with database.reading() as connection:
            yield from _truth(connection)
            for state in all_states(connection):
                yield from _rows(connection, state)
                yield from _words(connection, state)
                yield from _facts(connection, state)
                yield from _shadow(connection, database, state)
                yield from _failed_sources(connection, state)
            yield from _leftovers(connection, database)
    except StorageError as error:
        yield Finding(Severity.ERROR, str(error), "the SQLite file cannot be read through", RESTORE)


def _truth(connection: Connection) -> Iterator[Finding]:
    for (said,) in connection.exec_driver_sql("PRAGMA integrity_check(10)").all():
        if said != "ok":
            yield Finding(Severity.ERROR, f"SQLite: {said}", "the file that holds everything is damaged", RESTORE)
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        what = f"{plural(len(broken), 'row')} without the row it belongs to"
        yield Finding(Severity.ERROR, what, "a write was not complete, or another program changed the file", RESTORE)


def _rows(connection: Connection, state: CollectionState) -> Iterator[Finding]:
    bare = connection.scalar(
        select(func.count())
        .select_from(chunks)
        .outerjoin(vectors, vectors.c.chunk_id == chunks.c.id)
        .where(chunks.c.collection_id == state.id, func.coalesce(func.length(vectors.c.vector), 0) != _bytes(state))
    )
    if bare:
        what = f"{state.name}: {plural(bare, 'chunk')} without a whole vector"
        yield Finding(Severity.ERROR, what, "they cannot be found by meaning", RESTORE)
    empty = connection.scalar(
        select(func.count())
        .select_from(documents)
        .outerjoin(chunks, chunks.c.document_id == documents.c.id)
        .where(documents.c.collection_id == state.id, chunks.c.id.is_(None))
    )
    if empty:
        what = f"{state.name}: {plural(empty, 'document')} without a chunk"
        yield Finding(Severity.ERROR, what, "they cannot be found at all", RESTORE)


def _words(connection: Connection, state: CollectionState) -> Iterator[Finding]:
    held = connection.scalar(select(func.count()).where(chunks.c.collection_id == state.id))
    found = fulltext.row_count(connection, state)
    if held != found:
        what = f"{state.name}: the text index holds {found:,} rows for {plural(held or 0, 'chunk')}"
        yield Finding(Severity.ERROR, what, "lexical answers are wrong", RESTORE)


def _facts(connection: Connection, state: CollectionState) -> Iterator[Finding]:
    if wrong := facts.mismatches(connection, state.id):
        what = f"{state.name}: what filters look up is not the metadata of {plural(wrong, 'document')}"
        yield Finding(Severity.ERROR, what, "filters find others than they should", RESTORE)


def _shadow(connection: Connection, database: Database, state: CollectionState) -> Iterator[Finding]:
    waiting, stored = pending(connection, state), segments_of(connection, state)
    if not stored:
        if waiting:
            what = f"{state.name}: no index file yet, {plural(waiting, 'row')} searched exactly"
            yield Finding(Severity.NOTE, what, "answers are right, only slower in a large collection", _OPTIMIZE)
        return
    whole = True
    for each in stored:
        for finding in _segment(connection, database, state, each):
            whole = False
            yield finding
    if whole and waiting:
        what = f"{state.name}: {plural(waiting, 'row')} added or deleted since the index files were written"
        yield Finding(Severity.NOTE, what, "answers are right: they are searched exactly, or masked", _OPTIMIZE)


def _segment(connection: Connection, database: Database, state: CollectionState, stored: StoredSegment) -> Iterator[Finding]:
    path = stored.path(database.index_folder, state.id)
    if not stored.is_sound(database.index_folder, state.id):
        what = f"{state.name}: the index file {path.name} is {'damaged' if path.exists() else 'missing'}"
        yield Finding(Severity.NOTE, what, "answers are right: it is rebuilt in memory by every process", _OPTIMIZE)
    elif not _agrees(connection, state, stored, Segment.load(path, stored.checksum)):
        what = f"{state.name}: the index file {path.name} does not hold the rows that SQLite holds"
        yield Finding(Severity.ERROR, what, "dense answers may be wrong", f"remove {path} and run: {_OPTIMIZE}")


def _agrees(connection: Connection, state: CollectionState, stored: StoredSegment, segment: Segment | None) -> bool:
    """Whether the segment holds, bit for bit, every row of its range, and besides them only rows known as deleted."""
    if segment is None:
        return False
    live = segment.ids[~np.isin(segment.ids, dead_rows(connection, state))]
    place = 0
    for ids, rows in read_rows(connection, state, after=stored.after, covers=stored.covers):
        some = live[place : place + len(ids)]
        if len(some) != len(ids) or (some != ids).any() or segment.fetch(ids)[1].tobytes() != rows.tobytes():
            return False
        place += len(ids)
    return place == len(live)


def _failed_sources(connection: Connection, state: CollectionState) -> Iterator[Finding]:
    query = select(sources.c.path, sources.c.error).where(sources.c.collection_id == state.id, sources.c.error.is_not(None))
    for path, error in connection.execute(query):
        meaning = "what it gave before is kept"
        yield Finding(
            Severity.NOTE, f"{state.name}: {path} could not be read: {error}", meaning, "mend the file and index it again"
        )


def _leftovers(connection: Connection, database: Database) -> Iterator[Finding]:
    named = named_files(connection, database)
    extra = [path for path in database.index_folder.glob("*") if path not in named]
    if extra and access(database.folder, W_OK):
        what = f"{plural(len(extra), 'leftover file')} in {database.index_folder}: {extra[0].name}"
        yield Finding(Severity.NOTE, what, "an interrupted write left it; nothing reads it", _OPTIMIZE)


def _bytes(state: CollectionState) -> int:
    return state.dimension * dtype(state.precision).itemsize
