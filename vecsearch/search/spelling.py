"""How far a chunk spells what the query does: trigrams of a collection's texts, counted when they are first needed."""

from __future__ import annotations

from collections.abc import Sequence

from vecsearch.core.settings import TRIGRAM_MAX_CHARS, TRIGRAM_SAMPLE_CHUNKS
from vecsearch.core.types import ChunkId
from vecsearch.stores.base import Scores, Snapshot
from vecsearch.text.trigrams import TrigramCache


def score_trigrams(snapshot: Snapshot, query: str, ids: Sequence[ChunkId]) -> Scores:
    """Return a score in [0, 1] for each of these chunks; see `text.trigrams.TrigramStatistics`."""
    cache: TrigramCache = snapshot.cache.setdefault("trigrams", TrigramCache())
    statistics = cache.get(
        snapshot.info.version,
        lambda: snapshot.sample_chunks(TRIGRAM_SAMPLE_CHUNKS, steady=True),
        lambda sample: _read_texts(snapshot, sample.tolist()),
    )
    return statistics.score(query, _read_texts(snapshot, ids))


def _read_texts(snapshot: Snapshot, ids: Sequence[ChunkId]) -> list[str]:
    """Return the beginning of all that a chunk is found by."""
    texts = snapshot.load_chunk_texts(ids)
    return [f"{chunk.title or ''}\n{chunk.context}\n{chunk.text}"[:TRIGRAM_MAX_CHARS] for chunk in texts]
