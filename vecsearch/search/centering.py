"""What all vectors of a collection share, and how each differs from that."""

from __future__ import annotations

from typing import Final

import numpy as np

from vecsearch.core.settings import CENTER_SAMPLE_CHUNKS
from vecsearch.search.sample import SampleCache
from vecsearch.stores.base import Ids, Matrix, Snapshot, Vector

_LENGTH_MIN: Final = 1e-3  # a row no farther from the mean has no direction of its own


def get_center(snapshot: Snapshot) -> Vector:
    """Return the mean of the collection's vectors, of a steady sample; zeros where there are none."""
    cache: SampleCache[Vector] = snapshot.cache.setdefault("center", SampleCache(CENTER_SAMPLE_CHUNKS))
    return cache.get(snapshot, lambda sample: _compute_mean(snapshot, sample), state=snapshot.info.pending_vectors)


def subtract_center(rows: Matrix, center: Vector) -> Matrix:
    """Return rows less the collection's mean, of length 1: how they differ from the others. Rows of zeros stay.

    All vectors of one collection point somewhat the same way, and what all share tells none from another (Mu and Viswanath,
    "All-but-the-Top", ICLR 2018).
    """
    rows = np.where(rows.any(axis=1, keepdims=True), rows - center, np.float32(0))
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _LENGTH_MIN), np.float32)


def _compute_mean(snapshot: Snapshot, ids: Ids) -> Vector:
    rows = snapshot.load_vectors(ids.tolist())
    return np.asarray(rows.sum(axis=0) / max(int(rows.any(axis=1).sum()), 1), np.float32)
