"""The text index: what is written to it, in the transaction of the chunks it holds.

Chunks come as a segment of their own, which is merged with its neighbours as `merge_policy` says; a deleted chunk is noted, and
goes with the next merge. All of it follows from the texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, func, select

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.core.settings import READ_ROWS
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.engine.collections import CollectionState
from vecsearch.stores.sqlite.engine.tables import CHUNK_TEXT, chunks, documents
from vecsearch.stores.sqlite.engine.versions import increase_data_version
from vecsearch.stores.sqlite.fulltext import term_row_writes, term_rows
from vecsearch.stores.sqlite.fulltext.merge_policy import find_due_merge, pack_segments
from vecsearch.stores.sqlite.fulltext.term_blocks import encode_blocks
from vecsearch.stores.sqlite.fulltext.term_rows import SegmentHead
from vecsearch.stores.sqlite.fulltext.term_segment import Mask, TermSegment, build_segment, merge_segments
from vecsearch.stores.sqlite.fulltext.text_analysis import ChunkText, EncodedSegment, encode_texts, join_above, number_tokens

_TOMBSTONE_ROWS_MAX = 64  # deletes noted one by one; then they are joined


def add(connection: Connection, state: CollectionState, chunk_ids: Sequence[int], segments: Iterable[EncodedSegment]) -> None:
    """Index chunks, whose ids ascend and are above those of every chunk that is indexed, from their analysis."""
    ids, first = np.array(chunk_ids, np.int64), 0
    for segment in segments:
        end = first + len(segment.lengths)
        term_row_writes.insert_segment(connection, state.id, ids[first:end], segment.lengths, segment.blocks)
        first = end
    _merge_due(connection, state.id)
    increase_data_version(connection, state)


def remove(connection: Connection, state: CollectionState, chunk_ids: Ids) -> None:
    """Take chunks out; their ids ascend."""
    term_row_writes.insert_tombstones(connection, state.id, chunk_ids)
    if term_row_writes.count_tombstone_rows(connection, state.id) > _TOMBSTONE_ROWS_MAX:
        term_row_writes.replace_tombstones(connection, state.id, term_rows.load_tombstones(connection, state.id))
    _merge_due(connection, state.id)
    increase_data_version(connection, state)


def drop(connection: Connection, state: CollectionState) -> None:
    """Remove all that is indexed."""
    term_row_writes.drop(connection, state.id)


def rebuild(connection: Connection, state: CollectionState) -> None:
    """Index every text anew, in the collection's language; what a damaged index has left goes."""
    term_row_writes.delete_orphan_blocks(connection)
    after: int | None = 0
    while after is not None:
        after = rebuild_batch(connection, state, after=after)


def rebuild_batch(connection: Connection, state: CollectionState, *, after: int) -> int | None:
    """Index the next chunks above a row, from 0 on, which begins anew; returns the last of them, None for no more."""
    if after == 0:
        drop(connection, state)
    following = _select_texts().where(chunks.c.collection_id == state.id, chunks.c.id > after)
    rows = connection.execute(following.order_by(chunks.c.id).limit(READ_ROWS)).all()
    add(connection, state, [row.id for row in rows], encode_texts(state.stemmer, _list_texts(rows)))
    return int(rows[-1][0]) if rows else None


def optimize(connection: Connection, state: CollectionState) -> None:
    """Merge what is indexed into as few segments as can be, without what was deleted."""
    heads = term_rows.list_heads(connection, state.id)
    tombstones = term_rows.load_tombstones(connection, state.id)
    groups = pack_segments([head.rows for head in heads], _count_deleted(heads, tombstones)) if heads else []
    for group in groups:
        _merge(connection, state.id, heads[group.start : group.stop], tombstones)
    if groups or len(tombstones):
        term_row_writes.replace_tombstones(connection, state.id, np.empty(0, np.int64))
        increase_data_version(connection, state)


