"""Query → ranking: dense and lexical candidates, fused, those too far away left out, the best reordered by their trigrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import VectorAccess
from vecsearch.core.settings import FUSION_DEPTH, MIN_BM25_SHARE, RERANK_DEPTH, TRIGRAM_WEIGHT
from vecsearch.core.types import ChunkId, Fusion, Mode, ScoredChunk
from vecsearch.search.fusion import FUSIONS, Candidates, dense_weight, rank_by_score
from vecsearch.search.spelling import score_trigrams
from vecsearch.stores.base import ChunkSet, Ids, LexicalHits, Snapshot, Vector, VectorHits
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.query_parser import LexicalQuery, parse_query

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `vector` is a unit vector, needed unless the mode is lexical; `text` unless it is dense.

    `min_similarity` is the similarity below which a chunk is no answer; with `keep_lexical`, one that has half of the best
    possible BM25 is one all the same. Chunks in `exclude` are not found.
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
    """Chunks best first, and what each component says: cosines of all but in lexical mode, BM25 of all that hold a term.

    `dense` and `lexical` are the ids that each side has found, in its order; `by_trigrams` and `reranked` the best as their
    trigrams and the reranker have them. `complete`: there is no further chunk to be had. `access`: how the vectors were read.
    """

    ranked: tuple[ScoredChunk, ...]
    similarities: Mapping[ChunkId, float]
    bm25: Mapping[ChunkId, float]
    dense: tuple[ChunkId, ...]
    lexical: tuple[ChunkId, ...]
    complete: bool
    access: VectorAccess = VectorAccess.NONE
    by_trigrams: tuple[ScoredChunk, ...] = ()
    reranked: tuple[ScoredChunk, ...] = ()

    @property
    def top(self) -> tuple[ScoredChunk, ...]:
        """Return the best chunks, whose texts are read."""
        return self.ranked[:RERANK_DEPTH]

    def reorder(self, scores: NDArray[np.float64]) -> Ranking:
        """Return the ranking with new scores of the top; ties go to the lower id, and the others follow, moved below."""
        top, others = self.top, self.ranked[RERANK_DEPTH:]
        best = rank_by_score(np.array([scored.chunk_id for scored in top], np.int64), scores)
        shift = best[-1].score - others[0].score if others else 0.0
        return replace(self, ranked=(*best, *(ScoredChunk(scored.chunk_id, scored.score + shift) for scored in others)))


def retrieve(snapshot: Snapshot, query: Query, *, within: ChunkSet | None, depth: int) -> Ranking:
    """Return the first `depth` chunks, or all there are."""
    match query.mode:
        case Mode.LEXICAL:
            return _retrieve_lexical(snapshot, query, within, depth)
        case Mode.DENSE:
            return _retrieve_dense(snapshot, query, within, depth)
        case Mode.HYBRID:
            return _retrieve_hybrid(snapshot, query, within, depth)
        case _:
            assert_never(query.mode)


def parse_terms(snapshot: Snapshot, text: str) -> LexicalQuery:
    """Return what to look up for a query in the text index of this collection."""
    return parse_query(text, get_analyzer(snapshot.info.stemmer))


def _retrieve_lexical(snapshot: Snapshot, query: Query, within: ChunkSet | None, depth: int) -> Ranking:
    matches = snapshot.match(_parse_text(snapshot, query), depth, within=within)
    bm25 = {scored.chunk_id: scored.score for scored in matches.ranked}
    return Ranking(matches.ranked, {}, bm25, (), tuple(bm25), len(matches.ranked) < depth)


def _retrieve_dense(snapshot: Snapshot, query: Query, within: ChunkSet | None, depth: int) -> Ranking:
    near = _find_nearest(snapshot, query, within, depth)
    similarities = {scored.chunk_id: scored.score for scored in near.ranked}
    ranked = tuple(scored for scored in near.ranked if query.min_similarity is None or scored.score >= query.min_similarity)
    complete = near.exhausted or len(ranked) < len(near.ranked)
    return Ranking(ranked, similarities, {}, tuple(similarities), (), complete, near.access)


def _retrieve_hybrid(snapshot: Snapshot, query: Query, within: ChunkSet | None, min_depth: int) -> Ranking:
    """Search both sides deeper until no chunk that neither has shown could still come in."""
    min_depth = max(min_depth, RERANK_DEPTH)
    depth = max(min_depth, FUSION_DEPTH)
    terms = _parse_text(snapshot, query)
    while True:
        near = _find_nearest(snapshot, query, within, depth)
        similarities = {scored.chunk_id: scored.score for scored in near.ranked}
        matches = snapshot.match(terms, depth, within=within, also=np.fromiter(similarities, np.int64))
        similarities |= _compute_missing_similarities(snapshot, _get_vector(query), matches.ranked, similarities)
        ranking = _fuse(query, near, matches, similarities)
        if query.fusion is not Fusion.TMM:
            return ranking
        unseen_bm25 = matches.ranked[-1].score / matches.max_score if len(matches.ranked) >= depth else 0.0
        if ranking.complete or _is_out_of_reach(query, near.ranked[-1].score, unseen_bm25):
            return _apply_trigrams(snapshot, query, replace(ranking, complete=True), matches.max_score)
        # the best that an unseen chunk could get is too little: the stopping rule of Fagin's threshold algorithm
        unseen = near.ranked[-1].score * dense_weight(matches.identifier_share) + unseen_bm25
        if len(ranking.ranked) >= min_depth and ranking.ranked[min_depth - 1].score > unseen:
            return _apply_trigrams(snapshot, query, replace(ranking, ranked=ranking.ranked[:min_depth]), matches.max_score)
        depth *= 4


def _fuse(query: Query, vector_hits: VectorHits, lexical_hits: LexicalHits, similarities: Mapping[ChunkId, float]) -> Ranking:
    """Return one ranking of what both sides have found, without the chunks that are no answer."""
    bm25 = {scored.chunk_id: scored.score for scored in (*lexical_hits.ranked, *lexical_hits.extra)}
    candidates = _merge_candidates(vector_hits, lexical_hits, similarities, bm25)
    fused = rank_by_score(candidates.ids, FUSIONS[query.fusion](candidates))
    ranked = tuple(scored for scored in fused if _is_answer(query, similarities, bm25, lexical_hits.max_score, scored.chunk_id))
    dense, lexical = (tuple(scored.chunk_id for scored in side) for side in (vector_hits.ranked, lexical_hits.ranked))
    return Ranking(ranked, similarities, bm25, dense, lexical, complete=vector_hits.exhausted, access=vector_hits.access)


def _apply_trigrams(snapshot: Snapshot, query: Query, ranking: Ranking, max_score: float) -> Ranking:
    """Move a share of the terms' weight to the trigrams of the best: a third signal in `fusion.theoretical_min_max`."""
    top = ranking.top
    if not top:
        return ranking
    assert query.text is not None
    ids = [scored.chunk_id for scored in top]
    trigrams = score_trigrams(snapshot, query.text, ids)
    terms = np.array([ranking.bm25.get(chunk, 0.0) for chunk in ids]) / (max_score or 1.0)
    fused = np.array([scored.score for scored in top])
    by_trigrams = tuple(rank_by_score(np.array(ids, np.int64), trigrams))
    return replace(ranking.reorder(fused + TRIGRAM_WEIGHT * (trigrams - terms)), by_trigrams=by_trigrams)


