"""Read every document of a collection with all that belongs to it, one after another, as one snapshot has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from sqlalchemy import Connection, bindparam, func, select

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.types import VectorOrigin
from vecsearch.stores.base import FullDocument
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.stored_values import parse_location, parse_payload, parse_stored_json
from vecsearch.stores.sqlite.engine.tables import IS_CHUNK_PENDING, build_whole_text, chunks, documents, sources, vectors
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype


def read_full_documents(connection: Connection, state: CollectionState) -> Iterator[FullDocument]:
    """Yield every document in the order of their chunks, which decides between equal scores. Holds one document at a time.

    Raises DatabaseCorruptedError after the last document where there should be more.
    """
    expected = connection.scalar(select(func.count()).where(documents.c.collection_id == state.id)) or 0
    count = 0
    for row, key, path, title, text, metadata, digest, origin, payload in _DOCUMENTS.run(connection, collection=state.id):
        spans, blobs, lacks = [], [], origin == VectorOrigin.NONE
        for start, end, location, context, vector, is_pending in _CHUNKS.run(connection, document=row):
            spans.append(parse_chunk_span(start, end, location, context))
            blobs.append(b"" if is_pending else vector or b"")
            lacks |= is_pending
        joined = np.frombuffer(b"".join(blobs), get_dtype(state.precision))
        if not lacks and joined.size != len(spans) * state.dimension:
            raise DatabaseCorruptedError(f"document {key!r} lacks a whole vector; see `vecsearch doctor`")
        rows = None if lacks else joined.reshape(len(spans), state.dimension)
        yield FullDocument(
            key, path, title, text, parse_stored_json(metadata), digest, VectorOrigin(origin), tuple(spans), rows,
            parse_payload(payload),
        )  # fmt: skip
        count += 1
    if count != expected:
        raise DatabaseCorruptedError(f"{expected - count:,} of {expected:,} documents have no chunk; see `vecsearch doctor`")


_DOCUMENTS: Final = PreparedStatement(
    select(
        documents.c.id, documents.c.external_id, sources.c.path, documents.c.title, build_whole_text(), documents.c.metadata,
        documents.c.digest, documents.c.vector_origin, documents.c.payload,
    )
    .join_from(chunks, documents, documents.c.id == chunks.c.document_id)
    .outerjoin(sources, sources.c.id == documents.c.source_id)
    .where(chunks.c.collection_id == bindparam("collection"), chunks.c.ordinal == 0)
    .order_by(chunks.c.id)
)  # fmt: skip
_CHUNKS: Final = PreparedStatement(
    select(
        chunks.c.start, chunks.c.end, chunks.c.location, chunks.c.context, vectors.c.vector, IS_CHUNK_PENDING,
    )
    .outerjoin(vectors, vectors.c.chunk_id == chunks.c.id)
    .where(chunks.c.document_id == bindparam("document"))
    .order_by(chunks.c.ordinal)
)  # fmt: skip


def parse_chunk_span(start: int, end: int, location: str | None, context: str | None) -> ChunkSpan:
    """Return a chunk by what `chunks` holds of it. Raises DatabaseCorruptedError."""
    return ChunkSpan(start, end, parse_location(location), context or "")
