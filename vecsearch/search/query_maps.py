"""Apply what `tune` learned of a collection's questions to their vectors. Documents, and vectors that callers bring, stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

import numpy as np

from vecsearch.stores.base import Matrix, QueryMap, Snapshot, Vector

QueryVector: TypeAlias = Vector | Callable[[], Vector] | None  # of one question: made, to be waited for, or not needed


def map_rows(rows: Matrix, matrix: Matrix) -> Matrix:
    """Return (q + matrix · q) of each unit row q, at length 1."""
    moved = rows + rows @ matrix.T
    return np.asarray(moved / np.linalg.norm(moved, axis=-1, keepdims=True), np.float32)


def map_questions(snapshot: Snapshot, vectors: Sequence[QueryVector]) -> Sequence[QueryVector]:
    """Return the vectors of questions as this collection maps them; without a map as they are."""
    query_map = snapshot.load_query_map()
    return vectors if query_map is None else [_map_one(query_map, vector) for vector in vectors]


def _map_one(query_map: QueryMap, vector: QueryVector) -> QueryVector:
    if vector is None:
        return None
    if callable(vector):
        wait = vector
        return cache(lambda: map_rows(wait(), query_map.matrix))
    return map_rows(vector, query_map.matrix)
