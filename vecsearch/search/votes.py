"""A profile of likes and dislikes as votes: how far each speaks for a chunk, and where to look for what they speak for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from vecsearch.core.settings import (
    CENTER_PRIOR_CHUNKS,
    DISLIKE_WEIGHT,
    PERSONAL_WEIGHT,
    PREFERENCE_DIRECTIONS,
    PREFERENCE_SEEDS,
    SIMILARITY_ROUNDING,
)
from vecsearch.encoders.unit_vectors import scale_rows
from vecsearch.search.centering import get_center, subtract_center
from vecsearch.stores.base import Matrix, ScoredChunks, Scores, Snapshot, Vector

_DECIMALS: Final = 6  # of a vote: equal rows, summed in another order, are to score equal
_LENGTH_MIN: Final = np.float32(1e-12)  # of a damaged row
_CENTERED_LENGTH_MIN: Final = np.float32(1e-3)  # a row no farther from the mean has no direction of its own


@dataclass(frozen=True, slots=True)
class PreferenceProfile:
    """Unit vectors of positive examples and of negative ones: (examples, dimension) each.

    `positive_weights` and `negative_weights`, above 0, say how much each counts beside the others: (examples,).
    """

    positive: Matrix
    negative: Matrix
    positive_weights: Scores
    negative_weights: Scores

    @classmethod
    def from_examples(cls, positive: Matrix, negative: Matrix) -> Self:
        """Return the profile in which all examples count the same."""
        return cls(positive, negative, np.ones(len(positive)), np.ones(len(negative)))

    def join(self, other: PreferenceProfile) -> PreferenceProfile:
        """Return the profile of the examples of both."""
        return PreferenceProfile(
            np.concatenate([self.positive, other.positive]), np.concatenate([self.negative, other.negative]),
            np.concatenate([self.positive_weights, other.positive_weights]),
            np.concatenate([self.negative_weights, other.negative_weights]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Votes:
    """A profile beside the mean of a collection: the examples less that mean, of length 1, and how much the vote of each counts.

    `weights`, of which those of negative examples are below 0, sum to 1 without their signs. `positive` are the vectors of the
    positive examples, which come first in `examples`, as they are, and `lengths` how long they are less the mean.
    """

    center: Vector
    examples: Matrix
    weights: Vector
    positive: Matrix
    lengths: Vector
    directions: Matrix

    @classmethod
    def from_profile(cls, snapshot: Snapshot, profile: PreferenceProfile) -> Self:
        """Compare the examples with a collection."""
        count = snapshot.count_chunks()
        center = get_center(snapshot) * np.float32(count / (count + CENTER_PRIOR_CHUNKS))
        positive, negative = (subtract_center(rows, center) for rows in (profile.positive, profile.negative))
        weights = np.concatenate([profile.positive_weights, -DISLIKE_WEIGHT * profile.negative_weights])
        return cls(
            center, np.concatenate([positive, negative]),
            (weights / max(np.abs(weights).sum(), 1e-12)).astype(np.float32), profile.positive,
            np.vecdot(positive, profile.positive - center), _find_directions(positive, profile.positive_weights),
        )  # fmt: skip

    def score(self, rows: Matrix) -> Scores:
        """Return how far the profile speaks for rows, in [-1, 1]: the cube root of the weighted sum of cos³ over all examples.

        The cosines are those of the differences from the collection's mean. By its third power a vote is that of a soft nearest
        neighbour: examples that have nothing in common each bring their own, which the mean of them would not, and many that
        are somewhat alike count together, which the nearest alone would not. A row of zeros scores 0.
        """
        return self._count(rows, rows @ self.examples.T)

    def compare(self, rows: Matrix) -> tuple[Scores, Scores]:
        """Return the scores of rows, none of zeros, and the cosine of each to the positive example that it is most similar to.

        These lie in [-1, 1], as a search has them.
        """
        products = rows @ self.examples.T
        nearest = self.positive[np.argmax(products[:, : len(self.positive)] * self.lengths, axis=1)]
        cosines = np.vecdot(rows, nearest) / np.maximum(np.sqrt(np.vecdot(rows, rows)), _LENGTH_MIN)
        similarities = np.where(cosines > 1 - SIMILARITY_ROUNDING, 1.0, np.maximum(cosines, -1.0))
        return self._count(rows, products), np.asarray(similarities, np.float64)

    def _count(self, rows: Matrix, products: Matrix) -> Scores:
        """Return the scores, given the products of rows and examples: (x - m) · y = x · y - m · y."""
        squares = np.vecdot(rows, rows)
        lengths = np.sqrt(np.maximum(squares - 2 * (rows @ self.center) + self.center @ self.center, 0))
        cosines = products - self.examples @ self.center
        cosines *= ((squares > 0) / np.maximum(lengths, _CENTERED_LENGTH_MIN))[:, np.newaxis]
        votes = (cosines * cosines * cosines) @ self.weights
        return np.cbrt(np.round(votes.astype(np.float64), _DECIMALS))

    def personalize(self, snapshot: Snapshot, ranked: ScoredChunks) -> Scores:
        """Return the scores of a search with the profile's share: each more by up to PERSONAL_WEIGHT of itself, or less."""
        own = self.score(snapshot.load_vectors(ranked.ids.tolist()))
        return np.asarray(ranked.scores + PERSONAL_WEIGHT * own * np.abs(ranked.scores), np.float64)


def _find_directions(examples: Matrix, weights: Scores) -> Matrix:
    """Return a few directions in which the votes are many, unlike each other.

    From each example, or of many from some, one step towards where the sum of cos³ rises most, which is the mean of the
    examples weighted by cos² (mean shift; Cheng, IEEE PAMI 1995). Of the ends, that with most votes comes first, then by votes
    and distance from those before.
    """
    if not len(examples):
        return examples
    places = np.linspace(0, len(examples) - 1, min(len(examples), PREFERENCE_SEEDS)).astype(np.int64)
    cosines = examples[places] @ examples.T
    ends = (cosines * cosines * weights.astype(np.float32)) @ examples
    ends = scale_rows(ends)
    votes = (ends @ examples.T) ** 3 @ weights
    chosen: list[int] = []
    distance = np.ones(len(ends))
    for _ in range(min(PREFERENCE_DIRECTIONS, len(ends))):
        chosen.append(int(np.argmax(votes * distance)))
        distance = np.minimum(distance, 1 - (ends @ ends[chosen[-1]]).clip(0))
    return ends[chosen]