def try_count_chunks(connection: Connection, state: CollectionState) -> int:
    """Return how many chunks are indexed; 0 where that cannot be told."""
    try:
        return term_rows.count_chunks(term_rows.list_heads(connection, state.id), term_rows.load_tombstones(connection, state.id))
    except DatabaseCorruptedError:
        return 0


def is_exact(connection: Connection, state: CollectionState) -> bool:
    """Return whether the index holds exactly what analysis makes of the texts: every posting, position and length."""
    try:
        heads = term_rows.list_heads(connection, state.id)
        tombstones = term_rows.load_tombstones(connection, state.id)
        after = 0
        for head in heads:
            segment = term_rows.load_segment(connection, head)
            if head.first_chunk <= after or (segment.ids[0], segment.ids[-1]) != (head.first_chunk, head.last_chunk):
                return False
            after = head.last_chunk
            if not merge_segments([segment], [_find_living(segment.ids, tombstones)]).is_same(_expect(connection, state, head)):
                return False
    except (DatabaseCorruptedError, IndexError, ValueError):
        return False
    count = select(func.count()).where(chunks.c.collection_id == state.id)
    return connection.scalar(count) == term_rows.count_chunks(heads, tombstones)


def _expect(connection: Connection, state: CollectionState, head: SegmentHead) -> TermSegment:
    """Return what a segment should hold."""
    within = (chunks.c.collection_id == state.id) & chunks.c.id.between(head.first_chunk, head.last_chunk)
    rows = connection.execute(_select_texts().where(within).order_by(chunks.c.id)).all()
    return build_segment(np.array([row.id for row in rows], np.int64), number_tokens(state.stemmer, _list_texts(rows)))


def _merge_due(connection: Connection, collection: int) -> None:
    while True:
        heads = term_rows.list_heads(connection, collection)
        tombstones = term_rows.load_tombstones(connection, collection)
        group = find_due_merge([head.rows for head in heads], _count_deleted(heads, tombstones))
        if group is None:
            return
        left = _merge(connection, collection, heads[group.start : group.stop], tombstones)
        if len(left) != len(tombstones):
            term_row_writes.replace_tombstones(connection, collection, left)


def _merge(connection: Connection, collection: int, heads: Sequence[SegmentHead], tombstones: Ids) -> Ids:
    """Put one segment in the place of several; returns the tombstones that are left."""
    merged = (
        merge_segments(segments, [_find_living(segment.ids, tombstones) for segment in segments])
        for segments in term_rows.iterate_terms(connection, heads)
    )
    first = next(merged)
    blocks = chain.from_iterable(map(encode_blocks, chain([first], merged)))
    term_row_writes.insert_segment(connection, collection, first.ids, first.lengths, blocks)
    term_row_writes.delete_segments(connection, heads)
    return tombstones[(tombstones < heads[0].first_chunk) | (tombstones > heads[-1].last_chunk)]


def _count_deleted(heads: Sequence[SegmentHead], tombstones: Ids) -> list[int]:
    firsts = np.searchsorted(tombstones, [head.first_chunk for head in heads])
    ends = np.searchsorted(tombstones, [head.last_chunk for head in heads], side="right")
    return [int(count) for count in ends - firsts]


def _find_living(ids: Ids, tombstones: Ids) -> Mask | None:
    """Return a mask of the chunks that are not deleted; None for all of them."""
    deleted = tombstones[np.searchsorted(tombstones, ids[0]) : np.searchsorted(tombstones, ids[-1], side="right")]
    return ~np.isin(ids, deleted, assume_unique=True) if len(deleted) else None


def _list_texts(rows: Iterable[Any]) -> Iterator[ChunkText]:
    return ((join_above(title, context), text) for _, title, context, text in rows)


def _select_texts() -> Select[Any]:
    return select(chunks.c.id, documents.c.title, func.coalesce(chunks.c.context, ""), CHUNK_TEXT).join_from(
        chunks, documents, documents.c.id == chunks.c.document_id
    )
