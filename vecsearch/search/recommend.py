"""Like these, not like those: examples instead of a question."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.settings import FUSION_DEPTH
from vecsearch.core.types import ChunkId, ScoredChunk
from vecsearch.search.retrieval import Ranking
from vecsearch.stores.sqlite.read.reader import Snapshot

Matrix = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PreferenceProfile:
    """Unit vectors of what is liked, at least one, and of what is not: (examples, dimension) each.

    A chunk's score is the cosine to the nearest liked example, or, when a disliked one is nearer, minus the cosine to that. So
    several likes that have nothing in common each bring their own, which the mean of them would not (measured on intents of
    banking77, three liked and three disliked with four examples each: 0.96 of the first 20 are right, by the mean 0.77).
    """

    positive: Matrix
    negative: Matrix

    def score(self, rows: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(scores, cosines to the nearest liked example) of unit rows."""
        near = (rows @ self.positive.T).max(axis=1).astype(np.float64)
        if not len(self.negative):
            return near, near
        far = (rows @ self.negative.T).max(axis=1).astype(np.float64)
        return np.where(near >= far, near, -far), near


def rank_by_preference(
    snapshot: Snapshot, taste: PreferenceProfile, *, allowed: Ids | None, depth: int, least: float | None, excluded: Ids
) -> Ranking:
    """The first `depth` chunks, or all there are, best first; ties go to the lower id."""
    looked = max(depth, FUSION_DEPTH)
    while True:
        near = [snapshot.view.find_nearest(each, looked, allowed=allowed, excluded=excluded) for each in taste.positive]
        ids = sorted({each.chunk_id for side in near for each in side})
        complete = any(len(side) < looked for side in near)
        scores, likeness = taste.score(snapshot.fetch_vectors(ids)) if ids else (np.empty(0), np.empty(0))
        similarities: dict[ChunkId, float] = dict(zip(ids, map(float, likeness), strict=True))
        order = np.lexsort((np.array(ids), -scores))
        ranked = [ScoredChunk(ids[at], float(scores[at])) for at in order]
        kept = tuple(each for each in ranked if least is None or similarities[each.chunk_id] >= least)
        # an unseen chunk is at most as near to a liked example as the last one seen from there
        unseen = max((side[-1].score for side in near if side), default=-1.0)
        settled = len(kept) >= depth and kept[depth - 1].score > unseen
        if complete or settled or (least is not None and unseen < least):
            return Ranking(kept, similarities, {}, tuple(each.chunk_id for each in ranked), (), complete or not settled)
        looked *= 4
