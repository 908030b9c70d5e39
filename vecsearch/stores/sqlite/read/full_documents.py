"""Every document of a collection with all that belongs to it, one after another, as one snapshot holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import Connection, bindparam, func, select

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.types import ChunkSpan, Metadata
from vecsearch.stores.sqlite.engine.collections import CollectionState, get_state
from vecsearch.stores.sqlite.engine.database_folder import Database
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.stored_values import parse_chunk_span, parse_stored_json
from vecsearch.stores.sqlite.engine.tables import chunks, documents, sources, vectors
from vecsearch.stores.sqlite.vectors.faiss_segment import Rows, get_dtype


@dataclass(frozen=True, slots=True)
class Whole:
    """A document; `source` is the stored path of its file, `vectors` a row for each cut, bit for bit as stored."""

    key: str
    source: str | None
    title: str | None
    text: str
    metadata: Metadata
    digest: str
    cuts: tuple[ChunkSpan, ...]
    vectors: Rows


@contextmanager
def reading(database: Database, name: str) -> Iterator[tuple[CollectionState, Iterator[Whole]]]:
    """A collection's state and its documents, in the order of their chunks, as they are at the beginning.

    Stored again in this order they get row ids in this order, which decides between equal scores. Holds one document at a time.
    Raises UnknownCollection, and Damaged after the last document where there should be more.
    """
    with database.begin_read() as connection:
        state = get_state(connection, name)
        yield state, _all(connection, state)


def _all(connection: Connection, state: CollectionState) -> Iterator[Whole]:
    there = connection.scalar(select(func.count()).where(documents.c.collection_id == state.id)) or 0
    given = 0
    for row, key, path, title, text, metadata, digest in _DOCUMENTS.run(connection, collection=state.id):
        cuts, blobs = [], []
        for start, end, place, context, vector in _CHUNKS.run(connection, document=row):
            cuts.append(parse_chunk_span(start, end, place, context))
            blobs.append(vector or b"")
        joined = np.frombuffer(b"".join(blobs), get_dtype(state.precision))
        if joined.size != len(cuts) * state.dimension:
            raise DatabaseCorruptedError(f"document {key!r} lacks a whole vector; see `vecsearch doctor`")
        rows = joined.reshape(len(cuts), state.dimension)
        yield Whole(key, path, title, text, parse_stored_json(metadata), digest, tuple(cuts), rows)
        given += 1
    if given != there:
        raise DatabaseCorruptedError(f"{there - given:,} of {there:,} documents have no chunk; see `vecsearch doctor`")


_DOCUMENTS: Final = PreparedStatement(
    select(
        documents.c.id, documents.c.key, sources.c.path, documents.c.title, documents.c.text, documents.c.metadata,
        documents.c.digest,
    )
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .outerjoin(sources, sources.c.id == documents.c.source_id)
    .where(chunks.c.collection_id == bindparam("collection"), chunks.c.ordinal == 0)
    .order_by(chunks.c.id)
)  # fmt: skip
_CHUNKS: Final = PreparedStatement(
    select(chunks.c.start, chunks.c.end, chunks.c.place, chunks.c.context, vectors.c.vector)
    .outerjoin(vectors, vectors.c.chunk_id == chunks.c.id)
    .where(chunks.c.document_id == bindparam("document"))
    .order_by(chunks.c.ordinal)
)
