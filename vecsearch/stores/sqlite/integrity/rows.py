"""The rows of a collection: every document has its chunks, every chunk a vector that can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, case, func, or_, select

from vecsearch.core.settings import READ_ROWS
from vecsearch.core.types import Precision, format_count
from vecsearch.stores.base import RESTORE_HINT
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.connections import get_driver
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import HAS_MADE_VECTORS, IS_CHUNK_PENDING, IS_VECTORLESS, chunks, documents, vectors
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.integrity.problems import Problem, ProblemKind, make_error
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype

_TOLERANCE: Final = {Precision.FLOAT16: 3e-3, Precision.FLOAT32: 1e-4}  # of a norm of 1: what rounding costs, and some more
_ADD_AGAIN: Final = f"add the documents with their vectors again, or {RESTORE_HINT}"

_VECTORS: Final = PreparedStatement(
    select(chunks.c.id, vectors.c.vector)
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .outerjoin(vectors, vectors.c.chunk_id == chunks.c.id)
    .where(chunks.c.collection_id == bindparam("collection"), ~IS_CHUNK_PENDING)
    .where(~IS_VECTORLESS | vectors.c.vector.is_not(None))
    .order_by(chunks.c.id)
)
_PROVIDED: Final = PreparedStatement(
    select(chunks.c.id)
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .where(chunks.c.collection_id == bindparam("collection"), ~HAS_MADE_VECTORS)
)
_NO_OBJECT = case((func.typeof(chunks.c.location) != "text", 1), else_=1 - func.json_valid(chunks.c.location))
_BROKEN: Final = PreparedStatement(  # the number of chunks of each document that its chunks do not cover as they should
    select(func.count(chunks.c.id))
    .outerjoin(chunks, chunks.c.document_id == documents.c.id)
    .where(documents.c.collection_id == bindparam("collection"))
    .group_by(documents.c.id)
    .having(
        or_(
            func.count(chunks.c.id) == 0,
            func.min(chunks.c.ordinal) != 0,
            func.max(chunks.c.ordinal) != func.count(chunks.c.id) - 1,
            func.min(chunks.c.start) < 0,
            func.max(case((chunks.c.part_id.is_(None), chunks.c.end), else_=0)) > func.length(documents.c.text),
            func.max(chunks.c.start - chunks.c.end) > 0,
            func.max(case((chunks.c.location.is_(None), 0), else_=_NO_OBJECT)) > 0,
        )
    )
    .order_by(documents.c.id)
)
_TORN_PARTS: Final = """
    WITH bounds AS MATERIALIZED (
        SELECT documents.id AS document_id, NULL AS part_id, 0 AS start, length(documents.text) AS "end"
        FROM documents WHERE collection_id = :collection AND id IN (SELECT document_id FROM text_parts)
        UNION ALL
        SELECT document_id, text_parts.id, start, start + length(text_parts.text)
        FROM documents JOIN text_parts ON text_parts.document_id = documents.id WHERE collection_id = :collection
    ), numbered AS (
        SELECT document_id, start, lag("end", 1, 0) OVER (PARTITION BY document_id ORDER BY start) AS end_before FROM bounds
    )
    SELECT document_id FROM numbered WHERE start <> end_before
    UNION
    SELECT chunks.document_id FROM chunks LEFT JOIN bounds ON bounds.part_id = chunks.part_id
    WHERE chunks.collection_id = :collection AND chunks.part_id IS NOT NULL AND (
        bounds.document_id IS NOT chunks.document_id OR chunks.start < bounds.start OR chunks."end" > bounds."end"
    )
