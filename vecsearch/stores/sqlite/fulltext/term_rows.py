"""Term segments in SQLite, as they are read. Each row ends in a checksum: a flipped bit must not become another answer."""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import DatabaseCorruptedError
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.engine.connections import AnyConnection, get_driver
from vecsearch.stores.sqlite.fulltext.term_blocks import NARROW, WIDE, decode_segment
from vecsearch.stores.sqlite.fulltext.term_segment import TermSegment, slice_terms

ID_TYPE: Final = np.dtype("<i8")
BLOCKS_TOGETHER: Final = 300  # of all segments that are merged, held in memory
_HEADS: Final = """
    SELECT id, first_chunk, last_chunk, rows, first_block, blocks FROM term_segments WHERE collection_id = ? ORDER BY first_chunk
"""
_CHUNKS: Final = "SELECT ids, lengths, block_terms FROM term_segments WHERE id = ?"
_TOMBSTONES: Final = "SELECT chunks FROM term_tombstones WHERE collection_id = ?"
_BLOCKS: Final = """
    SELECT term_blocks.data, position_blocks.data FROM term_blocks JOIN position_blocks ON position_blocks.id = term_blocks.id
    WHERE term_blocks.id BETWEEN ? AND ? ORDER BY term_blocks.id
"""


class SegmentHead(NamedTuple):
    """What tells a stored segment from the others: chunks from `first_chunk` to `last_chunk`, `rows` of them; its blocks."""

    id: int
    first_chunk: int
    last_chunk: int
    rows: int
    first_block: int
    blocks: int


class SegmentChunks(NamedTuple):
    """The ids and lengths of a segment's chunks, in the order of their ordinals, and the first term of each of its blocks."""

    ids: Ids
    lengths: NDArray[Any]  # uint16 or uint32
    block_terms: Sequence[str]


def list_heads(connection: AnyConnection, collection: int) -> list[SegmentHead]:
    """Return the segments of a collection, in the order of their chunks."""
    return [SegmentHead(*row) for row in get_driver(connection).execute(_HEADS, (collection,))]


def load_chunks(connection: AnyConnection, head: SegmentHead) -> SegmentChunks:
    """Return which chunks a segment holds. Raises DatabaseCorruptedError."""
    row = get_driver(connection).execute(_CHUNKS, (head.id,)).fetchone()
    try:
        ids, sealed, text = row
        lengths = verify_checksum(sealed, describe_head(head, ids, text))
        width = NARROW if len(lengths) == head.rows * NARROW.itemsize else WIDE
        numbers = np.frombuffer(lengths, width)
        chunk_ids = np.arange(head.first_chunk, head.last_chunk + 1) if ids is None else np.frombuffer(ids, ID_TYPE)
    except (AttributeError, TypeError, ValueError) as error:
        raise make_damage_error() from error
    return SegmentChunks(chunk_ids.astype(np.int64), numbers, text.split("\n") if text else [])


def add_checksum(data: bytes, also: bytes = b"") -> bytes:
    """Return bytes with a checksum of them, and of others, at their end."""
    return data + zlib.crc32(also, zlib.crc32(data)).to_bytes(4, "little")


def verify_checksum(sealed: bytes, also: bytes = b"") -> bytes:
    """Return the bytes that were sealed. Raises DatabaseCorruptedError where they, or the others, are not the same."""
    if not isinstance(sealed, bytes) or add_checksum(sealed[:-4], also) != sealed:
        raise make_damage_error()
    return sealed[:-4]


def describe_head(head: SegmentHead, ids: bytes | None, block_terms: str) -> bytes:
    """Return what of a segment's row is sealed together with the lengths; its id is not known when it is written."""
    return repr(tuple(head[1:])).encode() + (ids or b"") + block_terms.encode()


def load_segment(connection: AnyConnection, head: SegmentHead) -> TermSegment:
    """Return all of a segment. Raises DatabaseCorruptedError."""
    return _load_blocks(connection, load_chunks(connection, head), range(head.first_block, head.first_block + head.blocks))


def _load_blocks(connection: AnyConnection, held: SegmentChunks, numbers: range) -> TermSegment:
    """Return some blocks of a segment that holds these chunks."""
    blocks = get_driver(connection).execute(_BLOCKS, (numbers.start, numbers.stop - 1)).fetchall() if numbers else []
    if len(blocks) != len(numbers):
        raise make_damage_error()
    return decode_segment(
        held.ids, held.lengths, [(verify_checksum(postings), verify_checksum(positions)) for postings, positions in blocks]
    )


def iterate_terms(connection: AnyConnection, heads: Sequence[SegmentHead]) -> Iterator[list[TermSegment]]:
    """Yield segments a range of terms after the other, so that not all of them is held: of each what lies in the range.

    At least once. Raises DatabaseCorruptedError.
    """
    chunks = [load_chunks(connection, head) for head in heads]
    starts = sorted({term for of_segment in chunks for term in of_segment.block_terms})
    for first, end in pairwise(["", *starts[BLOCKS_TOGETHER::BLOCKS_TOGETHER], None]):
        assert first is not None
        yield [_load_terms(connection, head, held, first, end) for head, held in zip(heads, chunks, strict=True)]


def _load_terms(connection: AnyConnection, head: SegmentHead, held: SegmentChunks, first: str, end: str | None) -> TermSegment:
    """Return of a segment the terms from `first` on that stand before `end`; None for no end."""
    begin = max(0, bisect_right(held.block_terms, first) - 1)
    stop = head.blocks if end is None else bisect_left(held.block_terms, end)
    segment = _load_blocks(connection, held, range(head.first_block + begin, head.first_block + stop))
    return slice_terms(
        segment, bisect_left(segment.terms, first), len(segment.terms) if end is None else bisect_left(segment.terms, end)
    )


def load_tombstones(connection: AnyConnection, collection: int) -> Ids:
    """Return the deleted chunks that segments still hold, ascending. Raises DatabaseCorruptedError."""
    try:
        blobs = [
            np.frombuffer(verify_checksum(blob), ID_TYPE)
            for (blob,) in get_driver(connection).execute(_TOMBSTONES, (collection,))
        ]
    except (TypeError, ValueError) as error:
        raise make_damage_error() from error
    return np.sort(np.concatenate(blobs)).astype(np.int64) if blobs else np.empty(0, np.int64)


def make_damage_error() -> DatabaseCorruptedError:
    """Return the error for rows that are not what was written."""
    return DatabaseCorruptedError("the database is damaged: a segment of the text index is not whole; see `vecsearch doctor`")


def count_chunks(heads: Sequence[SegmentHead], tombstones: Ids) -> int:
    """Return how many living chunks segments hold."""
    return sum(head.rows for head in heads) - len(tombstones)
