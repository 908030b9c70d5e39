"""How far a chunk spells what the query does: trigrams and neighbouring words of its text, as rare as a collection has them."""

from __future__ import annotations

from collections.abc import Sequence

from vecsearch.core.settings import SPELLING_MAX_CHARS, SPELLING_SAMPLE_CHUNKS
from vecsearch.core.types import ChunkId
from vecsearch.search.sample import SampleCache
from vecsearch.stores.base import Scores, Snapshot
from vecsearch.text.characters import Characters
from vecsearch.text.query_parser import load_function_words
from vecsearch.text.trigrams import TrigramStatistics
from vecsearch.text.word_pairs import WordPairStatistics


def read_beginnings(snapshot: Snapshot, ids: Sequence[ChunkId]) -> Characters:
    """Return of each of these chunks the beginning of all that it is found by, in the order of `ids`."""
    chunks = snapshot.load_chunk_texts(ids)
    return Characters.from_texts([f"{chunk.title or ''}\n{chunk.context}\n{chunk.text}"[:SPELLING_MAX_CHARS] for chunk in chunks])


def score_trigrams(snapshot: Snapshot, query: str, texts: Characters) -> Scores:
    """Return how far each text spells what the query does, in [0, 1], see `TrigramStatistics.score`."""
    cache: SampleCache[TrigramStatistics] = snapshot.cache.setdefault("trigrams", SampleCache(SPELLING_SAMPLE_CHUNKS))
    statistics = cache.get(snapshot, lambda sample: TrigramStatistics.from_texts(read_beginnings(snapshot, sample.tolist())))
    return statistics.score(Characters.from_texts([query]), texts)


def score_word_pairs(snapshot: Snapshot, query: str, texts: Characters) -> Scores:
    """Return which share of the query's pairs of neighbouring words each text has, in [0, 1], see `WordPairStatistics.score`."""
    cache: SampleCache[WordPairStatistics] = snapshot.cache.setdefault("word_pairs", SampleCache(SPELLING_SAMPLE_CHUNKS))
    statistics = cache.get(snapshot, lambda sample: _count_word_pairs(snapshot, sample.tolist()))
    return statistics.score(Characters.from_texts([query]), texts)


def _count_word_pairs(snapshot: Snapshot, sample: Sequence[ChunkId]) -> WordPairStatistics:
    return WordPairStatistics.from_texts(read_beginnings(snapshot, sample), load_function_words(snapshot.info.stemmer))
