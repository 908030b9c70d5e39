"""Rank by examples instead of a query: similar to these, not to those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vecsearch.core.settings import FUSION_DEPTH, PREFERENCE_CANDIDATES, PREFERENCE_EXACT_CHUNKS
from vecsearch.search.boosting import Boost
from vecsearch.search.retrieval import Ranking
from vecsearch.search.votes import Votes
from vecsearch.stores.base import NO_CHUNKS, NO_IDS, ChunkSet, Ids, Matrix, ScoredChunks, Snapshot, VectorHits


def rank_by_preference(
    snapshot: Snapshot,
    votes: Votes,
    *,
    within: ChunkSet | None,
    depth: int,
    min_similarity: float | None,
    exclude: Ids,
    boost: Boost | None = None,
) -> Ranking:
    """Return the first `depth` chunks, or all there are, best first; ties go to the lower id.

    In a small collection every chunk is voted on; in a large one those near to where the votes are many, and where these are too
    few, more, which stand below them: so a further page goes on where the one before ended. `boost` is added to the votes.
    """
    every, ranked, similarities, complete = NO_CHUNKS, NO_CHUNKS, NO_CHUNKS, False
    for found, complete in _find_candidates(snapshot, votes, within, min_similarity, exclude):
        near = np.concatenate([side.ranked.ids for side in found])
        if boost is not None and not len(every):
            near = np.concatenate([near, boost.list_best(exclude)])
        ids = np.setdiff1d(near, similarities.ids)
        rows = snapshot.load_vectors(ids.tolist())
        ids, rows = ids[has_vector := rows.any(axis=1)], rows[has_vector]
        scores, nearness = votes.compare(rows)
        similarities = _join(similarities, ScoredChunks(ids, nearness)).sort_by_id()
        scored = ScoredChunks.rank(ids, scores if boost is None else scores + boost.get(ids))
        if len(every):  # a tie would go by id
            scored = ScoredChunks(scored.ids, np.minimum(scored.scores, np.nextafter(every.scores[-1], -np.inf)))
        every = _join(every, scored)
        ranked = every if min_similarity is None else every[similarities.look_up(every.ids) >= min_similarity]
        if complete or len(ranked) >= depth:
            break
    return Ranking(ranked, similarities, NO_CHUNKS, every.ids, NO_IDS, complete, found[0].access)


def _join(first: ScoredChunks, second: ScoredChunks) -> ScoredChunks:
    return ScoredChunks(np.concatenate([first.ids, second.ids]), np.concatenate([first.scores, second.scores]))


def _find_candidates(
    snapshot: Snapshot, votes: Votes, within: ChunkSet | None, min_similarity: float | None, exclude: Ids
) -> Iterator[tuple[Sequence[VectorHits], bool]]:
    """Yield what is near to the profile, more each time, and whether there is no more that may be an answer."""

    def find(queries: Matrix, each: int) -> Sequence[VectorHits]:
        return [snapshot.find_nearest(query, each, within=within, exclude=exclude) for query in queries]

    if snapshot.count_chunks() <= PREFERENCE_EXACT_CHUNKS:
        yield find(votes.directions[:1], PREFERENCE_EXACT_CHUNKS + 1), True
        return
    queries, each = votes.directions, PREFERENCE_CANDIDATES
    while True:
        found = find(queries, each)
        # where the positive examples themselves are asked for, an unseen chunk is at most as similar to one as the last one seen
        unseen = max((float(side.ranked.scores[-1]) for side in found if len(side.ranked)), default=-1.0)
        is_too_far = queries is votes.positive and min_similarity is not None and unseen < min_similarity
        yield found, is_too_far or any(side.exhausted for side in found)
        queries, each = (votes.directions, 4 * each) if min_similarity is None else (votes.positive, max(2 * each, FUSION_DEPTH))
