"""Index files: when to write one, what it takes in, what to remove. Use inside `SQLiteStore.hold_lock`.

New rows become a segment of their own, and a segment that is not much larger than what follows it is taken in with them: so
a collection of n rows has some log n segments, and a row is written some log n times, however it grew. None grows beyond
SEGMENT_ROWS_MAX: that bounds the memory it takes to write one, and several are searched at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sqlalchemy import Connection, delete, exists, func, insert, select, update

from vecsearch.core import atomic_files
from vecsearch.core.errors import StorageError, VecsearchWarning, wrap_write_error
from vecsearch.core.settings import INDEX_FLUSH_ROWS, SEGMENT_DELETED_RATIO, SEGMENT_ROWS_MAX
from vecsearch.stores.sqlite.engine.collections import CollectionName, CollectionState, find_state, get_state
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.sequences import get_last_number
from vecsearch.stores.sqlite.engine.tables import IS_PENDING, chunks, collections, pending_vectors, segments, tombstones
from vecsearch.stores.sqlite.engine.wal_readers import describe_holders
from vecsearch.stores.sqlite.engine.write_lock import get_claim_path, list_claim_paths
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.vectors.faiss_segment import NO_IDS, Ids
from vecsearch.stores.sqlite.vectors.segment_rows import (
    StoredSegment,
    get_segment_path,
    list_all_segments,
    list_gaps,
    list_segments,
)
from vecsearch.stores.sqlite.vectors.vector_view import build_segment, read_deleted_ids
from vecsearch.stores.sqlite.write.merge_plan import Merge, Piece, list_stretches, merge_pieces, plan_merges


def count_pending_rows(connection: Connection, state: CollectionState) -> int:
    """Count the rows that the index files do not know of: added after them, or deleted since."""
    deleted = select(func.count()).where(tombstones.c.collection_id == state.id)
    return _count_added_rows(connection, state) + (connection.scalar(deleted) or 0)


def publish_if_due(database: DatabaseFolder, name: CollectionName) -> None:
    """Fold the rows that no index file holds in, when searching them exactly begins to cost."""
    with database.begin_read() as connection:
        state = find_state(connection, name)  # None where it was dropped, or took another's place, since it was written to
        due = state is not None and count_pending_rows(connection, state) > INDEX_FLUSH_ROWS
    if due:
        publish_if_possible(database, name, check=False)


def publish_if_possible(database: DatabaseFolder, name: CollectionName, *, check: bool = True) -> None:
    """Write the index files that are due, or warn: one that cannot be written slows searches, and loses nothing."""
    try:
        publish(database, name, check=check)
    except StorageError as error:
        warnings.warn(f"{error}; the index files are behind, and answers stay right", VecsearchWarning, stacklevel=2)


def publish(
    database: DatabaseFolder,
    name: CollectionName,
    *,
    deleted_ratio: float = SEGMENT_DELETED_RATIO,
    merge_all: bool = False,
    check: bool = True,
) -> bool:
    """Write the segments that are due; returns False when there is none.

    Due are new rows, segments of which more than `deleted_ratio` is deleted, and, with `check`, those whose files are not sound;
    or, with `merge_all`, all, in as few segments as can be. A file is complete before SQLite names it, and SQLite names it
    before those are deleted that it replaces. Raises DiskFullError.
    """
    with database.begin_read() as connection:
        state = get_state(connection, name)
        current_segments = list_segments(connection, state)
        unsound = [segment for segment in current_segments if check and not segment.is_sound(database.index_folder, state.id)]
        merges = _plan_merges(connection, state, current_segments, unsound, deleted_ratio=deleted_ratio, merge_all=merge_all)
        if not merges:
            return False
        first = 1 + (get_last_number(connection, segments) or 0)
        new = [_write_segment(connection, database, state, merge, first + n) for n, merge in enumerate(merges)]
    with database.begin_write() as connection:
        for merge, segment in zip(merges, new, strict=True):
            _replace_segments(connection, state, merge, segment)
        covers = max(state.indexed_up_to, *(merge.last_id for merge in merges))
        values = {
            "index_version": state.index_version + 1,
            "indexed_up_to": covers,
            "data_version": collections.c.data_version + 1,
        }
        connection.execute(update(collections).where(collections.c.id == state.id).values(**values))
    clear_leftovers(database)
    return True


def _plan_merges(
    connection: Connection, state: CollectionState, current_segments: list[StoredSegment], unsound: list[StoredSegment], *,
    deleted_ratio: float, merge_all: bool,
) -> list[Merge]:  # fmt: skip
    """Return what has to be written, each merge apart from the others."""
    pending, gone = _read_pending_ids(connection, state), read_deleted_ids(connection, state)
    loose = np.setdiff1d(_read_loose_ids(connection, state, current_segments), pending, assume_unique=True)
    worn = [
        segment
        for segment in current_segments
        if segment in unsound or _count_deleted(segment, gone) > deleted_ratio * segment.rows
    ]
    merges: list[Merge] = []
    for stretch in list_stretches(current_segments, loose, pending):
        due = _plan_full_merge(stretch, worn) if merge_all else list(plan_merges(stretch, is_whole=not len(pending)))
        for merge in due:
            merges += _split_merge(connection, state, merge)
    taken = {segment for merge in merges for segment in merge.replaced_segments}
    return [*merges, *(Merge((segment,), segment.after_id, segment.last_id) for segment in worn if segment not in taken)]


def _plan_full_merge(stretch: list[Piece], worn: list[StoredSegment]) -> list[Merge]:
    """Return what makes as few segments of a stretch as can be; nothing where that is done."""
    stored = [piece.segment for piece in stretch if piece.segment is not None]
    fewest = max(1, -(-sum(segment.rows for segment in stored) // SEGMENT_ROWS_MAX))
    ill_sized = len(stored) > fewest or any(segment.rows > SEGMENT_ROWS_MAX for segment in stored)
    is_due = ill_sized or len(stored) < len(stretch) or any(segment in worn for segment in stored)
    return [merge_pieces(stretch)] if is_due else []


def _split_merge(connection: Connection, state: CollectionState, merge: Merge) -> Iterator[Merge]:
    """Yield the same in as many segments as it takes; the first takes the place of the old ones."""
    after_id, replaced = merge.after_id, merge.replaced_segments
    in_merge = chunks.c.collection_id == state.id, chunks.c.id <= merge.last_id
    while True:
        rest = select(chunks.c.id).where(*in_merge, chunks.c.id > after_id).order_by(chunks.c.id)
        end = connection.scalar(rest.offset(SEGMENT_ROWS_MAX - 1).limit(1)) or merge.last_id
        yield Merge(replaced, after_id, end)
        after_id, replaced = end, ()
        if after_id >= merge.last_id:
            return


def _read_pending_ids(connection: Connection, state: CollectionState) -> Ids:
    """Return the chunks whose vectors are still to be made, ascending."""
    if not state.pending_vectors:
        return NO_IDS
    waiting = pending_vectors.c.collection_id == state.id, IS_PENDING
    return np.array(
        connection.scalars(select(pending_vectors.c.chunk_id).where(*waiting).order_by(pending_vectors.c.chunk_id)).all(),
        np.int64,
    )


def _read_loose_ids(connection: Connection, state: CollectionState, current_segments: list[StoredSegment]) -> Ids:
    """Return the chunks that lie in no segment, ascending."""
    ids = [NO_IDS]
    for after, last in list_gaps(current_segments):
        within = chunks.c.collection_id == state.id, chunks.c.id > after, chunks.c.id <= last
        ids.append(np.array(connection.scalars(select(chunks.c.id).where(*within).order_by(chunks.c.id)).all(), np.int64))
    return np.concatenate(ids)


def _count_deleted(segment: StoredSegment, deleted_ids: Ids) -> int:
    first, last = np.searchsorted(deleted_ids, (segment.after_id + 1, segment.last_id + 1))
    return int(last - first)


def _write_segment(
    connection: Connection, database: DatabaseFolder, state: CollectionState, merge: Merge, identifier: int
) -> StoredSegment | None:
    """Write the new segment to its file; None where there is no row left to hold."""
    segment = build_segment(connection, state, after_id=merge.after_id, last_id=merge.last_id)
    if not len(segment.ids):
        return None
    path = get_segment_path(database.index_folder, state.id, identifier)
    try:
        atomic_files.make_folder(database.index_folder)
        checksum = segment.save(path)
    except OSError as error:
        raise wrap_write_error(f"no index file was written at {path}", error) from error
    return StoredSegment(identifier, merge.after_id, merge.last_id, len(segment.ids), checksum)


def _replace_segments(connection: Connection, state: CollectionState, merge: Merge, segment: StoredSegment | None) -> None:
    connection.execute(delete(segments).where(segments.c.id.in_([replaced.id for replaced in merge.replaced_segments])))
    if segment is not None:
        connection.execute(
            insert(segments).values(
                id=segment.id, collection_id=state.id, after_id=segment.after_id, last_id=segment.last_id, rows=segment.rows,
                checksum=segment.checksum,
            )
        )  # fmt: skip
    for table in (tombstones, pending_vectors):  # of the latter those that were filled: no other lies in a segment
        within = table.c.chunk_id.between(merge.after_id + 1, merge.last_id)
        connection.execute(delete(table).where(table.c.collection_id == state.id, within))


def _count_added_rows(connection: Connection, state: CollectionState) -> int:
    count = select(func.count()).where(chunks.c.collection_id == state.id)
    gaps = list_gaps(list_segments(connection, state))
    outside = sum(connection.scalar(count.where(chunks.c.id > after, chunks.c.id <= last)) or 0 for after, last in gaps)
    return outside - state.pending_vectors  # none of which lies in a segment


def clear_leftovers(database: DatabaseFolder) -> None:
    """Remove the files that no collection has: index files that were replaced or left half-written, claims of those dropped."""
    with database.begin_read() as connection:
        named = list_index_files(connection, database)
        claims = {get_claim_path(database.folder, row) for row in connection.scalars(select(collections.c.id))}
    for path in [*database.index_folder.glob("*"), *list_claim_paths(database.folder)]:
        if path not in named and path not in claims:
            atomic_files.remove(path)


def list_index_files(connection: Connection, database: DatabaseFolder) -> set[object]:
    """Return the index files of all collections."""
    return {
        path
        for collection, segment in list_all_segments(connection)
        for path in segment.list_files(database.index_folder, collection)
    }


def compact(database: DatabaseFolder, name: str | None, *, full: bool = False) -> None:
    """Merge the text index, give free pages back to the file system, and empty the log; `full`: write the whole file again.

    After a full one, nothing of what was deleted is left in the files. Where a reader holds the old pages, so that the log is not
    emptied, a warning names it. `name`: None for a database without collections.
    """
    if name is not None:
        with database.begin_write() as connection:
            _tidy(connection, get_state(connection, name))
    if full:  # the copy that VACUUM makes would else be held in memory
        database.run_outside_transaction("PRAGMA temp_store = FILE", "VACUUM", "PRAGMA temp_store = MEMORY")
    else:
        database.run_outside_transaction("PRAGMA incremental_vacuum")
    database.checkpoint_wal()
    if readers := describe_holders(database):
        what = "what was deleted stays in SQLite's log" if full else "the space of what was deleted is not given back"
        again = f"vecsearch optimize{' --full' if full else ''} --db {database.folder}"
        message = f"{readers} still reads {database.folder} as it was, and {what} until it is done; then run again: {again}"
        warnings.warn(message, VecsearchWarning, stacklevel=2)


def _tidy(connection: Connection, state: CollectionState) -> None:
    """Merge the text index, and delete what nobody needs: marks of rows that no index file holds."""
    term_tables.optimize(connection, state)
    delete_unused_tombstones(connection, state)


def delete_unused_tombstones(connection: Connection, state: CollectionState) -> None:
    """Delete the marks of rows that no index file holds; whoever has read these rows learns it from the index version."""
    held = tombstones.c.chunk_id.between(segments.c.after_id + 1, segments.c.last_id)
    within = exists().where(segments.c.collection_id == state.id, held)
    if connection.execute(delete(tombstones).where(tombstones.c.collection_id == state.id, ~within)).rowcount:
        values = {"index_version": collections.c.index_version + 1, "data_version": collections.c.data_version + 1}
        connection.execute(update(collections).where(collections.c.id == state.id).values(**values))
