"""A collection as it would be with the vectors of another encoder, kept in memory for the proof; all else it asks the store."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final, cast

import numpy as np

from vecsearch.core.batched import batched
from vecsearch.core.results import VectorAccess
from vecsearch.core.sorted_ids import find_positions
from vecsearch.core.types import ChunkId
from vecsearch.documents.chunk_inputs import build_encoder_input
from vecsearch.encoders.base import TextEncoder
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.stores.base import NO_IDS, ChunkSet, Ids, Matrix, ScoredChunks, Snapshot, Vector, VectorHits

_TOGETHER: Final = 256  # chunks


class NewVectorSnapshot:
    """A snapshot with other vectors, (chunks, dimension), by ascending chunk."""

    def __init__(self, snapshot: Snapshot, ids: Ids, rows: Matrix) -> None:
        self._snapshot, self._ids, self._rows = snapshot, ids, rows
        self.cache: MutableMapping[str, Any] = {}  # nothing that follows from the other vectors

    def __getattr__(self, name: str) -> Any:
        """Return what the snapshot has."""
        return getattr(self._snapshot, name)

    def find_nearest(self, query: Vector, k: int, *, within: ChunkSet | None = None, exclude: Ids = NO_IDS) -> VectorHits:
        """Return up to k chunks by cosine; there is no filter in a proof."""
        assert within is None
        there = ~np.isin(self._ids, exclude)
        scores = np.asarray(self._rows @ query, np.float64)[there]
        ranked = ScoredChunks.rank(self._ids[there], scores)[:k]
        return VectorHits(ranked, len(ranked) < k, VectorAccess.INDEX)

    def compute_similarities(self, query: Vector, ids: Ids) -> ScoredChunks:
        """Return the cosines of chunks."""
        places, known = find_positions(self._ids, ids)
        return ScoredChunks(ids[known], np.asarray(self._rows[places[known]] @ query, np.float64))

    def load_vectors(self, ids: Sequence[ChunkId]) -> Matrix:
        """Return the vectors of chunks, zeros for one that has none."""
        places, known = find_positions(self._ids, np.array(ids, np.int64))
        rows = np.zeros((len(ids), self._rows.shape[1]), np.float32)
        rows[known] = self._rows[places[known]]
        return rows


def encode_snapshot(
    snapshot: Snapshot, encoder: TextEncoder, *, check: Callable[[], None], progress: Callable[[str], None]
) -> Snapshot:
    """Encode every chunk that has a vector anew. `check` is called before each few."""
    ids = snapshot.sample_chunks(snapshot.count_chunks())
    rows: list[Matrix] = []
    for at, batch in enumerate(batched(ids.tolist(), _TOGETHER)):
        check()
        progress(f"encoding for the proof: {at * _TOGETHER:,} of {len(ids):,} chunks")
        rows.append(encode_documents(encoder, read_inputs(snapshot, batch, encoder)))
    matrix = np.concatenate([np.empty((0, encoder.dimension), np.float32), *rows])
    return cast(Snapshot, NewVectorSnapshot(snapshot, ids, matrix))


def read_inputs(snapshot: Snapshot, ids: Sequence[ChunkId], encoder: TextEncoder) -> list[str]:
    """Return what an encoder sees of chunks."""
    return [build_encoder_input("", chunk.title, chunk.context, chunk.text, encoder) for chunk in snapshot.load_chunk_texts(ids)]
