"""The chunks of documents, as they are written: their rows, their vectors and the text index.

Rows are made one by one as SQLite takes them: thousands of tuples that live as long as their batch would keep Python's collector
busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from sqlalchemy import Connection, insert

from vecsearch.core.batched import batched
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.types import Precision
from vecsearch.stores.base import NewDocument
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.sequences import allocate_numbers
from vecsearch.stores.sqlite.engine.stored_values import format_stored_json
from vecsearch.stores.sqlite.engine.tables import chunks, vectors
from vecsearch.stores.sqlite.fulltext import term_tables
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype
from vecsearch.stores.sqlite.write import pending_rows

_VECTORS_AT_ONCE: Final = 256  # documents whose vectors are converted together


def add_chunks(connection: Connection, state: CollectionState, rows: Sequence[int], new_documents: Sequence[NewDocument]) -> None:
    """Store the chunks of documents, whose rows these are, with their vectors, and index their texts."""
    ids = allocate_numbers(connection, chunks, sum(len(document.spans) for document in new_documents))
    _ADD_CHUNK.run_many(
        connection,
        (
            (
                i,
                state.id,
                row,
                n,
                cut.start,
                cut.end,
                format_stored_json(cut.location) if cut.location else None,
                cut.context or None,
                None,
            )
            for i, (row, _, n, cut) in zip(ids, _iterate_spans(rows, new_documents), strict=True)
        ),
    )
    pending = _list_pending(ids, new_documents)
    with_vector = (i for i in ids if i not in pending) if pending else iter(ids)
    _ADD_VECTOR.run_many(connection, zip(with_vector, _iterate_vectors(new_documents, state.precision), strict=True))
    pending_rows.add(connection, state, pending)
    bodies = (
        (i, document.title, cut.context, document.text[cut.start : cut.end])
        for i, (_, document, _, cut) in zip(ids, _iterate_spans(rows, new_documents), strict=True)
    )
    term_tables.add(connection, state, bodies)


def _list_pending(ids: Sequence[int], new_documents: Sequence[NewDocument]) -> dict[int, None]:
    """Return the chunks, ascending, whose vectors follow later."""
    pending: dict[int, None] = {}
    first = 0
    for document in new_documents:
        pending.update((ids[first + ordinal], None) for ordinal in document.pending)
        first += len(document.spans)
    return pending


def _iterate_spans(
    rows: Sequence[int], new_documents: Sequence[NewDocument]
) -> Iterator[tuple[int, NewDocument, int, ChunkSpan]]:
    """Yield the chunks of documents: (row of the document, document, ordinal, span)."""
    for row, document in zip(rows, new_documents, strict=True):
        for ordinal, span in enumerate(document.spans):
            yield row, document, ordinal, span


def _iterate_vectors(new_documents: Sequence[NewDocument], precision: Precision) -> Iterator[bytes]:
    """Yield the vectors of the chunks of documents as they are stored."""
    for batch in batched((document.vectors for document in new_documents if len(document.vectors)), _VECTORS_AT_ONCE):
        matrix = np.concatenate(batch).astype(get_dtype(precision))
        width, data = matrix.itemsize * matrix.shape[1], matrix.tobytes()
        for start in range(0, len(data), width):
            yield data[start : start + width]


_ADD_CHUNK: Final = PreparedStatement(insert(chunks))
_ADD_VECTOR: Final = PreparedStatement(insert(vectors))
