"""The chunks of texts, as they are written: their rows, their vectors and the text index.

Rows are made one by one as SQLite takes them: thousands of tuples that live as long as their batch would keep Python's collector
busy.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from sqlalchemy import Connection, insert

from vecsearch.core.batched import batched
from vecsearch.core.helper_process import Computation
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.types import Precision
from vecsearch.stores.base import Matrix
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.sequences import allocate_numbers
from vecsearch.stores.sqlite.engine.stored_values import format_stored_json
from vecsearch.stores.sqlite.engine.tables import chunks, vectors
from vecsearch.stores.sqlite.fulltext import term_tables, text_analysis
from vecsearch.stores.sqlite.vectors.faiss_segment import get_dtype
from vecsearch.stores.sqlite.write import noise_floor_row, pending_rows

Analysis: TypeAlias = Callable[[], text_analysis.Segments]
_VECTORS_AT_ONCE: Final = 256  # texts whose vectors are converted together


class ChunkedText(NamedTuple):
    """A text that is stored in one row, and its chunks, whose places count from the document's beginning.

    `start` is the number of the document's characters before it, `first_ordinal` that of the first chunk; `part_id` is None
    where it is a document's first part. `vectors` and `pending` are as in NewDocument: neither is there for a document without.
    """

    document_row: int
    title: str | None
    text: str
    spans: Sequence[ChunkSpan]
    vectors: Matrix
    pending: Sequence[int]
    start: int = 0
    first_ordinal: int = 0
    part_id: int | None = None

    @property
    def is_vectorless(self) -> bool:
        """Return whether its chunks have no vectors, and will have none."""
        return not len(self.vectors) and not self.pending


def begin_analysis(
    stemmer: str, texts: Sequence[ChunkedText], *, ahead: bool = False
) -> AbstractContextManager[Computation[text_analysis.Segments]]:
    """Begin to analyse the chunks of texts, beside what is written meanwhile or `ahead` of it; gives what returns it."""
    characters = sum(len(text.text) for text in texts)
    return text_analysis.begin(stemmer, partial(_iterate_chunks, texts), characters, ahead=ahead)


def analyze(state: CollectionState, texts: Sequence[ChunkedText]) -> text_analysis.Segments:
    """Analyse the chunks of texts, in little memory."""
    return text_analysis.encode_texts(state.stemmer, _iterate_chunks(texts))


def add_chunks(connection: Connection, state: CollectionState, texts: Sequence[ChunkedText], analysis: Analysis) -> None:
    """Store the chunks of texts with their vectors, and index them: their `analysis` is asked for last."""
    ids = allocate_numbers(connection, chunks, sum(len(text.spans) for text in texts))
    _ADD_CHUNK.run_many(
        connection,
        (
            (
                i,
                state.id,
                text.document_row,
                n,
                cut.start,
                cut.end,
                format_stored_json(cut.location) if cut.location else None,
                cut.context or None,
                text.part_id,
            )
            for i, (text, n, cut) in zip(ids, _iterate_spans(texts), strict=True)
        ),
    )
    pending = _list_pending(ids, texts)
    with_vector = _iterate_with_vector(ids, texts, pending)
    _ADD_VECTOR.run_many(connection, zip(with_vector, _iterate_vectors(texts, state.precision), strict=True))
    noise_floor_row.count_changes(connection, state, sum(len(text.vectors) for text in texts))
    pending_rows.add(connection, state, pending, vectorless=sum(len(text.spans) for text in texts if text.is_vectorless))
    term_tables.add(connection, state, ids, analysis())


def _iterate_chunks(texts: Sequence[ChunkedText]) -> Iterator[text_analysis.ChunkText]:
    for text, _, cut in _iterate_spans(texts):
        yield text_analysis.join_above(text.title, cut.context), text.text[cut.start - text.start : cut.end - text.start]


def _list_pending(ids: Sequence[int], texts: Sequence[ChunkedText]) -> dict[int, None]:
    """Return the chunks, ascending, whose vectors follow later."""
    pending: dict[int, None] = {}
    first = 0
    for text in texts:
        pending.update((ids[first + number], None) for number in text.pending)
        first += len(text.spans)
    return pending


def _iterate_with_vector(ids: Sequence[int], texts: Sequence[ChunkedText], pending: Container[int]) -> Iterator[int]:
    """Yield the chunks, ascending, whose vectors are there."""
    first = 0
    for text in texts:
        if not text.is_vectorless:
            yield from (chunk for chunk in ids[first : first + len(text.spans)] if chunk not in pending)
        first += len(text.spans)


def _iterate_spans(texts: Sequence[ChunkedText]) -> Iterator[tuple[ChunkedText, int, ChunkSpan]]:
    """Yield the chunks of texts: (text, ordinal, span)."""
    for text in texts:
        for ordinal, span in enumerate(text.spans, start=text.first_ordinal):
            yield text, ordinal, span


def _iterate_vectors(texts: Sequence[ChunkedText], precision: Precision) -> Iterator[bytes]:
    """Yield the vectors of the chunks of texts as they are stored."""
    for batch in batched((text.vectors for text in texts if len(text.vectors)), _VECTORS_AT_ONCE):
        matrix = np.concatenate(batch).astype(get_dtype(precision))
        width, data = matrix.itemsize * matrix.shape[1], matrix.tobytes()
        for start in range(0, len(data), width):
            yield data[start : start + width]


_ADD_CHUNK: Final = PreparedStatement(insert(chunks))
_ADD_VECTOR: Final = PreparedStatement(insert(vectors))
