"""The read story: filter → dense and lexical → fusion → reranking → grouping and diversity → hits → explanations.

Dense search ranks chunks by the cosine of their vectors with the query's, lexical search by BM25, and the default fuses both.
Each sees the filter before it counts to k, so that k rows come back whenever k rows match.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vecsearch.core.attribution import ComponentScore, Explanation
from vecsearch.core.results import ChunkWindow, Hit, Hits, QueryProfile
from vecsearch.core.settings import RERANK_DEPTH
from vecsearch.core.types import ChunkId
from vecsearch.encoders.base import TokenEncoder
from vecsearch.search.boosting import Boost
from vecsearch.search.diversify import DiversityOptions, SelectedHit, diversify
from vecsearch.search.recommend import rank_by_preference
from vecsearch.search.retrieval import Query, Ranking, parse_terms, retrieve
from vecsearch.search.votes import Votes
from vecsearch.stores.base import ChunkSet, Matrix, ScoredChunks, Snapshot, Vector
from vecsearch.stores.noise_floor import get_noise_floor

if TYPE_CHECKING:
    from vecsearch.search.rerank import Reranker

Ranker: TypeAlias = Callable[[ChunkSet | None, int], Ranking]  # (chunks that may be found, how many) → ranking


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """Options applied after retrieval: grouping and diversity, reranking, windows, explanations."""

    diversity: DiversityOptions
    reranker: Reranker | None = None
    offset: int = 0  # of the picks so many are left out
    window: int = 0
    whole_documents: bool = False  # as windows
    explain: bool = False
    encoder: TokenEncoder | None = None  # attributes the similarity to tokens
    highlight: bool = False
    reopen: Callable[[], AbstractContextManager[Snapshot]] | None = None  # opens the collection later: why was nothing found?
    votes: Votes | None = None  # of a profile, which speaks for some of what is found


@dataclass(slots=True)
class _StageTimer:
    """Milliseconds of each stage, in order."""

    timings_ms: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def record(self, stage: str) -> None:
        now = perf_counter()
        self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + (now - self._last) * 1000, 3)
        self._last = now


def search(snapshot: Snapshot, query: Query, options: ResultOptions) -> Hits:
    """Return up to `limit` hits, best first; ties go to the chunk stored first."""
    return build_answer(snapshot, query, options, lambda within, depth: retrieve(snapshot, query, within=within, depth=depth))


def recommend(snapshot: Snapshot, query: Query, options: ResultOptions, votes: Votes, *, boost: str | None = None) -> Hits:
    """Return up to `limit` hits for the votes of a profile; the query says the filter, the bound and what is excluded.

    `boost`: a metadata key whose numbers speak for a document besides. Raises InputError where there is none.
    """

    def rank(within: ChunkSet | None, depth: int) -> Ranking:
        boosting = None if boost is None else Boost.from_key(snapshot, boost, within)
        return rank_by_preference(
            snapshot, votes, within=within, depth=depth, min_similarity=query.min_similarity, exclude=query.exclude,
            boost=boosting,
        )  # fmt: skip

    return build_answer(snapshot, query, options, rank)


def build_answer(snapshot: Snapshot, query: Query, options: ResultOptions, rank: Ranker) -> Hits:
    """Return the answer of whatever ranks."""
    timer = _StageTimer()
    within = None if query.where is None else snapshot.select(query.where)
    timer.record("filter")
    ranking, all_selected = _select_hits(snapshot, query, options, lambda depth: rank(within, depth), timer)
    selected = all_selected[options.offset :]
    chosen = ScoredChunks(
        np.array([hit.scored.chunk_id for hit in selected], np.int64), np.array([hit.scored.score for hit in selected])
    )
    ids = chosen.ids.tolist()
    hits = snapshot.load_hits(chosen, ranking.similarities.look_up(chosen.ids) if len(ranking.similarities) else None)
    hits = [replace(hit, group_size=of.group_size) if of.group_size else hit for hit, of in zip(hits, selected, strict=True)]
    floor = get_noise_floor(snapshot) if any(hit.similarity is not None for hit in hits) else None
    hits = [hit if (weak := _is_weak(hit, floor)) is None else replace(hit, weak=weak) for hit in hits]
    if options.window or options.whole_documents:
        windows = _load_documents(snapshot, hits) if options.whole_documents else snapshot.load_windows(ids, options.window)
        hits = [replace(hit, window=window) for hit, window in zip(hits, windows, strict=True)]
    timer.record("texts")
    if options.explain:
        hits = _explain_hits(snapshot, hits, ids, ranking, query, options)
        timer.record("explanations")
    if options.highlight:
        hits = _add_snippets(snapshot, hits, query)
        timer.record("snippets")
    chunks = snapshot.count_chunks()
    matching = chunks if within is None else len(within)
    profile = QueryProfile(ranking.access, chunks, matching, len(ranking.ranked), query.min_similarity, timer.timings_ms, floor)
    reason = None if hits else _find_reason(snapshot, query, options, ranking, profile, left_out=len(all_selected))
    return Hits(hits, profile, snapshot.info.pending_vectors, reason)


def _find_reason(
    snapshot: Snapshot, query: Query, options: ResultOptions, ranking: Ranking, profile: QueryProfile, *, left_out: int
) -> Callable[[], str] | None:
    """Return what says why there is no hit, once somebody asks."""
    if options.reopen is None:
        return None
    from vecsearch.search.empty_answers import EmptyAnswer, explain_empty_answer

    cosines = ranking.similarities.scores
    most_similar = float(cosines.max()) if len(cosines) else None
    answer = EmptyAnswer(
        query.mode, query.where, profile.chunks, profile.matching, query.min_similarity, most_similar,
        snapshot.info.pending_vectors, left_out, len(query.exclude) > 0,
    )  # fmt: skip
    return partial(explain_empty_answer, answer, options.reopen)


def _is_weak(hit: Hit, floor: float | None) -> bool | None:
    return None if hit.similarity is None or floor is None else hit.similarity < floor


def _select_hits(
    snapshot: Snapshot, query: Query, options: ResultOptions, rank: Callable[[int], Ranking], timer: _StageTimer
) -> tuple[Ranking, list[SelectedHit]]:
    """Look deeper until the answer is full, or there is no more."""
    diversity = options.diversity
    reads_top = options.reranker is not None or options.votes is not None
    depth = max(diversity.pool_size, RERANK_DEPTH) if reads_top else diversity.pool_size
    while True:
        ranking = rank(depth)
        timer.record("candidates")
        if options.reranker is not None:
            from vecsearch.search.rerank import rerank

            ranking = rerank(snapshot, query, ranking, options.reranker)
            timer.record("rerank")
        if options.votes is not None:
            ranking = ranking.reorder(options.votes.personalize(snapshot, ranking.top))
            timer.record("profile")
        selected = diversify(snapshot, ranking.ranked, diversity)
        timer.record("diversity")
        if len(selected) >= diversity.limit or ranking.complete:
            return ranking, selected
        depth = 4 * max(depth, RERANK_DEPTH)  # so many were ranked already, however few were requested


def _load_documents(snapshot: Snapshot, hits: Sequence[Hit]) -> list[ChunkWindow]:
    """Return the whole text of each hit's document."""
    documents = snapshot.load_documents(list(dict.fromkeys(hit.id for hit in hits)))
    texts = {document.id: document.text for document in documents}
    return [ChunkWindow(texts[hit.id], 0, len(texts[hit.id])) for hit in hits]


