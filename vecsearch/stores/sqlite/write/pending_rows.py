"""Chunks without vectors: those whose vectors are still to be made, or came late, and those that are to have none.

`collections.pending_vectors` and `vectorless_chunks` count them, so that a search need not. A vector that came late keeps its row
until an index file holds it, with the data version that it came with: so whoever knows the rows of an earlier version finds it,
whatever its id.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Select, bindparam, delete, exists, func, insert, select, update

from vecsearch.stores.base import Vector
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import (
    IS_PENDING,
    IS_VECTORLESS,
    chunks,
    collections,
    documents,
    pending_vectors,
    vectors,
)
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype
from vecsearch.stores.sqlite.write import noise_floor_row


def add(connection: Connection, state: CollectionState, ids: Collection[int], *, vectorless: int = 0) -> None:
    """Note new chunks that have no vector yet, and how many others are to have none."""
    if ids:
        _ADD.run_many(connection, ((chunk, state.id, None) for chunk in ids))
    _change_counts(connection, state, pending=len(ids), vectorless=vectorless)


def remove(connection: Connection, state: CollectionState, ids: Select[tuple[int]]) -> None:
    """Forget the chunks that a query gives, which are still there."""
    this = (pending_vectors.c.collection_id == state.id) & pending_vectors.c.chunk_id.in_(ids)
    count = connection.execute(delete(pending_vectors).where(this, IS_PENDING)).rowcount
    vectorless = 0
    if state.vectorless_chunks:
        vectorless = int(connection.scalar(_build_vectorless_count().where(chunks.c.id.in_(ids))) or 0)
    _change_counts(connection, state, pending=-count, vectorless=-vectorless)
    connection.execute(delete(pending_vectors).where(this))


def fill(connection: Connection, state: CollectionState, rows: Mapping[int, Vector]) -> int:
    """Store the vectors of those of the chunks that still wait for them, with the data version that is to come; count them."""
    waiting = [chunk for (chunk,) in _FIND_WAITING.run(connection, collection=state.id, ids=json.dumps(list(rows)))]
    kind = get_dtype(state.precision)
    _ADD_VECTOR.run_many(connection, ((chunk, np.ascontiguousarray(rows[chunk], kind).tobytes()) for chunk in waiting))
    _FILL.run_many(connection, ((state.data_version + 1, chunk) for chunk in waiting))
    _change_counts(connection, state, pending=-len(waiting))
    noise_floor_row.count_changes(connection, state, len(waiting))
    return len(waiting)


def repair_marks(connection: Connection, state: CollectionState) -> None:
    """Forget marks that the vectors contradict, and which vectors came late: index files must then be written again. Count."""
    has_vector = exists().where(vectors.c.chunk_id == pending_vectors.c.chunk_id)
    marks = pending_vectors.c.collection_id == state.id
    connection.execute(delete(pending_vectors).where(marks, has_vector | ~IS_PENDING))
    counts = {
        "pending_vectors": connection.scalar(select(func.count()).where(marks)) or 0,
        "vectorless_chunks": count_vectorless(connection, state),
    }
    connection.execute(update(collections).where(collections.c.id == state.id).values(**counts))


def count_vectorless(connection: Connection, state: CollectionState) -> int:
    """Count the chunks that are to have no vector."""
    return int(connection.scalar(_build_vectorless_count().where(documents.c.collection_id == state.id)) or 0)


def _build_vectorless_count() -> Select[Any]:
    return select(func.count()).join_from(chunks, documents, documents.c.id == chunks.c.document_id).where(IS_VECTORLESS)


def _change_counts(connection: Connection, state: CollectionState, *, pending: int, vectorless: int = 0) -> None:
    if pending or vectorless:
        values = {
            "pending_vectors": collections.c.pending_vectors + pending,
            "vectorless_chunks": collections.c.vectorless_chunks + vectorless,
        }
        connection.execute(update(collections).where(collections.c.id == state.id).values(**values))


_ADD: Final = PreparedStatement(insert(pending_vectors))
_ADD_VECTOR: Final = PreparedStatement(insert(vectors))
_FILL: Final = PreparedStatement(
    update(pending_vectors).where(pending_vectors.c.chunk_id == bindparam("chunk")).values(filled=bindparam("version"))
)
_FIND_WAITING: Final = PreparedStatement(
    select(pending_vectors.c.chunk_id)
    .where(
        pending_vectors.c.collection_id == bindparam("collection"),
        IS_PENDING,
        pending_vectors.c.chunk_id.in_(select(func.json_each(bindparam("ids")).table_valued("value").c.value)),
    )
    .order_by(pending_vectors.c.chunk_id)
)
