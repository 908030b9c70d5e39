"""The index file's life: when to write it, how to replace it, what to clear away. Use inside `Database.locked()`."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection, delete, func, select, update

from vecsearch.core.errors import StorageFull
from vecsearch.core.settings import FOLD_ROWS, FOLD_SHARE
from vecsearch.persistence import fulltext
from vecsearch.persistence.database import Database, sync_folder
from vecsearch.persistence.state import CollectionState, all_states, get_state
from vecsearch.persistence.tables import chunks, collections, tombstones
from vecsearch.persistence.vectors import checksum_of
from vecsearch.persistence.view import build, index_path


def pending(connection: Connection, state: CollectionState) -> int:
    """Rows that the index file does not know of: added after it, or deleted since."""
    added = select(func.count()).where(chunks.c.collection_id == state.id, chunks.c.id > state.covers)
    deleted = select(func.count()).where(tombstones.c.collection_id == state.id)
    return (connection.scalar(added) or 0) + (connection.scalar(deleted) or 0)


def publish_when_due(database: Database, name: str) -> None:
    """Fold the tail in when searching it exactly begins to cost."""
    with database.reading() as connection:
        state = get_state(connection, name)
        due = pending(connection, state) > max(FOLD_ROWS, FOLD_SHARE * state.index_rows)
    if due:
        publish(database, name)


def publish(database: Database, name: str, *, force: bool = False) -> bool:
    """Write the index of all that is there, as the next generation; False when the file is sound and nothing is pending.

    The file lies in place before SQLite names it; SQLite names it before the one before it goes. Raises StorageFull.
    """
    with database.reading() as connection:
        state = get_state(connection, name)
        if not force and not pending(connection, state) and is_sound(database, state):
            return False
        index = build(connection, state)
    path = index_path(database.index_folder, state.id, state.generation + 1)
    try:
        database.index_folder.mkdir(mode=0o700, exist_ok=True)
        checksum = index.save(path)
        sync_folder(database.index_folder)
    except OSError as error:
        raise StorageFull(f"no index file was written at {path}: {error}; answers stay right, only slower") from error
    covers = int(index.ids[-1]) if len(index.ids) else state.covers
    with database.transaction() as connection:
        values = {
            "generation": state.generation + 1, "covers": covers, "index_rows": len(index.ids), "checksum": checksum,
            "revision": collections.c.revision + 1,
        }  # fmt: skip
        connection.execute(update(collections).where(collections.c.id == state.id).values(**values))
        connection.execute(delete(tombstones).where(tombstones.c.collection_id == state.id))
    clear_leftovers(database)
    return True


def clear_leftovers(database: Database) -> None:
    """Remove index files that no collection names: older generations, and what a kill left half-written."""
    with database.reading() as connection:
        named = {index_path(database.index_folder, each.id, each.generation) for each in all_states(connection)}
    for path in database.index_folder.glob("*"):
        if path not in named:
            with suppress(OSError):
                path.unlink()


def compact(database: Database, name: str) -> None:
    """Merge the text index, give free pages back to the file system, and empty the log."""
    with database.transaction() as connection:
        fulltext.optimize(connection, get_state(connection, name))
    database.run_outside_transaction("PRAGMA incremental_vacuum", "PRAGMA wal_checkpoint(TRUNCATE)")


def is_sound(database: Database, state: CollectionState) -> bool:
    """Whether the index file that SQLite names is there, byte for byte."""
    try:
        return checksum_of(index_path(database.index_folder, state.id, state.generation)) == state.checksum
    except OSError:
        return False
