"""Query → ranking: dense and lexical candidates, fused, those too far away left out, the best by spelling and feedback."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.results import VectorAccess
from vecsearch.core.settings import (
    FEEDBACK_WEIGHT,
    FUSION_DEPTH,
    FUSION_LEXICAL_FACTOR,
    MIN_BM25_SHARE,
    RERANK_DEPTH,
    TRIGRAM_TERM_SHARE,
    TRIGRAM_WEIGHT,
    WORD_PAIR_WEIGHT,
)
from vecsearch.core.types import ChunkId, Fusion, Mode, Span
from vecsearch.search.feedback import score_feedback
from vecsearch.search.fusion import FUSIONS, Candidates, compute_share_limit, dense_weight
from vecsearch.search.spelling import read_beginnings, score_trigrams, score_word_pairs
from vecsearch.stores.base import (
    NO_CHUNKS,
    NO_IDS,
    ChunkSet,
    Ids,
    LexicalHits,
    ScoredChunks,
    Scores,
    Snapshot,
    Vector,
    VectorHits,
)
from vecsearch.text.analyzer import get_analyzer
from vecsearch.text.query_parser import LexicalQuery, parse_query

if TYPE_CHECKING:
    from vecsearch.core.filters import Filter


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for. `vector` is a unit vector, or what waits for it, needed unless the mode is lexical; `text` unless it
    is dense.

    `min_similarity` is the similarity below which a chunk is no answer; with `keep_lexical`, one that has half of the best
    possible BM25 is one all the same. Chunks in `exclude` are not found.
    """

    text: str | None
    vector: Vector | Callable[[], Vector] | None
    mode: Mode
    where: Filter | None = None
    min_similarity: float | None = None
    keep_lexical: bool = False
    fusion: Fusion = Fusion.TMM
    exclude: Ids = field(default_factory=lambda: NO_IDS)

    def get_vector(self) -> Vector:
        """Return the vector, where there is one."""
        assert self.vector is not None
        return self.vector() if callable(self.vector) else self.vector


@dataclass(frozen=True, slots=True)
class Ranking:
    """Chunks best first, and what each component says: cosines of all but in lexical mode, BM25 of all that hold a term.

    `similarities` and `bm25` are by ascending id. `dense` and `lexical` are the ids that each side has found, in its order;
    `by_trigrams`, `by_feedback`, `by_word_pairs`, `reranked` and `by_word` the best as their trigrams, feedback, neighbouring
    words, the reranker and the meaning of a word have them; `words` is where that word stands in a chunk's text. `complete`:
    there is no further chunk. `access`: how the vectors were read.
    """

    ranked: ScoredChunks
    similarities: ScoredChunks
    bm25: ScoredChunks
    dense: Ids
    lexical: Ids
    complete: bool
    access: VectorAccess = VectorAccess.NONE
    by_trigrams: ScoredChunks = NO_CHUNKS
    by_feedback: ScoredChunks = NO_CHUNKS
    by_word_pairs: ScoredChunks = NO_CHUNKS
    reranked: ScoredChunks = NO_CHUNKS
    by_word: ScoredChunks = NO_CHUNKS
    words: Mapping[ChunkId, Span] = field(default_factory=dict)

    @property
    def top(self) -> ScoredChunks:
        """Return the best chunks, whose texts are read."""
        return self.ranked[:RERANK_DEPTH]

    def reorder(self, scores: Scores) -> Ranking:
        """Return the ranking with new scores of the top; ties go to the lower id, and the others follow, moved below them all."""
        best, others = ScoredChunks.rank(self.top.ids, scores), self.ranked[RERANK_DEPTH:]
        return replace(self, ranked=follow(best, others, self.top.scores[-1]))


def follow(best: ScoredChunks, others: ScoredChunks, before: float) -> ScoredChunks:
    """Return the best and then the others, moved below them all: as far as the last of the best moved from its score `before`."""
    last = best.scores[-1]
    moved = np.minimum(others.scores + (last - before), np.nextafter(last, -np.inf))  # a tie would go by id
    return ScoredChunks(np.concatenate([best.ids, others.ids]), np.concatenate([best.scores, moved]))


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
    ranked = snapshot.match(_parse_text(snapshot, query), depth, within=within).ranked
    return Ranking(ranked, NO_CHUNKS, ranked.sort_by_id(), NO_IDS, ranked.ids, len(ranked) < depth)


def _retrieve_dense(snapshot: Snapshot, query: Query, within: ChunkSet | None, depth: int) -> Ranking:
    near = _find_nearest(snapshot, query, within, depth)
    found = near.ranked
    ranked = found if query.min_similarity is None else found[found.scores >= query.min_similarity]
    complete = near.exhausted or len(ranked) < len(found)
    return Ranking(ranked, found.sort_by_id(), NO_CHUNKS, found.ids, NO_IDS, complete, near.access)


