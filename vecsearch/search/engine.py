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

from vecsearch.core.answers import Access, Hit, Hits, Part, Plan, Reasons
from vecsearch.core.settings import LOOKED_AT
from vecsearch.core.types import ChunkId, Mode
from vecsearch.encoding.protocol import TokenEncoder
from vecsearch.persistence.reader import Snapshot
from vecsearch.search.arranging import Arrangement, Pick, arrange
from vecsearch.search.recommending import Taste
from vecsearch.search.recommending import rank as rank_by_taste
from vecsearch.search.retrieval import Query, Ranking, Vector, retrieve

if TYPE_CHECKING:
    from vecsearch.search.reranking import Reranker

Ranker: TypeAlias = Callable[[NDArray[np.int64] | None, int], Ranking]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked besides the query itself: how the answer is arranged, looked at again, widened and explained."""

    arrangement: Arrangement
    reranker: Reranker | None = None
    expand: int = 0
    explain: bool = False
    encoder: TokenEncoder | None = None  # for the reasons that tokens give


@dataclass(slots=True)
class _Clock:
    """Milliseconds of each stage, in order."""

    stages: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.stages[stage] = round(self.stages.get(stage, 0.0) + (now - self._last) * 1000, 3)
        self._last = now


def search(snapshot: Snapshot, query: Query, wish: Wish) -> Hits:
    """Up to `limit` hits, best first; ties go to the chunk stored first."""
    return answer(snapshot, query, wish, lambda allowed, depth: retrieve(snapshot, query, allowed=allowed, depth=depth))


def recommend(snapshot: Snapshot, query: Query, wish: Wish, taste: Taste) -> Hits:
    """Up to `limit` hits by a person's taste; the query says the filter, the bound and what is left out."""
    return answer(
        snapshot, query, wish,
        lambda allowed, depth: rank_by_taste(
            snapshot, taste, allowed=allowed, depth=depth, least=query.least, excluded=query.excluded
        ),
    )  # fmt: skip


def answer(snapshot: Snapshot, query: Query, wish: Wish, rank: Ranker) -> Hits:
    """The answer of whatever ranks: `rank(allowed chunks, depth)`."""
    clock = _Clock()
    allowed = snapshot.allowed(query.condition)
    clock.lap("filter")
    ranking, picks = _picked(snapshot, query, wish, lambda depth: rank(allowed, depth), clock)
    similarities = ranking.similarities
    hits = snapshot.hits([pick.scored for pick in picks], similarities)
    hits = [replace(hit, more=pick.more) if pick.more else hit for hit, pick in zip(hits, picks, strict=True)]
    if wish.expand:
        hits = snapshot.expanded(hits, [pick.scored.chunk_id for pick in picks], wish.expand)
    clock.lap("texts")
    if wish.explain:
        hits = _explained(snapshot, hits, picks, ranking, query, wish)
        clock.lap("reasons")
    chunks = snapshot.indexed() if query.mode is Mode.LEXICAL else len(snapshot.view)
    matching = chunks if allowed is None else len(allowed)
    access = Access.NONE if query.mode is Mode.LEXICAL else snapshot.view.access(allowed, wish.arrangement.pool)
    return Hits(hits, Plan(access, chunks, matching, len(ranking.ranked), query.least, clock.stages))


def _picked(
    snapshot: Snapshot, query: Query, wish: Wish, rank: Callable[[int], Ranking], clock: _Clock
) -> tuple[Ranking, list[Pick]]:
    """Look deeper until the answer is full, or there is no more."""
    how = wish.arrangement
    depth = how.pool if wish.reranker is None else max(how.pool, LOOKED_AT)
    while True:
        ranking = rank(depth)
        clock.lap("candidates")
        if wish.reranker is not None:
            from vecsearch.search.reranking import second_look

            ranking = second_look(snapshot, query, ranking, wish.reranker)
            clock.lap("rerank")
        picks = arrange(snapshot, ranking.ranked, how)
        clock.lap("arrangement")
        if len(picks) >= how.limit or ranking.complete:
            return ranking, picks
        depth = 4 * max(depth, LOOKED_AT)  # so many were ranked already, however few were asked for


def _explained(
    snapshot: Snapshot, hits: Sequence[Hit], picks: Sequence[Pick], ranking: Ranking, query: Query, wish: Wish
) -> list[Hit]:
    from vecsearch.search import explaining

    ids = [pick.scored.chunk_id for pick in picks]
    reasons, passages = _reasons(ids, ranking), snapshot.passages(ids)
    if wish.encoder is not None and query.vector is not None and ids:
        reasons = explaining.by_tokens(reasons, passages, wish.encoder, query.vector)
    elif query.text is not None:
        reasons = explaining.by_words(reasons, passages, snapshot.rarity(query.text), snapshot.state.language)
    return [replace(hit, reasons=each) for hit, each in zip(hits, reasons, strict=True)]


def _reasons(ids: Sequence[ChunkId], ranking: Ranking) -> list[Reasons]:
    """What each side says of these chunks."""
    dense = {chunk: rank for rank, chunk in enumerate(ranking.dense, 1)}
    lexical = {chunk: rank for rank, chunk in enumerate(ranking.lexical, 1)}
    sides = [("dense", ranking.similarities, dense), ("lexical", ranking.bm25, lexical)]
    for name, best in (("trigrams", ranking.spelled), ("rerank", ranking.again)):
        ranks = {each.chunk_id: rank for rank, each in enumerate(best, 1)}
        sides.append((name, {each.chunk_id: each.score for each in best}, ranks))
    return [
        Reasons({side: Part(scores[chunk], ranks.get(chunk)) for side, scores, ranks in sides if chunk in scores})
        for chunk in ids
    ]


def centre(rows: NDArray[np.float16] | NDArray[np.float32]) -> Vector:
    """The unit mean of unit rows; of one row, that row."""
    mean = rows.astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)