"""  # documents in parts that do not follow each other, and those with a chunk that does not lie within its part


@dataclass(frozen=True, slots=True)
class UnsoundVectors:
    """Chunks of a collection by row, ascending: without a whole vector, or with one that is no unit vector."""

    incomplete: tuple[int, ...]
    invalid: tuple[int, ...]
    provided: frozenset[int]  # those among them whose vector the caller brought

    @property
    def encodable(self) -> tuple[int, ...]:
        """Return those rows whose vector follows from their text."""
        return tuple(row for row in sorted((*self.incomplete, *self.invalid)) if row not in self.provided)


def find_unsound_vectors(connection: Connection, state: CollectionState) -> UnsoundVectors:
    """Look at every vector, block by block."""
    incomplete: list[int] = []
    invalid: list[int] = []
    dtype = get_dtype(state.precision)
    size = state.dimension * dtype.itemsize
    cursor = _VECTORS.run(connection, collection=state.id)
    while block := cursor.fetchmany(READ_ROWS):
        complete = [(row, blob) for row, blob in block if isinstance(blob, bytes) and len(blob) == size]
        if len(complete) < len(block):
            complete_rows = {row for row, _ in complete}
            incomplete += [row for row, _ in block if row not in complete_rows]
        rows = np.frombuffer(b"".join(blob for _, blob in complete), dtype).reshape(len(complete), state.dimension)
        are_unit = _are_unit(rows, _TOLERANCE[state.precision])
        invalid += [row for (row, _), is_unit in zip(complete, are_unit.tolist(), strict=True) if not is_unit]
    unsound = {*incomplete, *invalid}
    provided = {row for (row,) in _PROVIDED.run(connection, collection=state.id)} & unsound if unsound else unsound
    return UnsoundVectors(tuple(incomplete), tuple(invalid), frozenset(provided))


def check_vectors(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Find chunks without a whole vector that is finite and of length 1."""
    unsound = find_unsound_vectors(connection, state)
    for rows, what, meaning in (
        (unsound.incomplete, "without a whole vector", "they cannot be found by meaning"),
        (unsound.invalid, "with a vector that is not finite or not of length 1", "their scores by meaning are wrong"),
    ):
        provided = sum(row in unsound.provided for row in rows)
        if len(rows) > provided:
            amount = format_count(len(rows) - provided, "chunk")
            yield make_error(f"{amount} {what}", meaning, kind=ProblemKind.VECTORS, state=state)
        if provided:
            whose = f"{format_count(provided, 'chunk')} {what}, whose vectors were provided, not encoded"
            yield make_error(whose, meaning, _ADD_AGAIN, state=state)


def check_documents(connection: Connection, state: CollectionState) -> Iterator[Problem]:
    """Find documents whose chunks do not lie within their text, from ordinal 0 on, or whose metadata cannot be read."""
    counts = [count for (count,) in _BROKEN.run(connection, collection=state.id)]
    torn = len(get_driver(connection).execute(_TORN_PARTS, {"collection": state.id}).fetchall())
    bare, astray = counts.count(0), len(counts) - counts.count(0)
    if bare:
        yield make_error(
            f"{format_count(bare, 'document')} without a chunk", "they cannot be found at all", RESTORE_HINT, state=state
        )
    if astray:
        what = f"{format_count(astray, 'document')} whose chunks are not numbered from 0 or do not lie within its text"
        yield make_error(what, "a wrong stretch of text is found or shown", RESTORE_HINT, state=state)
    if torn:
        what = f"{format_count(torn, 'document')} whose text is not whole, or whose chunks do not lie within its parts"
        yield make_error(what, "a wrong stretch of text is found or shown", RESTORE_HINT, state=state)
    if unreadable := metadata_index.find_unreadable(connection, state.id):
        what = f"the metadata of {format_count(len(unreadable), 'document')} is no JSON object"
        meaning = "filters cannot tell of them, and they can be neither shown nor changed"
        yield make_error(what, meaning, RESTORE_HINT, state=state)


def _are_unit(rows: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Return for each row whether its length is 1, near enough; never for one that holds NaN or infinity."""
    with np.errstate(all="ignore"):
        floats = rows.astype(np.float32)
        norms = np.sqrt(np.vecdot(floats, floats))
        are_unit: NDArray[np.bool_] = np.abs(norms - 1) <= tolerance
    return are_unit
