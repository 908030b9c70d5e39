"""Fuse two rankings into one: by meaning (dense) and by terms (lexical). Pure arithmetic, no disk, no model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.settings import AGREEMENT_WEIGHT, IDENTIFIER_DENSE_DISCOUNT
from vecsearch.core.types import Fusion

Numbers: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]

_SLACK: Final = 1e-12  # of a score, for what rounding may take


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks that either side has found, with the scores of both.

    `from_dense` and `from_lexical` mark those that each side has found itself; `bm25` is 0 where no term is, `cosine` is known
    for all that have a vector, NaN for others. `max_bm25` is the BM25 that no text can reach for the query; `identifier_share` in
    [0, 1] is the share of the query that lies in identifiers, versions and the like.
    """

    ids: NDArray[np.int64]
    cosine: Numbers
    bm25: Numbers
    from_dense: Mask
    from_lexical: Mask
    max_bm25: float
    identifier_share: float


def theoretical_min_max(candidates: Candidates) -> Numbers:
    """Return `add_shares` of the cosines and of BM25 as a share of `max_bm25`."""
    return add_shares(candidates.cosine, candidates.bm25 / (candidates.max_bm25 or 1.0), candidates.identifier_share)


def add_shares(cosine: Numbers, share: Numbers, identifier_share: float) -> Numbers:
    """Return cosine + AGREEMENT_WEIGHT × √(cosine × share) + share, in [-1, 2.5]; more of either is never less.

    A convex combination of scores normalised by theoretical bounds (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for
    Hybrid Retrieval", TOIS 2023), both weights equal. Bounds of the query, not of the answer, keep a chance match small: in a
    collection of four, one shared word is not yet the best possible answer. The geometric mean beside the sum favours what both
    sides find (the thought of Fox and Shaw's CombMNZ, TREC-2, 1994), and lifts small shares: of a long question no text says
    much. What the encoder makes of identifiers and versions is little, so the weight of all but the share sinks with theirs of
    the query.
    """
    agreement = AGREEMENT_WEIGHT * np.sqrt(np.maximum(cosine, 0.0) * share)
    return np.asarray((cosine + agreement) * dense_weight(identifier_share) + share, np.float64)


def compute_share_limit(score: float, cosine: float, identifier_share: float) -> float:
    """Return the share at which `add_shares` of this cosine just stays below a score; negative where it does at none."""
    weight = dense_weight(identifier_share)
    missing = score - weight * cosine - _SLACK
    if missing <= 0:
        return -1.0
    half = weight * AGREEMENT_WEIGHT * math.sqrt(max(cosine, 0.0)) / 2  # root² + 2 × half × root = missing
    root = missing / (half + math.sqrt(half * half + missing))
    return root * root


def dense_weight(identifier_share: float) -> float:
    """Return the weight of the cosine in `add_shares`, and of the feedback, in (0, 1].

    It falls along a smooth step, 3x² - 2x³: one hyphenated word of a long question says little more than its other words, and
    where identifiers are most of a short one, they are what it asks for.
    """
    return 1.0 - IDENTIFIER_DENSE_DISCOUNT * identifier_share**2 * (3.0 - 2.0 * identifier_share)


def reciprocal_rank(candidates: Candidates, *, k: int = 60) -> Numbers:
    """Sum 1 / (k + rank) over the sides that found a chunk, rank from 1 (Cormack, Clarke and Büttcher, SIGIR 2009)."""
    return _reciprocal_ranks(candidates.cosine, candidates.from_dense, k) + _reciprocal_ranks(
        candidates.bm25, candidates.from_lexical, k
    )


def min_max(candidates: Candidates) -> Numbers:
    """Add each side's scores stretched to [0, 1] over what it found, 0 for the rest (Fox and Shaw's CombSUM, TREC-2, 1994)."""
    return _stretch(candidates.cosine, candidates.from_dense) + _stretch(candidates.bm25, candidates.from_lexical)


def z_score(candidates: Candidates) -> Numbers:
    """Add each side's scores less their mean, in standard deviations over all candidates (Montague and Aslam, CIKM 2001)."""
    return _standardize(candidates.cosine) + _standardize(candidates.bm25)


FUSIONS: Final[Mapping[Fusion, Callable[[Candidates], Numbers]]] = {
    Fusion.TMM: theoretical_min_max,
    Fusion.RECIPROCAL_RANK: reciprocal_rank,
    Fusion.MIN_MAX: min_max,
    Fusion.Z_SCORE: z_score,
}


def _reciprocal_ranks(scores: Numbers, mask: Mask, k: int) -> Numbers:
    ranks = np.empty(len(scores))
    ranks[np.argsort(np.where(mask, -scores, np.inf), kind="stable")] = np.arange(1, len(scores) + 1)
    return np.where(mask, 1.0 / (k + ranks), 0.0)


def _stretch(scores: Numbers, mask: Mask) -> Numbers:
    if not mask.any():
        return np.zeros(len(scores))
    low, high = scores[mask].min(), scores[mask].max()
    return np.where(mask, (scores - low) / (high - low) if high > low else 1.0, 0.0)


def _standardize(scores: Numbers) -> Numbers:
    spread = scores.std() if len(scores) else 0.0
    return (scores - scores.mean()) / spread if spread else np.zeros(len(scores))
