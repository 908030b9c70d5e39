"""Rank by examples instead of a query: similar to these, not to those."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vecsearch.core.settings import FUSION_DEPTH
from vecsearch.search.retrieval import Ranking
from vecsearch.stores.base import NO_CHUNKS, NO_IDS, ChunkSet, Ids, Matrix, ScoredChunks, Scores, Snapshot


@dataclass(frozen=True, slots=True)
class PreferenceProfile:
    """Unit vectors of positive examples, at least one, and of negative ones: (examples, dimension) each.

    A chunk's score is the cosine to the nearest positive example, or, when a negative one is nearer, minus the cosine to that. So
    several positives that have nothing in common each bring their own, which the mean of them would not (measured on intents of
    banking77, three positive and three negative with four examples each: 0.96 of the first 20 are right, by the mean 0.77).
    """

    positive: Matrix
    negative: Matrix

    def score(self, snapshot: Snapshot, ids: Ids) -> tuple[Scores, Scores]:
        """Return (scores, cosines to the nearest positive example) of chunks that have vectors, by ascending id."""
        near = _find_likeness(snapshot, self.positive, ids)
        if not len(self.negative):
            return near, near
        far = _find_likeness(snapshot, self.negative, ids)
        return np.where(near >= far, near, -far), near


def _find_likeness(snapshot: Snapshot, examples: Matrix, ids: Ids) -> Scores:
    """Return each chunk's cosine to the nearest of the examples, as a search for it has it."""
    cosines = [snapshot.compute_similarities(example, ids).scores for example in examples]
    return np.asarray(np.max(cosines, axis=0), np.float64)


def rank_by_preference(
    snapshot: Snapshot,
    profile: PreferenceProfile,
    *,
    within: ChunkSet | None,
    depth: int,
    min_similarity: float | None,
    exclude: Ids,
) -> Ranking:
    """Return the first `depth` chunks, or all there are, best first; ties go to the lower id."""
    depth_each = max(depth, FUSION_DEPTH)
    while True:
        near = [snapshot.find_nearest(example, depth_each, within=within, exclude=exclude) for example in profile.positive]
        ids = np.unique(np.concatenate([side.ranked.ids for side in near]))
        complete = any(side.exhausted for side in near)
        scores, likeness = profile.score(snapshot, ids)
        similarities = ScoredChunks(ids, likeness)
        every = ScoredChunks.rank(ids, scores)
        ranked = every if min_similarity is None else every[similarities.look_up(every.ids) >= min_similarity]
        # an unseen chunk is at most as similar to a positive example as the last one seen from there
        unseen = max((float(side.ranked.scores[-1]) for side in near if len(side.ranked)), default=-1.0)
        settled = len(ranked) >= depth and ranked.scores[depth - 1] > unseen
        if complete or settled or (min_similarity is not None and unseen < min_similarity):
            return Ranking(ranked, similarities, NO_CHUNKS, every.ids, NO_IDS, complete or not settled, near[0].access)
        depth_each *= 4
