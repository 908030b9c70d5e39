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
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.tables import chunks, documents, vectors
from vecsearch.stores.sqlite.filters import metadata_index
from vecsearch.stores.sqlite.integrity.problems import RESTORE, Kind, Trouble, error
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype

_TOLERANCE: Final = {Precision.FLOAT16: 3e-3, Precision.FLOAT32: 1e-4}  # of a norm of 1: what rounding costs, and some more
_BRING: Final = f"add the documents with their vectors again, or {RESTORE}"

_VECTORS: Final = PreparedStatement(
    select(chunks.c.id, vectors.c.vector)
    .outerjoin(vectors, vectors.c.chunk_id == chunks.c.id)
    .where(chunks.c.collection_id == bindparam("collection"))
    .order_by(chunks.c.id)
)
_BROUGHT: Final = PreparedStatement(
    select(chunks.c.id)
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .where(chunks.c.collection_id == bindparam("collection"), documents.c.provided_vectors)
)
_NO_OBJECT = case((func.typeof(chunks.c.location) != "text", 1), else_=1 - func.json_valid(chunks.c.location))
_BROKEN: Final = PreparedStatement(  # (row, digest, chunks) of documents that are not covered by chunks as they should be
    select(documents.c.id, documents.c.provided_vectors, func.count(chunks.c.id))
    .outerjoin(chunks, chunks.c.document_id == documents.c.id)
    .where(documents.c.collection_id == bindparam("collection"))
    .group_by(documents.c.id)
    .having(
        or_(
            func.count(chunks.c.id) == 0,
            func.min(chunks.c.ordinal) != 0,
            func.max(chunks.c.ordinal) != func.count(chunks.c.id) - 1,
            func.min(chunks.c.start) < 0,
            func.max(chunks.c.end) > func.length(documents.c.text),
            func.max(chunks.c.start - chunks.c.end) > 0,
            func.max(case((chunks.c.location.is_(None), 0), else_=_NO_OBJECT)) > 0,
        )
    )
    .order_by(documents.c.id)
)


@dataclass(frozen=True, slots=True)
class Unsound:
    """Chunks of a collection by row, ascending: without a whole vector, or with one that is no direction."""

    lacking: tuple[int, ...]
    senseless: tuple[int, ...]
    brought: frozenset[int]  # those among them whose vector the caller made up

    @property
    def encodable(self) -> tuple[int, ...]:
        """Those whose vector follows from their text."""
        return tuple(row for row in sorted((*self.lacking, *self.senseless)) if row not in self.brought)


def unsound_vectors(connection: Connection, state: CollectionState) -> Unsound:
    """Every vector looked at, block by block."""
    lacking: list[int] = []
    senseless: list[int] = []
    kind = get_dtype(state.precision)
    size = state.dimension * kind.itemsize
    cursor = _VECTORS.run(connection, collection=state.id)
    while block := cursor.fetchmany(READ_ROWS):
        whole = [(row, blob) for row, blob in block if isinstance(blob, bytes) and len(blob) == size]
        if len(whole) < len(block):
            there = {row for row, _ in whole}
            lacking += [row for row, _ in block if row not in there]
        rows = np.frombuffer(b"".join(blob for _, blob in whole), kind).reshape(len(whole), state.dimension)
        sound = _are_unit(rows, _TOLERANCE[state.precision])
        senseless += [row for (row, _), good in zip(whole, sound.tolist(), strict=True) if not good]
    bad = {*lacking, *senseless}
    brought = {row for (row,) in _BROUGHT.run(connection, collection=state.id)} & bad if bad else bad
    return Unsound(tuple(lacking), tuple(senseless), frozenset(brought))


def vectors_of(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """A whole vector for each chunk, finite and of length 1."""
    unsound = unsound_vectors(connection, state)
    for rows, what, meaning in (
        (unsound.lacking, "without a whole vector", "they cannot be found by meaning"),
        (unsound.senseless, "with a vector that is not finite or not of length 1", "their scores by meaning are wrong"),
    ):
        brought = sum(row in unsound.brought for row in rows)
        if len(rows) > brought:
            yield error(f"{format_count(len(rows) - brought, 'chunk')} {what}", meaning, kind=Kind.VECTORS, state=state)
        if brought:
            said = f"{format_count(brought, 'chunk')} {what}, whose vectors were brought, not encoded"
            yield error(said, meaning, _BRING, state=state)


def broken_documents(connection: Connection, state: CollectionState) -> list[tuple[int, bool, int]]:
    """Documents that are not covered by chunks as they should be: (row, whether its vectors were brought, chunks it has)."""
    return [(row, bool(brought), count) for row, brought, count in _BROKEN.run(connection, collection=state.id)]


def documents_of(connection: Connection, state: CollectionState) -> Iterator[Trouble]:
    """Chunks from ordinal 0 on within each document's text; metadata that can be read."""
    broken = broken_documents(connection, state)
    for bare, what, meaning in (
        (True, "without a chunk", "they cannot be found at all"),
        (
            False,
            "whose chunks are not numbered from 0 or do not lie within its text",
            "a wrong stretch of text is found or shown",
        ),
    ):
        some = [brought for _, brought, count in broken if (count == 0) is bare]
        if some.count(False):
            said = f"{format_count(some.count(False), 'document')} {what}"
            yield error(said, meaning, kind=Kind.DOCUMENTS, state=state)
        if some.count(True):
            said = f"{format_count(some.count(True), 'document')} {what}, with vectors that were brought, not encoded"
            yield error(said, meaning, _BRING, state=state)
    if unreadable := metadata_index.unreadable(connection, state.id):
        what = f"the metadata of {format_count(len(unreadable), 'document')} is no JSON object"
        yield error(what, "filters cannot tell of them, and they can be neither shown nor changed", RESTORE, state=state)


def _are_unit(rows: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Rows whose length is 1, near enough; none that holds NaN or infinity."""
    with np.errstate(all="ignore"):
        floats = rows.astype(np.float32)
        norms = np.sqrt(np.vecdot(floats, floats))
        good: NDArray[np.bool_] = np.abs(norms - 1) <= tolerance
    return good