def _retrieve_hybrid(snapshot: Snapshot, query: Query, within: ChunkSet | None, min_depth: int) -> Ranking:
    """Search either side deeper until no chunk that neither has shown could still come in: Fagin's threshold algorithm.

    What neither has shown is no nearer than the last that the vectors have shown, or has no vector, which counts 0. That
    leaves a share of the best possible BM25 up to which it cannot come in, and so a score down to which the terms are searched,
    once: cheaper than to go through the vectors again, which is done where even so many that the terms find are not enough.
    """
    min_depth = max(min_depth, RERANK_DEPTH)
    depth = max(min_depth, FUSION_DEPTH)
    matches = snapshot.match(_parse_text(snapshot, query), depth, within=within)
    near, known = _find_nearest(snapshot, query, within, depth), NO_CHUNKS
    unseen_bm25, is_extended = _find_unseen_share(matches, depth), False  # the most that a chunk has that was not shown
    some_lack = snapshot.info.lacks_vectors  # a vector: their cosine counts 0
    while True:
        ranking = fuse(query, near, matches, _collect_candidates(snapshot, query, near, matches, known))
        if query.fusion is not Fusion.TMM:
            return ranking
        similarity = _limit_unseen_cosine(near, some_lack=some_lack)
        is_complete = near.exhausted and not (some_lack and unseen_bm25)
        if is_complete or _is_out_of_reach(query, similarity, unseen_bm25):
            return _rescore_best(snapshot, query, replace(ranking, complete=True), matches)
        harmless = _find_harmless_share(query, ranking.ranked, min_depth, similarity, matches.identifier_share)
        if len(ranking.ranked) >= min_depth and unseen_bm25 <= harmless:
            return _rescore_best(snapshot, query, replace(ranking, ranked=ranking.ranked[:min_depth]), matches)
        known = ranking.similarities
        if near.exhausted:  # what is left has no vector
            depth *= 2
            matches = matches.extend(depth)
            unseen_bm25 = _find_unseen_share(matches, depth)
        elif harmless > 0 and not is_extended:
            most, is_extended = FUSION_LEXICAL_FACTOR * depth, True
            matches = matches.extend(most, least=harmless * matches.max_score)
            unseen_bm25 = max(_find_unseen_share(matches, most), harmless)
        else:
            depth, is_extended = depth * 2, False
            near = _find_nearest(snapshot, query, within, depth)


def _find_unseen_share(matches: LexicalHits, depth: int) -> float:
    """Return the share of the best possible BM25 that no chunk exceeds which is not among the first `depth`."""
    return float(matches.ranked.scores[-1]) / matches.max_score if len(matches.ranked) >= depth else 0.0


def _find_harmless_share(query: Query, ranked: ScoredChunks, count: int, similarity: float, identifier_share: float) -> float:
    """Return the share of the best possible BM25 up to which no chunk comes among the first `count` that is no nearer than this.

    Or is no answer at all; negative where one comes in with any share.
    """
    share = compute_share_limit(float(ranked.scores[count - 1]), similarity, identifier_share) if len(ranked) >= count else -1.0
    if query.min_similarity is not None and similarity < query.min_similarity:
        return max(share, float(np.nextafter(MIN_BM25_SHARE, 0.0)))
    return share


def _limit_unseen_cosine(near: VectorHits, *, some_lack: bool) -> float:
    """Return the highest cosine that a chunk can count with which the dense side has not shown."""
    last = -1.0 if near.exhausted else float(near.ranked.scores[-1])
    return max(last, 0.0) if some_lack else last


def _collect_candidates(
    snapshot: Snapshot, query: Query, near: VectorHits, matches: LexicalHits, known: ScoredChunks
) -> Candidates:
    """Return all that either side has found, with the scores of both; `known` are cosines of an earlier round."""
    by_vector, by_terms = near.ranked.sort_by_id(), matches.ranked.sort_by_id()
    only_lexical = by_terms.ids[np.isnan(by_vector.look_up(by_terms.ids))]
    cosines = known.look_up(only_lexical)
    is_new = np.isnan(cosines)
    if is_new.any():
        cosines[is_new] = snapshot.compute_similarities(query.get_vector(), only_lexical[is_new]).look_up(only_lexical[is_new])
    ids = np.concatenate([by_vector.ids, only_lexical])
    order = np.argsort(ids)
    bm25 = by_terms.look_up(ids[order])
    from_lexical = ~np.isnan(bm25)
    bm25[~from_lexical] = matches.score(ids[order][~from_lexical])
    return Candidates(
        ids=ids[order],
        cosine=np.concatenate([by_vector.scores, cosines])[order],
        bm25=bm25,
        from_dense=order < len(by_vector),
        from_lexical=from_lexical,
        max_bm25=matches.max_score,
        identifier_share=matches.identifier_share,
    )


