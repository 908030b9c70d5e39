"""Texts, as they are written: a long one in parts, so that whoever shows a chunk reads little, and more can be added to it.

The first part lies in the document's own row. No chunk crosses from one part to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from vecsearch.core.batched import batched
from vecsearch.core.settings import TEXT_PART_CHARACTERS
from vecsearch.stores.base import Continuation, NewDocument, NewPart
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.sequences import allocate_numbers
from vecsearch.stores.sqlite.engine.tables import chunks, documents, text_parts
from vecsearch.stores.sqlite.write.chunk_rows import Analysis, ChunkedText, add_chunks, analyze

_PARTS_TOGETHER: Final = 10  # written and indexed


def split_text(row: int, document: NewDocument) -> list[ChunkedText]:
    """Return the text of a document, whose row this is, with its chunks: in parts where it is long, cut between chunks."""
    whole = ChunkedText(row, document.title, document.text, document.spans, document.vectors, document.pending)
    cuts = _choose_cuts(document) if len(document.text) > TEXT_PART_CHARACTERS else []
    return list(_cut(whole, cuts)) if cuts else [whole]


def _choose_cuts(document: NewDocument) -> list[int]:
    """Return the numbers of the chunks that parts after the first begin with; none where chunks overlap, as brought ones may."""
    if any(one.end > other.start for one, other in pairwise(document.spans)):
        return []
    cuts: list[int] = []
    part_start = 0
    for number, span in enumerate(document.spans):
        if number and span.start - part_start >= TEXT_PART_CHARACTERS // 2:
            part_start = span.start
            cuts.append(number)
    return cuts


def _cut(whole: ChunkedText, cuts: Sequence[int]) -> Iterator[ChunkedText]:
    first_vector = 0
    for first, end in pairwise([0, *cuts, len(whole.spans)]):
        start = whole.spans[first].start if first else 0
        text_end = whole.spans[end].start if end < len(whole.spans) else len(whole.text)
        pending = tuple(number - first for number in whole.pending if first <= number < end)
        vectors = whole.vectors[first_vector : first_vector + end - first - len(pending)]
        first_vector += len(vectors)
        yield ChunkedText(
            whole.document_row, whole.title, whole.text[start:text_end], whole.spans[first:end], vectors, pending, start, first
        )


def add_texts(connection: Connection, state: CollectionState, texts: Sequence[ChunkedText], analysis: Analysis) -> None:
    """Store texts with their chunks, and index them from their `analysis`; those that begin a document have their rows."""
    numbers = iter(allocate_numbers(connection, text_parts, sum(text.start > 0 for text in texts)))
    placed = [text._replace(part_id=next(numbers)) if text.start else text for text in texts]
    _ADD_PART.run_many(
        connection, ((text.part_id, text.document_row, text.start, text.text) for text in placed if text.part_id is not None)
    )
    add_chunks(connection, state, placed, analysis)


def extend_text(connection: Connection, state: CollectionState, row: int, continuation: Continuation, now: str) -> None:
    """Store what follows the text of the document in a row, some parts at a time; nothing follows it so far."""
    title = connection.scalar(select(documents.c.title).where(documents.c.id == row))
    ordinal = connection.scalar(select(func.count()).where(chunks.c.document_id == row)) or 0
    for batch in batched(continuation.parts, _PARTS_TOGETHER):
        texts: list[ChunkedText] = []
        for part in batch:
            texts.append(_place(row, title, part, ordinal))
            ordinal += len(part.spans)
        add_texts(connection, state, texts, partial(analyze, state, texts))
    _SET_DIGEST.run(connection, row=row, new_digest=continuation.digest, now=now)


def _place(row: int, title: str | None, part: NewPart, ordinal: int) -> ChunkedText:
    return ChunkedText(row, title, part.text, part.spans, part.vectors, part.pending, part.start, ordinal)


def delete_parts(connection: Connection, rows: Sequence[int], *, start: int = 0) -> None:
    """Delete the parts of documents, whose rows these are, from a character on, but for the first; their chunks are gone."""
    connection.execute(delete(text_parts).where(text_parts.c.document_id.in_(rows), text_parts.c.start >= start))


_ADD_PART: Final = PreparedStatement(insert(text_parts))
_SET_DIGEST: Final = PreparedStatement(
    update(documents)
    .where(documents.c.id == bindparam("row"))
    .values(digest=bindparam("new_digest"), indexed_at=bindparam("now"))
)