def _merge_candidates(
    vector_hits: VectorHits, lexical_hits: LexicalHits, similarities: Mapping[ChunkId, float], bm25: Mapping[ChunkId, float]
) -> Candidates:
    ids = np.array(sorted(similarities), np.int64)
    chunks = ids.tolist()
    return Candidates(
        ids=ids,
        cosine=np.array([similarities[chunk] for chunk in chunks]),
        bm25=np.array([bm25.get(chunk, 0.0) for chunk in chunks]),
        from_dense=np.isin(ids, [scored.chunk_id for scored in vector_hits.ranked]),
        from_lexical=np.isin(ids, [scored.chunk_id for scored in lexical_hits.ranked]),
        max_bm25=lexical_hits.max_score,
        identifier_share=lexical_hits.identifier_share,
    )


def _is_out_of_reach(query: Query, similarity: float, bm25_share: float) -> bool:
    """Return whether no chunk is an answer that is no more similar than this, and has no more of the best possible BM25."""
    if query.min_similarity is None or similarity >= query.min_similarity:
        return False
    return bm25_share < MIN_BM25_SHARE or not query.keep_lexical


def _is_answer(
    query: Query, similarities: Mapping[ChunkId, float], bm25: Mapping[ChunkId, float], max_score: float, chunk: ChunkId
) -> bool:
    if query.min_similarity is None or similarities[chunk] >= query.min_similarity:
        return True
    return query.keep_lexical and bm25.get(chunk, 0.0) >= MIN_BM25_SHARE * max_score > 0


def _find_nearest(snapshot: Snapshot, query: Query, within: ChunkSet | None, depth: int) -> VectorHits:
    return snapshot.find_nearest(_get_vector(query), depth, within=within, exclude=query.exclude)


def _compute_missing_similarities(
    snapshot: Snapshot, vector: Vector, lexical: Sequence[ScoredChunk], known: Mapping[ChunkId, float]
) -> dict[ChunkId, float]:
    """Return the cosines of chunks that only their terms found."""
    unknown = np.array(sorted(scored.chunk_id for scored in lexical if scored.chunk_id not in known), np.int64)
    return snapshot.compute_similarities(vector, unknown) if len(unknown) else {}


def _parse_text(snapshot: Snapshot, query: Query) -> LexicalQuery:
    assert query.text is not None
    return parse_terms(snapshot, query.text)


def _get_vector(query: Query) -> Vector:
    assert query.vector is not None
    return query.vector