def _explain_hits(
    snapshot: Snapshot, hits: Sequence[Hit], ids: Sequence[ChunkId], ranking: Ranking, query: Query, options: ResultOptions
) -> list[Hit]:
    from vecsearch.search import explain

    components, texts = _collect_components(ids, ranking), snapshot.load_chunk_texts(ids)
    if options.encoder is not None and query.vector is not None and ids:
        explanations = explain.attribute_to_tokens(components, texts, options.encoder, query.get_vector())
    elif query.text is not None:
        idf = snapshot.idf(parse_terms(snapshot, query.text))
        explanations = explain.attribute_to_terms(components, texts, idf, snapshot.info.stemmer)
    else:
        explanations = [Explanation(of_chunk) for of_chunk in components]
    return [replace(hit, explanation=explanation) for hit, explanation in zip(hits, explanations, strict=True)]


def _add_snippets(snapshot: Snapshot, hits: Sequence[Hit], query: Query) -> list[Hit]:
    from vecsearch.search.snippets import NO_TERMS, QueryTerms, find_snippets

    terms = NO_TERMS
    if query.text is not None:
        parsed = parse_terms(snapshot, query.text)
        terms = QueryTerms.from_query(parsed, snapshot.idf(parsed), snapshot.info.stemmer)
    snippets = find_snippets(hits, terms, snapshot.info.stemmer)
    return [replace(hit, snippet=snippet) for hit, snippet in zip(hits, snippets, strict=True)]


def _collect_components(ids: Sequence[ChunkId], ranking: Ranking) -> list[dict[str, ComponentScore]]:
    """Return what each component says of these chunks."""
    sides = {"dense": (ranking.similarities, ranking.dense), "lexical": (ranking.bm25, ranking.lexical)}
    best = {
        "trigrams": ranking.by_trigrams,
        "feedback": ranking.by_feedback,
        "word_pairs": ranking.by_word_pairs,
        "rerank": ranking.reranked,
    }
    sides |= {name: (scored.sort_by_id(), scored.ids) for name, scored in best.items()}
    components: list[dict[str, ComponentScore]] = [{} for _ in ids]
    for name, (scores, order) in sides.items():
        ranks = {chunk: rank for rank, chunk in enumerate(order.tolist(), 1)}
        for chunk, score, of_chunk in zip(ids, scores.look_up(np.array(ids, np.int64)).tolist(), components, strict=True):
            if not math.isnan(score):
                of_chunk[name] = ComponentScore(score, ranks.get(chunk))
    return components


def compute_centroid(rows: Matrix) -> Vector:
    """Return the unit mean of unit rows; of one row, that row. Rows of zeros, of chunks without a vector, count nothing."""
    mean = rows.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)
