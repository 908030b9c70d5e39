"""Rebuild what a migration marked as absent: what is derived from texts and metadata, a batch a transaction.

A migration is DDL, but for rows of `collections`. Where it changes what is derived, it adds a row to `rebuilds` for each
collection and structure:

    INSERT INTO rebuilds (collection_id, structure) SELECT id, 'metadata_index' FROM collections

and the first writer, which upgrades, does the work. After a kill the next writer continues where it stopped. Readers
wait for it: until nothing is left, `user_version` is negative. Index files need no such row: a migration deletes the rows
of `segments` and `tombstones` and sets `indexed_up_to` to 0, then every vector is searched exactly until they are written again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection, delete, func, select, update

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.stores.sqlite.engine.collections import CollectionState, list_states
from vecsearch.stores.sqlite.engine.migration import record_version
from vecsearch.stores.sqlite.engine.tables import chunks, documents, rebuilds
from vecsearch.stores.sqlite.engine.versions import increase_data_version
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.fulltext import term_tables

if TYPE_CHECKING:
    from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder

_LOGGER: Final = logging.getLogger(__name__)


class DerivedStructure(StrEnum):
    """What can be rebuilt. It is stored: frozen SQL names it."""

    METADATA_INDEX = "metadata_index"
    TEXT_INDEX = "text_index"


class RebuildProgress(NamedTuple):
    """How far the rebuilding of one structure of one collection is: rows done, of so many."""

    collection: str
    structure: DerivedStructure
    done: int
    total: int


def log_progress(progress: RebuildProgress) -> None:
    """Log one batch."""
    _LOGGER.info("rebuilding the %s of %s: %d of %d rows", progress.structure.value, progress.collection, *progress[2:])


def rebuild_derived(database: DatabaseFolder, *, report: Callable[[RebuildProgress], None] = log_progress) -> None:
    """Rebuild all that waits for it, each batch in a transaction of its own. Only inside the write lock."""
    progress: RebuildProgress | None = None
    while True:
        before = progress
        with database.begin_upgrade() as connection:
            progress = rebuild_batch(connection)
        if progress is None:
            return
        if progress != before:  # the last batch of a structure finds nothing more
            report(progress)


def rebuild_batch(connection: Connection) -> RebuildProgress | None:
    """Rebuild one batch and note how far that is; None where nothing is left to do."""
    row = connection.execute(select(rebuilds).order_by(rebuilds.c.collection_id, rebuilds.c.structure).limit(1)).one_or_none()
    if row is None:
        return None
    state = next((state for state in list_states(connection) if state.id == row.collection_id), None)
    if state is None or row.structure not in set(DerivedStructure):
        raise DatabaseCorruptedError(f"the database is damaged: {row.structure!r} cannot be rebuilt; see `vecsearch doctor`")
    structure = DerivedStructure(row.structure)
    last = _REBUILDERS[structure](connection, state, row.progress)
    this = (rebuilds.c.collection_id == state.id) & (rebuilds.c.structure == structure.value)
    if last is None:
        connection.execute(delete(rebuilds).where(this))
        increase_data_version(connection, state)
        record_version(connection)
    else:
        connection.execute(update(rebuilds).where(this).values(progress=last))
    table = documents if structure is DerivedStructure.METADATA_INDEX else chunks
    of_collection = select(func.count()).where(table.c.collection_id == state.id)
    total = connection.scalar(of_collection) or 0
    done = total if last is None else connection.scalar(of_collection.where(table.c.id <= last)) or 0
    return RebuildProgress(state.name, structure, done, total)


def _rebuild_metadata(connection: Connection, state: CollectionState, after: int) -> int | None:
    return metadata_index.rebuild_batch(connection, state.id, after=after)


_REBUILDERS: Final[dict[DerivedStructure, Callable[[Connection, CollectionState, int], int | None]]] = {
    DerivedStructure.METADATA_INDEX: _rebuild_metadata,
    DerivedStructure.TEXT_INDEX: lambda connection, state, after: term_tables.rebuild_batch(connection, state, after=after),
}
