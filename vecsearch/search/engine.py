"""The read story: filter → dense and lexical → fusion → hits.

Dense search ranks chunks by the cosine of their vectors with the query's, lexical search by BM25, and the default fuses both.
Each sees the filter before it counts to k, so that k rows come back whenever k rows match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.conditions import Condition
from vecsearch.core.settings import FUSION_DEPTH
from vecsearch.core.types import Hit, Mode, Scored
from vecsearch.persistence.fulltext import Matches
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
    match query.mode:
        case Mode.LEXICAL:
            return snapshot.hits(snapshot.lexical(_text(query), limit=query.limit, condition=query.condition).ranked, {})
        case Mode.DENSE:
            ranked = snapshot.view.nearest(_vector(query), query.limit, allowed=snapshot.allowed(query.condition))
            similarities = {each.chunk_id: each.score for each in ranked}
        case Mode.HYBRID:
            ranked, similarities = _hybrid(snapshot, query)
        case _:
            assert_never(query.mode)
    return snapshot.hits(_similar_enough(ranked, similarities, query)[: query.limit], similarities)


def _hybrid(snapshot: Snapshot, query: Query) -> tuple[list[Scored], dict[int, float]]:
    """The fused ranking, and cosines. Both retrievers look deeper until no chunk that neither has shown could still come in."""
    vector, allowed = _vector(query), snapshot.allowed(query.condition)
    depth = max(query.limit, FUSION_DEPTH)
    while True:
        dense = snapshot.view.nearest(vector, depth, allowed=allowed)
        lexical = snapshot.lexical(_text(query), limit=depth, condition=query.condition)
        similarities = {each.chunk_id: each.score for each in dense}
        similarities |= _missing(snapshot, vector, lexical.ranked, similarities)
        ranked = fuse(similarities, lexical.ranked, lexical.most)
        if len(dense) < depth or _settled(dense, lexical, _similar_enough(ranked, similarities, query), query):
            return ranked, similarities
        depth *= 4


def _settled(dense: Sequence[Scored], lexical: Matches, ranked: Sequence[Scored], query: Query) -> bool:
    """Whether the best that an unseen chunk could get is too little (the stopping rule of Fagin's threshold algorithm)."""
    nearest = dense[-1].score
    if query.min_score is not None and nearest < query.min_score:
        return True
    said = lexical.ranked[-1].score / lexical.most if len(lexical.ranked) >= len(dense) else 0.0
    return len(ranked) >= query.limit and ranked[query.limit - 1].score > nearest + said


def _similar_enough(ranked: Sequence[Scored], similarities: Mapping[int, float], query: Query) -> list[Scored]:
    least = -inf if query.min_score is None else query.min_score
    return [each for each in ranked if similarities[each.chunk_id] >= least]


def _text(query: Query) -> str:
    assert query.text is not None
    return query.text


def _vector(query: Query) -> Vector:
    assert query.vector is not None
    return query.vector


def similar(
    snapshot: Snapshot, vector: Vector, *, limit: int, condition: Condition | None, excluded: NDArray[np.int64]
) -> list[Hit]:
    """Up to `limit` hits by cosine to a unit vector, none of them among the excluded chunks."""
    ranked = snapshot.view.nearest(vector, limit, allowed=snapshot.allowed(condition), excluded=excluded)
    return snapshot.hits(ranked, {each.chunk_id: each.score for each in ranked})


def centre(rows: NDArray[np.float16] | NDArray[np.float32]) -> Vector:
    """The unit mean of unit rows; of one row, that row."""
    mean = rows.astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), np.float32)


def _missing(snapshot: Snapshot, vector: Vector, lexical: Sequence[Scored], known: Mapping[int, float]) -> dict[int, float]:
    """The cosines of chunks that only the words found."""
    unknown = np.array(sorted(each.chunk_id for each in lexical if each.chunk_id not in known), np.int64)
    return snapshot.view.similarities(vector, unknown) if len(unknown) else {}
