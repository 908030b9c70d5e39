"""How far a chunk spells what the query does: trigrams and neighbouring words of its text, as rare as a collection has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vecsearch.core.settings import SPELLING_MAX_CHARS, SPELLING_SAMPLE_CHUNKS
from vecsearch.core.types import ChunkId
from vecsearch.search.sample import SampleCache
from vecsearch.stores.base import Scores, Snapshot
from vecsearch.text.characters import Characters
from vecsearch.text.query_parser import load_function_words
from vecsearch.text.trigrams import TrigramStatistics
from vecsearch.text.word_pairs import WordPairStatistics


@dataclass(frozen=True, slots=True)
class SpellingScores:
    """A score in [0, 1] for each of some chunks, by trigrams (`TrigramStatistics`) and by word pairs (`WordPairStatistics`)."""

    trigrams: Scores
    word_pairs: Scores


@dataclass(frozen=True, slots=True)
class _Statistics:
    trigrams: TrigramStatistics
    word_pairs: WordPairStatistics


def score_spelling(snapshot: Snapshot, query: str, ids: Sequence[ChunkId]) -> SpellingScores:
    """Return how far each of these chunks spells what the query does."""
    cache: SampleCache[_Statistics] = snapshot.cache.setdefault("spelling", SampleCache(SPELLING_SAMPLE_CHUNKS))
    statistics = cache.get(snapshot, lambda sample: _count_spelling(snapshot, sample.tolist()))
    asked, texts = Characters.from_texts([query]), _read_texts(snapshot, ids)
    return SpellingScores(statistics.trigrams.score(asked, texts), statistics.word_pairs.score(asked, texts))


def _count_spelling(snapshot: Snapshot, sample: Sequence[ChunkId]) -> _Statistics:
    texts = _read_texts(snapshot, sample)
    function_words = load_function_words(snapshot.info.stemmer)
    return _Statistics(TrigramStatistics.from_texts(texts), WordPairStatistics.from_texts(texts, function_words))


def _read_texts(snapshot: Snapshot, ids: Sequence[ChunkId]) -> Characters:
    """Return the beginning of all that a chunk is found by."""
    chunks = snapshot.load_chunk_texts(ids)
    return Characters.from_texts([f"{chunk.title or ''}\n{chunk.context}\n{chunk.text}"[:SPELLING_MAX_CHARS] for chunk in chunks])
