"""Term segments in SQLite, as they are written and dropped. Apart from `term_rows`, which a search loads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from numpy.typing import NDArray
from sqlalchemy import Connection, delete, exists, func, insert, select

from vecsearch.core.batched import batched
from vecsearch.stores.base import Ids
from vecsearch.stores.sqlite.engine.prepared import PreparedStatement
from vecsearch.stores.sqlite.engine.sequences import get_last_number
from vecsearch.stores.sqlite.engine.tables import position_blocks, term_blocks, term_segments, term_tombstones
from vecsearch.stores.sqlite.fulltext.term_blocks import EncodedBlock, choose_type
from vecsearch.stores.sqlite.fulltext.term_rows import (
    BLOCKS_TOGETHER,
    ID_TYPE,
    SegmentHead,
    add_checksum,
    describe_head,
    list_heads,
)


def insert_segment(
    connection: Connection, collection: int, ids: Ids, lengths: NDArray[Any], blocks: Iterable[EncodedBlock]
) -> None:
    """Store a segment, whose blocks come one after the other; nothing where it has no chunks."""
    first = 1 + (get_last_number(connection, term_blocks) or 0)
    first_terms: list[str] = []
    for batch in batched(blocks, BLOCKS_TOGETHER):
        _insert_blocks(connection, batch, first + len(first_terms))
        first_terms += [block.first_term for block in batch]
    if not len(ids):
        return
    head = SegmentHead(0, int(ids[0]), int(ids[-1]), len(ids), first, len(first_terms))
    gaps = None if head.last_chunk - head.first_chunk + 1 == head.rows else ids.astype(ID_TYPE).tobytes()
    block_terms = "\n".join(first_terms)
    data = lengths.astype(choose_type(int(lengths.max()))).tobytes()
    connection.execute(
        insert(term_segments).values(
            collection_id=collection, first_chunk=head.first_chunk, last_chunk=head.last_chunk, rows=head.rows, ids=gaps,
            lengths=add_checksum(data, describe_head(head, gaps, block_terms)), first_block=first, blocks=len(first_terms),
            block_terms=block_terms,
        )
    )  # fmt: skip


def _insert_blocks(connection: Connection, blocks: Sequence[EncodedBlock], first: int) -> None:
    """Store blocks of a segment under numbers from `first` on."""
    _ADD_BLOCK.run_many(connection, ((n, add_checksum(block.postings)) for n, block in enumerate(blocks, first)))
    _ADD_POSITIONS.run_many(connection, ((n, add_checksum(block.positions)) for n, block in enumerate(blocks, first)))


def delete_segments(connection: Connection, heads: Iterable[SegmentHead]) -> None:
    """Drop segments with their blocks."""
    for head in heads:
        for table in (term_blocks, position_blocks):
            connection.execute(delete(table).where(table.c.id.between(head.first_block, head.first_block + head.blocks - 1)))
        connection.execute(delete(term_segments).where(term_segments.c.id == head.id))


def insert_tombstones(connection: Connection, collection: int, chunk_ids: Ids) -> None:
    """Note chunks as deleted; their ids ascend."""
    if len(chunk_ids):
        connection.execute(
            insert(term_tombstones).values(collection_id=collection, chunks=add_checksum(chunk_ids.astype(ID_TYPE).tobytes()))
        )


def replace_tombstones(connection: Connection, collection: int, chunk_ids: Ids) -> None:
    """Note these chunks as deleted, and no others."""
    connection.execute(delete(term_tombstones).where(term_tombstones.c.collection_id == collection))
    insert_tombstones(connection, collection, chunk_ids)


def delete_orphan_blocks(connection: Connection) -> None:
    """Drop the blocks of segments that are not there, in a damaged database."""
    last = term_segments.c.first_block + term_segments.c.blocks - 1
    for table in (term_blocks, position_blocks):
        owned = exists().where(table.c.id.between(term_segments.c.first_block, last))
        connection.execute(delete(table).where(~owned))


def count_tombstone_rows(connection: Connection, collection: int) -> int:
    """Return in how many rows the deleted chunks are noted."""
    return connection.scalar(select(func.count()).where(term_tombstones.c.collection_id == collection)) or 0


def drop(connection: Connection, collection: int) -> None:
    """Drop all that belongs to a collection."""
    delete_segments(connection, list_heads(connection, collection))
    connection.execute(delete(term_tombstones).where(term_tombstones.c.collection_id == collection))


_ADD_BLOCK: Final = PreparedStatement(insert(term_blocks))
_ADD_POSITIONS: Final = PreparedStatement(insert(position_blocks))
