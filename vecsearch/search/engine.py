"""The read story: filter → dense and lexical → fusion → second look → arrangement → hits → reasons.

Dense search ranks chunks by the cosine of their vectors with the query's, lexical search by BM25, and the default fuses both.
Each sees the filter before it counts to k, so that k rows come back whenever k rows match.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import ComponentScore, Explanation, Hit, Hits, QueryProfile, VectorAccess
from vecsearch.core.settings import RERANK_DEPTH
from vecsearch.core.types import ChunkId, Mode
from vecsearch.encoders.base import TokenEncoder
from vecsearch.search.diversify import DiversityOptions, SelectedHit, diversify
from vecsearch.search.recommend import PreferenceProfile
from vecsearch.search.recommend import rank_by_preference as rank_by_taste
from vecsearch.search.retrieval import Query, Ranking, Vector, retrieve
from vecsearch.stores.sqlite.read.reader import Snapshot

if TYPE_CHECKING:
    from vecsearch.search.rerank import Reranker

Ranker: TypeAlias = Callable[[NDArray[np.int64] | None, int], Ranking]


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """What is asked besides the query itself: how the answer is arranged, looked at again, widened and explained."""

    diversity: DiversityOptions
    reranker: Reranker | None = None
    window: int = 0
    explain: bool = False
    encoder: TokenEncoder | None = None  # for the reasons that tokens give


@dataclass(slots=True)
class _StageTimer:
    """Milliseconds of each stage, in order."""

    stages: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def record(self, stage: str) -> None:
        now = perf_counter()
        self.stages[stage] = round(self.stages.get(stage, 0.0) + (now - self._last) * 1000, 3)
        self._last = now


def search(snapshot: Snapshot, query: Query, wish: ResultOptions) -> Hits:
    """Up to `limit` hits, best first; ties go to the chunk stored first."""
    return build_answer(snapshot, query, wish, lambda allowed, depth: retrieve(snapshot, query, allowed=allowed, depth=depth))


def recommend(snapshot: Snapshot, query: Query, wish: ResultOptions, taste: PreferenceProfile) -> Hits:
    """Up to `limit` hits by a person's taste; the query says the filter, the bound and what is left out."""
    return build_answer(
        snapshot, query, wish,
        lambda allowed, depth: rank_by_taste(
            snapshot, taste, allowed=allowed, depth=depth, least=query.min_similarity, excluded=query.exclude
        ),
    )  # fmt: skip


def build_answer(snapshot: Snapshot, query: Query, wish: ResultOptions, rank: Ranker) -> Hits:
    """The answer of whatever ranks: `rank(allowed chunks, depth)`."""
    clock = _StageTimer()
    allowed = snapshot.filter_chunks(query.where)
    clock.record("filter")
    ranking, picks = _select_hits(snapshot, query, wish, lambda depth: rank(allowed, depth), clock)
    similarities = ranking.similarities
    hits = snapshot.load_hits([pick.scored for pick in picks], similarities)
    hits = [replace(hit, group_size=pick.group_size) if pick.group_size else hit for hit, pick in zip(hits, picks, strict=True)]
    if wish.window:
        hits = snapshot.add_windows(hits, [pick.scored.chunk_id for pick in picks], wish.window)
    clock.record("texts")
    if wish.explain:
        hits = _explain_hits(snapshot, hits, picks, ranking, query, wish)
        clock.record("reasons")
    chunks = snapshot.count_indexed_chunks() if query.mode is Mode.LEXICAL else len(snapshot.view)
    matching = chunks if allowed is None else len(allowed)
    access = VectorAccess.NONE if query.mode is Mode.LEXICAL else snapshot.view.choose_access(allowed, wish.diversity.pool)
    return Hits(hits, QueryProfile(access, chunks, matching, len(ranking.ranked), query.min_similarity, clock.stages))


def _select_hits(
    snapshot: Snapshot, query: Query, wish: ResultOptions, rank: Callable[[int], Ranking], clock: _StageTimer
) -> tuple[Ranking, list[SelectedHit]]:
    """Look deeper until the answer is full, or there is no more."""
    how = wish.diversity
    depth = how.pool if wish.reranker is None else max(how.pool, RERANK_DEPTH)
    while True:
        ranking = rank(depth)
        clock.record("candidates")
        if wish.reranker is not None:
            from vecsearch.search.rerank import rerank

            ranking = rerank(snapshot, query, ranking, wish.reranker)
            clock.record("rerank")
        picks = diversify(snapshot, ranking.ranked, how)
        clock.record("arrangement")
        if len(picks) >= how.limit or ranking.complete:
            return ranking, picks
        depth = 4 * max(depth, RERANK_DEPTH)  # so many were ranked already, however few were asked for


def _explain_hits(
    snapshot: Snapshot, hits: Sequence[Hit], picks: Sequence[SelectedHit], ranking: Ranking, query: Query, wish: ResultOptions
) -> list[Hit]:
    from vecsearch.search import explain

    ids = [pick.scored.chunk_id for pick in picks]
    reasons, passages = _collect_scores(ids, ranking), snapshot.load_chunk_texts(ids)
    if wish.encoder is not None and query.vector is not None and ids:
        reasons = explain.attribute_to_tokens(reasons, passages, wish.encoder, query.vector)
    elif query.text is not None:
        reasons = explain.attribute_to_terms(reasons, passages, snapshot.compute_term_idfs(query.text), snapshot.state.language)
    return [replace(hit, explanation=each) for hit, each in zip(hits, reasons, strict=True)]


def _collect_scores(ids: Sequence[ChunkId], ranking: Ranking) -> list[Explanation]:
    """What each side says of these chunks."""
    dense = {chunk: rank for rank, chunk in enumerate(ranking.dense, 1)}
    lexical = {chunk: rank for rank, chunk in enumerate(ranking.lexical, 1)}
    sides = [("dense", ranking.similarities, dense), ("lexical", ranking.bm25, lexical)]
    for name, best in (("trigrams", ranking.by_trigrams), ("rerank", ranking.reranked)):
        ranks = {each.chunk_id: rank for rank, each in enumerate(best, 1)}
        sides.append((name, {each.chunk_id: each.score for each in best}, ranks))
    return [
        Explanation({side: ComponentScore(scores[chunk], ranks.get(chunk)) for side, scores, ranks in sides if chunk in scores})
        for chunk in ids
    ]


def compute_centroid(rows: NDArray[np.float16] | NDArray[np.float32]) -> Vector:
    """The unit mean of unit rows; of one row, that row."""
    mean = rows.astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)
