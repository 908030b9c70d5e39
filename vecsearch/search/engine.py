"""The read story: filter → dense and lexical → fusion → hits.

Dense search ranks chunks by the cosine of their vectors with the query's, lexical search by BM25, and the default fuses both. Each sees the
filter before it counts to k, so that k rows come back whenever k rows match.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.conditions import Condition
from vecsearch.core.settings import FUSION_DEPTH
from vecsearch.core.types import Hit, Mode, Scored
from vecsearch.persistence.reader import Snapshot
from vecsearch.search.fusion import fuse

Vector: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. `vector` is a unit vector, needed unless the mode is lexical; `text` unless it is dense."""

    text: str | None
    vector: Vector | None
    mode: Mode
    limit: int
    condition: Condition | None = None
    min_score: float | None = None


def search(snapshot: Snapshot, query: Query) -> list[Hit]:
    """Up to `limit` hits, best first; ties go to the chunk stored first."""
    if query.mode is Mode.LEXICAL:
        ranked = snapshot.lexical(query.text or "", limit=query.limit, condition=query.condition)
        return snapshot.hits(ranked, {})
    vector = query.vector
    assert vector is not None
    allowed = snapshot.allowed(query.condition)
    depth = query.limit if query.mode is Mode.DENSE else max(query.limit, FUSION_DEPTH)
    dense = snapshot.view.nearest(vector, depth, allowed=allowed)
    similarities = {each.chunk_id: each.score for each in dense}
    ranked = dense
    if query.mode is Mode.HYBRID:
        lexical = snapshot.lexical(query.text or "", limit=depth, condition=query.condition)
        similarities |= _missing(snapshot, vector, lexical, similarities)
        ranked = fuse(similarities, lexical)
    kept = [each for each in ranked if query.min_score is None or similarities[each.chunk_id] >= query.min_score]
    return snapshot.hits(kept[: query.limit], similarities)


def similar(snapshot: Snapshot, vector: Vector, *, limit: int, condition: Condition | None, excluded: NDArray[np.int64]) -> list[Hit]:
    """Up to `limit` hits by cosine to a unit vector, none of them among the excluded chunks."""
    ranked = snapshot.view.nearest(vector, limit, allowed=snapshot.allowed(condition), excluded=excluded)
    return snapshot.hits(ranked, {each.chunk_id: each.score for each in ranked})


def centre(rows: NDArray[np.float16] | NDArray[np.float32]) -> Vector:
    """The unit mean of unit rows; of one row, that row."""
    mean = rows.astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def _missing(snapshot: Snapshot, vector: Vector, lexical: Sequence[Scored], known: dict[int, float]) -> dict[int, float]:
    """The cosines of chunks that only the words found."""
    unknown = np.array(sorted(each.chunk_id for each in lexical if each.chunk_id not in known), np.int64)
    return snapshot.view.similarities(vector, unknown) if len(unknown) else {}
