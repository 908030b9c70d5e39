"""Query → ranking: dense and lexical candidates, fused, those too far away left out, the best told apart by their spelling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.filters import Filter
from vecsearch.core.settings import FUSION_DEPTH, MIN_BM25_SHARE, RERANK_DEPTH, TRIGRAM_WEIGHT
from vecsearch.core.types import ChunkId, Fusion, Mode, ScoredChunk
from vecsearch.search.fusion import FUSIONS, Candidates, dense_weight, rank_by_score
from vecsearch.stores.sqlite.fulltext.bm25 import LexicalHits
from vecsearch.stores.sqlite.read.reader import Snapshot

Vector: TypeAlias = NDArray[np.float32]
Ids: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `vector` is a unit vector, needed unless the mode is lexical; `text` unless it is dense.

    `least` is the similarity below which a chunk is no answer; with `or_said`, one that says half of the question is. Chunks in
    `excluded` are not found.
    """

    text: str | None
    vector: Vector | None
    mode: Mode
    where: Filter | None = None
    min_similarity: float | None = None
    keep_lexical: bool = False
    fusion: Fusion = Fusion.TMM
    exclude: Ids = field(default_factory=lambda: np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunks best first, and what each side says: cosines of all but in lexical mode, BM25 of all that hold a word.

    `dense` and `lexical` are the ids that each side has found, in its order; `spelled` and `again` the best as their trigrams
    and the second look have them. `complete`: there is no further chunk to be had.
    """

    ranked: tuple[ScoredChunk, ...]
    similarities: Mapping[ChunkId, float]
    bm25: Mapping[ChunkId, float]
    dense: tuple[ChunkId, ...]
    lexical: tuple[ChunkId, ...]
    complete: bool
    by_trigrams: tuple[ScoredChunk, ...] = ()
    reranked: tuple[ScoredChunk, ...] = ()

    def top(self) -> tuple[ScoredChunk, ...]:
        """The best, which are read again."""
        return self.ranked[:RERANK_DEPTH]

    def reorder(self, scores: NDArray[np.float64]) -> Ranking:
        """With new scores of those looked at, ties going to the lower id; the others follow, moved below the lowest of them."""
        looked, rest = self.top(), self.ranked[RERANK_DEPTH:]
        best = rank_by_score(np.array([each.chunk_id for each in looked], np.int64), scores)
        shift = best[-1].score - rest[0].score if rest else 0.0
        return replace(self, ranked=(*best, *(ScoredChunk(each.chunk_id, each.score + shift) for each in rest)))


def retrieve(snapshot: Snapshot, query: Query, *, allowed: Ids | None, depth: int) -> Ranking:
    """The first `depth` chunks, or all there are."""
    match query.mode:
        case Mode.LEXICAL:
            return _retrieve_lexical(snapshot, query, allowed, depth)
        case Mode.DENSE:
            return _retrieve_dense(snapshot, query, allowed, depth)
        case Mode.HYBRID:
            return _retrieve_hybrid(snapshot, query, allowed, depth)
        case _:
            assert_never(query.mode)


def _retrieve_lexical(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int) -> Ranking:
    found = _match_terms(snapshot, query, allowed, depth)
    bm25 = {each.chunk_id: each.score for each in found.ranked}
    return Ranking(found.ranked, {}, bm25, (), tuple(bm25), len(found.ranked) < depth)


def _retrieve_dense(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int) -> Ranking:
    near = _find_nearest(snapshot, query, allowed, depth)
    similarities = {each.chunk_id: each.score for each in near}
    kept = tuple(each for each in near if query.min_similarity is None or each.score >= query.min_similarity)
    return Ranking(kept, similarities, {}, tuple(similarities), (), len(near) < depth or len(kept) < len(near))


def _retrieve_hybrid(snapshot: Snapshot, query: Query, allowed: Ids | None, wanted: int) -> Ranking:
    """Both sides look deeper until no chunk that neither has shown could still come in."""
    wanted = max(wanted, RERANK_DEPTH)
    depth = max(wanted, FUSION_DEPTH)
    while True:
        near = _find_nearest(snapshot, query, allowed, depth)
        similarities = {each.chunk_id: each.score for each in near}
        said = _match_terms(snapshot, query, allowed, depth, also=np.fromiter(similarities, np.int64))
        similarities |= _compute_missing_similarities(snapshot, _get_vector(query), said.ranked, similarities)
        bm25 = {each.chunk_id: each.score for each in (*said.ranked, *said.extra)}
        candidates = _merge_candidates(near, said, similarities, bm25)
        fused = rank_by_score(candidates.ids, FUSIONS[query.fusion](candidates))
        kept = tuple(each for each in fused if _is_answer(query, similarities, bm25, said.max_score, each.chunk_id))
        dense, lexical = (tuple(each.chunk_id for each in side) for side in (near, said.ranked))
        ranking = Ranking(kept, similarities, bm25, dense, lexical, complete=len(near) < depth)
        if query.fusion is not Fusion.TMM:
            return ranking
        unsaid = said.ranked[-1].score / said.max_score if len(said.ranked) >= depth else 0.0
        if ranking.complete or _is_out_of_reach(query, near[-1].score, unsaid):
            return _apply_trigrams(snapshot, query, replace(ranking, complete=True), said.max_score)
        # the best that an unseen chunk could get is too little: the stopping rule of Fagin's threshold algorithm
        if len(kept) >= wanted and kept[wanted - 1].score > near[-1].score * dense_weight(said.identifier_share) + unsaid:
            return _apply_trigrams(snapshot, query, replace(ranking, ranked=kept[:wanted]), said.max_score)
        depth *= 4


def _apply_trigrams(snapshot: Snapshot, query: Query, ranking: Ranking, most: float) -> Ranking:
    """The best with a share of their words' weight given to the trigrams of these: a third signal in `fusion.bounded`."""
    looked = ranking.top()
    if not looked:
        return ranking
    assert query.text is not None
    ids = [each.chunk_id for each in looked]
    spelled = snapshot.compute_trigram_scores(query.text, ids)
    words = np.array([ranking.bm25.get(chunk, 0.0) for chunk in ids]) / (most or 1.0)
    fused = np.array([each.score for each in looked])
    spelling = tuple(rank_by_score(np.array(ids, np.int64), spelled))
    return replace(ranking.reorder(fused + TRIGRAM_WEIGHT * (spelled - words)), by_trigrams=spelling)


def _merge_candidates(
    near: Sequence[ScoredChunk], said: LexicalHits, similarities: Mapping[ChunkId, float], bm25: Mapping[ChunkId, float]
) -> Candidates:
    ids = np.array(sorted(similarities), np.int64)
    return Candidates(
        ids=ids,
        cosine=np.array([similarities[int(each)] for each in ids]),
        bm25=np.array([bm25.get(int(each), 0.0) for each in ids]),
        from_dense=np.isin(ids, [each.chunk_id for each in near]),
        from_lexical=np.isin(ids, [each.chunk_id for each in said.ranked]),
        max_bm25=said.max_score,
        identifier_share=said.identifier_share,
    )


def _is_out_of_reach(query: Query, nearest: float, unsaid: float) -> bool:
    """Whether no chunk counts that is no nearer than this, and says no more."""
    return (
        query.min_similarity is not None
        and nearest < query.min_similarity
        and (unsaid < MIN_BM25_SHARE or not query.keep_lexical)
    )


def _is_answer(
    query: Query, similarities: Mapping[ChunkId, float], bm25: Mapping[ChunkId, float], most: float, chunk: ChunkId
) -> bool:
    if query.min_similarity is None or similarities[chunk] >= query.min_similarity:
        return True
    return query.keep_lexical and bm25.get(chunk, 0.0) >= MIN_BM25_SHARE * most > 0


def _find_nearest(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int) -> list[ScoredChunk]:
    return snapshot.view.find_nearest(_get_vector(query), depth, allowed=allowed, excluded=query.exclude)


def _match_terms(snapshot: Snapshot, query: Query, allowed: Ids | None, depth: int, *, also: Ids | None = None) -> LexicalHits:
    assert query.text is not None
    return snapshot.search_lexical(query.text, limit=depth, allowed=allowed, extra_ids=also)


def _compute_missing_similarities(
    snapshot: Snapshot, vector: Vector, lexical: Sequence[ScoredChunk], known: Mapping[ChunkId, float]
) -> dict[ChunkId, float]:
    """The cosines of chunks that only the words found."""
    unknown = np.array(sorted(each.chunk_id for each in lexical if each.chunk_id not in known), np.int64)
    return snapshot.view.compute_similarities(vector, unknown) if len(unknown) else {}


def _get_vector(query: Query) -> Vector:
    assert query.vector is not None
    return query.vector
