"""Rerank the best candidates: each is scored together with the query, which costs too much for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import EncodingError
from vecsearch.core.settings import (
    MAXSIM_WEIGHT,
    MAXSIM_WINDOW_TOKENS,
    MIN_TOKEN_IDF_SHARE,
    RERANK_FEEDBACK_PASSAGES,
    RERANK_FEEDBACK_WEIGHT,
)
from vecsearch.documents.chunk_inputs import format_encoder_input
from vecsearch.encoders.base import CrossEncoder, TokenEncoder, TokenRows
from vecsearch.encoders.unit_vectors import encode_tokens, scale_rows
from vecsearch.search.centering import get_center, subtract_center
from vecsearch.search.retrieval import Query, Ranking, parse_terms
from vecsearch.stores.base import ChunkText, Ids, ScoredChunks, Snapshot
from vecsearch.text.analyzer import get_analyzer

Numbers = NDArray[np.float64]
Rows = NDArray[np.float32]
Vector = NDArray[np.float32]


class Reranker(Protocol):
    """Gives passages new scores by the question that they are to answer."""

    def score(self, snapshot: Snapshot, query: str, ranked: ScoredChunks) -> Numbers:
        """Return a score for each of the candidates, which come with their scores so far, best first; larger is better."""
        ...


def rerank(snapshot: Snapshot, query: Query, ranking: Ranking, reranker: Reranker) -> Ranking:
    """Put the best of a ranking into the reranker's order, the others after them as they were."""
    assert query.text is not None
    looked = ranking.top
    if not len(looked):
        return ranking
    again = ranking.reorder(reranker.score(snapshot, query.text, looked))
    return replace(again, reranked=again.top)


@dataclass(frozen=True, slots=True)
class MaxSimReranker:
    """The encoder's own token vectors: what each word of the question finds nearest in a passage; then, what the best agree on.

    MaxSim (Khattab and Zaharia, "ColBERT", SIGIR 2020) over an encoder that was not trained for it, each token of the question
    weighted by the idf of its word, is added to the score so far, and then the centred cosine to the mean of the first two
    (pseudo-relevance feedback after Rocchio, 1971). The cosines are squared, so that a few words found for sure count more than
    many half found. Half of MaxSim is that of the best stretch of about a sentence: there the words say something together.
    """

    encoder: TokenEncoder

    def score(self, snapshot: Snapshot, query: str, ranked: ScoredChunks) -> Numbers:
        """Return score so far + MAXSIM_WEIGHT × MaxSim + RERANK_FEEDBACK_WEIGHT × likeness to the best."""
        ids = ranked.ids.tolist()
        late = ranked.scores + MAXSIM_WEIGHT * self._score_late_interaction(snapshot, query, snapshot.load_chunk_texts(ids))
        rows = load_centered_vectors(snapshot, ranked.ids)
        best = rows[np.lexsort((ranked.ids, -late))[:RERANK_FEEDBACK_PASSAGES]].mean(axis=0)
        likeness = np.vecdot(rows, best).astype(np.float64) / max(float(np.linalg.norm(best)), 1e-12)
        return np.asarray(late + RERANK_FEEDBACK_WEIGHT * likeness, np.float64)

    def _score_late_interaction(self, snapshot: Snapshot, query: str, chunks: Sequence[ChunkText]) -> Numbers:
        """Return the MaxSim of each passage, in [0, 1], 0 for one without a word; see `score_passage`."""
        (query_tokens,) = encode_tokens(self.encoder, [query], is_query=True)
        weights = compute_token_weights(query, query_tokens, snapshot.idf(parse_terms(snapshot, query)), snapshot.info.stemmer)
        unit = scale_rows(query_tokens.rows)
        passages = [format_encoder_input(chunk.title, chunk.context, chunk.text) for chunk in chunks]
        scores, worded = np.zeros(len(passages)), [n for n, passage in enumerate(passages) if passage.strip()]
        for n, passage in zip(worded, encode_tokens(self.encoder, [passages[n] for n in worded]), strict=True):
            scores[n] = score_passage(unit @ scale_rows(passage.rows).T, weights)
        return scores


@dataclass(frozen=True, slots=True)
class CrossEncoderReranker:
    """A cross-encoder that was trained to judge question and passage together; its word stands alone."""

    model: CrossEncoder

    def score(self, snapshot: Snapshot, query: str, ranked: ScoredChunks) -> Numbers:
        """Return the model's scores."""
        passages = snapshot.load_chunk_texts(ranked.ids.tolist())
        texts = [format_encoder_input(passage.title, passage.context, passage.text) for passage in passages]
        scores = np.asarray(self.model.scores(query, texts), np.float64)
        if scores.shape != (len(texts),) or not np.isfinite(scores).all():
            raise EncodingError(f"the cross-encoder gave no finite score for each of {len(texts):,} passages, got {scores.shape}")
        return scores


def load_centered_vectors(snapshot: Snapshot, ids: Ids) -> Rows:
    """Return the vectors of these chunks less the collection's mean; see `subtract_center`. Of one that has none yet, zeros."""
    return subtract_center(snapshot.load_vectors(ids.tolist()), get_center(snapshot))


def score_passage(cosines: NDArray[np.float32], weights: Numbers) -> float:
    """Return the weighted mean over the query's tokens of their best cosine, squared: in the passage and in one stretch of it.

    `cosines`: (tokens of the query, of the passage). A stretch of MAXSIM_WINDOW_TOKENS begins at every half of one; that which
    gives most counts as much as the whole passage.
    """
    starts = np.arange(0, cosines.shape[1], MAXSIM_WINDOW_TOKENS // 2)
    halves = np.maximum.reduceat(cosines.clip(0), starts, axis=1)
    stretches = np.maximum(halves[:, :-1], halves[:, 1:]) if len(starts) > 1 else halves
    together = (weights @ stretches**2).max()
    return float(weights @ halves.max(axis=1) ** 2 + together) / 2


def compute_token_weights(query: str, tokens: TokenRows, term_idfs: Mapping[str, float], stemmer: str) -> Numbers:
    """Return the idf of the word that each token belongs to, as shares of 1; a token of no word in the index has a small one."""
    words = [
        (token.start, token.end, max(term_idfs.get(term, 0.0) for term in token.terms))
        for token in get_analyzer(stemmer).tokenize(query)
        if token.terms
    ]
    least = MIN_TOKEN_IDF_SHARE * max((idf for _, _, idf in words), default=1.0) or 1.0
    weights = np.full(len(tokens.rows), least)
    for at, (start, end) in enumerate(tokens.spans):
        idfs = [idf for first, last, idf in words if first <= start < last and end > start]
        weights[at] = max([least, *idfs])
    return np.asarray(weights / weights.sum(), np.float64)
