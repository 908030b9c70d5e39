"""What the best of a ranking have in common, and how near each chunk is to that. No second search, no text is read."""

from __future__ import annotations

import numpy as np

from vecsearch.core.settings import FEEDBACK_CHUNKS, FEEDBACK_SHARPNESS
from vecsearch.stores.base import ScoredChunks, Scores, Snapshot


def score_feedback(snapshot: Snapshot, ranked: ScoredChunks) -> Scores:
    """Return each chunk's mean cosine with the first FEEDBACK_CHUNKS of them, best first, in [-1, 1].

    Vector pseudo-relevance feedback (Li, Mourad, Zhuang, Koopman and Zuccon, "Pseudo Relevance Feedback with Deep Language
    Models and Dense Retrievers", 2021), which takes the best for right: an answer is seldom alone. Where one is far ahead,
    it counts almost alone: a weight is e^(-FEEDBACK_SHARPNESS × by how much a chunk is behind the first).
    """
    rows = snapshot.load_vectors(ranked.ids.tolist())
    first = ranked.scores[:FEEDBACK_CHUNKS]
    weights = np.exp(FEEDBACK_SHARPNESS * (first - first[0]))
    centroid = (weights / weights.sum()) @ rows[: len(first)]
    cosines = np.vecdot(rows, centroid.astype(np.float32))  # row by row, so that equal rows score equal
    return np.asarray(np.clip(cosines, -1.0, 1.0), np.float64)  # half precision makes some rows longer than 1
