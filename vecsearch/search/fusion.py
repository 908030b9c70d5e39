"""Two rankings into one: a document that means what was asked, and one that says it. Pure arithmetic, no disk, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vecsearch.core.types import ChunkId, Scored


def fuse(similarities: Mapping[ChunkId, float], lexical: Sequence[Scored], most: float) -> list[Scored]:
    """Every chunk of both, best first, by cosine + BM25 / `most`; ties go to the lower id.

    `similarities` holds the cosine of every candidate, those of `lexical` among them; `most` is the BM25 that no text can reach
    for this query, so the sum lies in [-1, 2]. A convex combination of scores normalised by theoretical bounds (Bruch, Gai and
    Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023), both weights equal. Bounds of the query, not of
    the answer, keep a chance match small: in a collection of four, one shared word is not yet the best possible answer.
    """
    said = {each.chunk_id: each.score / most for each in lexical}
    fused = [Scored(chunk, similarity + said.get(chunk, 0.0)) for chunk, similarity in similarities.items()]
    return sorted(fused, key=lambda each: (-each.score, each.chunk_id))
