"""The noise floor as a row keeps it: estimated when the first vectors are there, and again when a fifth of them are others.

It belongs to what is derived: what a kill leaves undone, the next writer does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from sqlalchemy import Connection, update

from vecsearch.core.errors import StorageError
from vecsearch.core.settings import NOISE_CHANGED_RATIO
from vecsearch.stores.noise_floor import estimate_noise_floor
from vecsearch.stores.sqlite.engine.collections import CollectionName, CollectionState, find_state
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from vecsearch.stores.sqlite.engine.tables import collections
from vecsearch.stores.sqlite.read.snapshot import SQLiteSnapshot


def count_changes(connection: Connection, state: CollectionState, vectors: int) -> None:
    """Note that so many vectors were added or deleted."""
    if vectors:
        row = collections.c.id == state.id
        connection.execute(update(collections).where(row).values(vectors_changed=collections.c.vectors_changed + vectors))


def estimate_if_due(
    database: DatabaseFolder,
    name: CollectionName,
    open_snapshot: Callable[[CollectionName], AbstractContextManager[SQLiteSnapshot | None]],
) -> None:
    """Estimate the noise floor of a collection where there is none yet, or too many vectors have changed since. Inside the lock.

    Where it cannot be written, because the disk is full, answers go by the one that is there.
    """
    with database.begin_driver_read() as opened:
        state = find_state(opened.driver, name)  # None where it was dropped, or took another's place, since it was written to
    if state is None or not _is_due(state):
        return
    with suppress(StorageError):
        with open_snapshot(name) as snapshot:
            assert snapshot is not None
            floor, vectors = estimate_noise_floor(snapshot), len(snapshot.view)
        with database.begin_write() as connection:
            values = {"noise_floor": floor, "noise_floor_vectors": vectors, "vectors_changed": 0}
            connection.execute(update(collections).where(collections.c.id == state.id).values(**values))


def _is_due(state: CollectionState) -> bool:
    return not state.noise_floor_vectors or state.vectors_changed > NOISE_CHANGED_RATIO * state.noise_floor_vectors