def fuse(query: Query, near: VectorHits, matches: LexicalHits, candidates: Candidates) -> Ranking:
    """Return one ranking of what both sides have found, without the chunks that are no answer."""
    has_vector, answers = ~np.isnan(candidates.cosine), _find_answers(query, candidates)
    scores = FUSIONS[query.fusion](replace(candidates, cosine=np.where(has_vector, candidates.cosine, 0.0)))
    holds = candidates.bm25 > 0
    return Ranking(
        ScoredChunks.rank(candidates.ids[answers], scores[answers]),
        ScoredChunks(candidates.ids[has_vector], candidates.cosine[has_vector]),
        ScoredChunks(candidates.ids[holds], candidates.bm25[holds]),
        near.ranked.ids,
        matches.ranked.ids,
        complete=near.exhausted,
        access=near.access,
    )


def _rescore_best(snapshot: Snapshot, query: Query, ranking: Ranking, matches: LexicalHits) -> Ranking:
    """Reorder the best: by their trigrams, then by feedback from those that are best by then, then by their word pairs.

    Word pairs count as far as the query is made of identifiers, whose parts are neighbours, and are looked for only there.
    """
    if not len(ranking.ranked):
        return ranking
    assert query.text is not None
    dense, ids = dense_weight(matches.identifier_share), ranking.top.ids
    texts = read_beginnings(snapshot, ids.tolist())
    trigrams = score_trigrams(snapshot, query.text, texts)
    spelled = _apply_trigrams(ranking, trigrams, matches.max_score, TRIGRAM_TERM_SHARE * (1 + dense) / 2)
    fed_back = _apply_feedback(snapshot, spelled, FEEDBACK_WEIGHT * dense)
    pair_weight = WORD_PAIR_WEIGHT * (1 - dense)
    if pair_weight == 0:
        return fed_back
    word_pairs = score_word_pairs(snapshot, query.text, texts)
    return _apply_word_pairs(fed_back, ScoredChunks.rank(ids, word_pairs), pair_weight) if word_pairs.any() else fed_back


def _apply_trigrams(ranking: Ranking, trigrams: Scores, max_score: float, term_share: float) -> Ranking:
    """Replace a share of the terms by the trigrams of the best, as a share of the most that one of them has."""
    top = ranking.top
    terms = ranking.bm25.look_up(top.ids, missing=0.0) / (max_score or 1.0)
    share = trigrams / (trigrams.max() or 1.0)
    reordered = ranking.reorder(top.scores - term_share * terms + TRIGRAM_WEIGHT * share)
    return replace(reordered, by_trigrams=ScoredChunks.rank(top.ids, trigrams))


def _apply_feedback(snapshot: Snapshot, ranking: Ranking, weight: float) -> Ranking:
    """Add to the best what their vectors have in common with those of the first few."""
    top = ranking.top
    feedback = score_feedback(snapshot, top)
    return replace(ranking.reorder(top.scores + weight * feedback), by_feedback=ScoredChunks.rank(top.ids, feedback))


def _apply_word_pairs(ranking: Ranking, by_word_pairs: ScoredChunks, weight: float) -> Ranking:
    """Add to the best what neighbouring words of the query they have as neighbours."""
    top = ranking.top
    word_pairs = by_word_pairs.sort_by_id().look_up(top.ids)
    return replace(ranking.reorder(top.scores + weight * word_pairs), by_word_pairs=by_word_pairs)


def _is_out_of_reach(query: Query, similarity: float, bm25_share: float) -> bool:
    """Return whether no chunk is an answer that is no more similar than this, and has no more of the best possible BM25."""
    if query.min_similarity is None or similarity >= query.min_similarity:
        return False
    return bm25_share < MIN_BM25_SHARE or not query.keep_lexical


def _find_answers(query: Query, candidates: Candidates) -> slice | NDArray[np.bool_]:
    """Return which of the candidates are answers."""
    if query.min_similarity is None:
        return slice(None)
    is_near = candidates.cosine >= query.min_similarity  # never of one without a vector
    if query.keep_lexical and candidates.max_bm25 > 0:
        is_near |= candidates.bm25 >= MIN_BM25_SHARE * candidates.max_bm25
    return is_near


def _find_nearest(snapshot: Snapshot, query: Query, within: ChunkSet | None, depth: int) -> VectorHits:
    return snapshot.find_nearest(query.get_vector(), depth, within=within, exclude=query.exclude)


def _parse_text(snapshot: Snapshot, query: Query) -> LexicalQuery:
    assert query.text is not None
    return parse_terms(snapshot, query.text)
