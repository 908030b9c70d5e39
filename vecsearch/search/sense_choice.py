"""Which of its meanings a word has in a text, and whether it has the same in two.

The uses of a word in two short sentences tell little of each other; which definition fits each tells more. So a use, made of the
word's vector in a middle layer, the text's and that of the words around, is compared with each meaning's definition and synonyms.
Two uses have one meaning the likelier, the more their rows of cosines are correlated, the more probability they lay on the same
meanings, and the more alike the word and what is around it are. The weights are those of a logistic regression on WordNet's own
examples (`python -m benchmarks.word_meanings`), two of one meaning and two of different ones; nothing was fitted on a test set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vecsearch.core.errors import EncodingError
from vecsearch.core.senses import SameSense, Sense, SenseMatch
from vecsearch.encoders.base import TokenEncoder
from vecsearch.encoders.picture_vectors import encode_documents
from vecsearch.encoders.unit_vectors import encode_middle_tokens, encode_tokens, scale_rows
from vecsearch.search.word_sense import place_windows, pool_tokens
from vecsearch.text.sought_word import SoughtWord

Vector = NDArray[np.float32]
Numbers = NDArray[np.float64]

_USE_WEIGHTS: Final = (0.5, 0.7, 0.5)  # of the word, the text and what is around
_SHARPNESS: Final = 30.0  # of the probabilities: a cosine that is 1 / so much lower makes a meaning e times less likely


@dataclass(frozen=True, slots=True)
class Use:
    """A word in a text: its vector in a middle layer, that of the text, and that of the other words; each of length 1."""

    word: Vector
    text: Vector
    around: Vector

    @property
    def vector(self) -> Vector:
        """Return what is compared with definitions, of length 1."""
        parts = zip(_USE_WEIGHTS, (self.word, self.text, self.around), strict=True)
        return scale_rows(np.sum([weight * part for weight, part in parts], axis=0))


@dataclass(frozen=True, slots=True)
class _Weights:
    """Of the logistic regressions. The correlation and the agreement are 0 where there are no meanings."""

    bias: float
    word: float
    around: float
    correlation: float = 0.0
    agreement: float = 0.0


_WITH_MEANINGS: Final = _Weights(bias=-1.92, word=1.13, around=2.76, correlation=0.43, agreement=0.89)
_WITHOUT: Final = _Weights(bias=-1.97, word=1.51, around=3.45)


def read_uses(encoder: TokenEncoder, word: SoughtWord, texts: Sequence[str]) -> list[Use]:
    """Read the first use of a word in each text, with what stands around it. Raises UsageError where there is none."""
    windows = [place_windows(encoder, text, word.find_in_question(text)[:1])[0] for text in texts]
    inputs = [window.text for window in windows]
    uses = []
    for window, middle, last in zip(windows, encode_middle_tokens(encoder, inputs), encode_tokens(encoder, inputs), strict=True):
        (span,) = window.spans
        target = pool_tokens(middle, span)
        if target is None:
            raise EncodingError(f"the model {encoder.name} has no token for {word.written!r}")
        whole = scale_rows(last.rows.mean(axis=0))
        is_around = (last.spans[:, 1] > last.spans[:, 0]) & ((last.spans[:, 0] >= span.end) | (last.spans[:, 1] <= span.start))
        around = scale_rows(last.rows[is_around].mean(axis=0)) if is_around.any() else whole
        uses.append(Use(target, whole, around))
    return uses


def score_senses(encoder: TokenEncoder, word: str, senses: Sequence[Sense], uses: Sequence[Use]) -> Numbers:
    """Return how well each meaning fits each use: cosines, shape (uses, senses)."""
    if not senses:
        return np.empty((len(uses), 0))
    definitions = encode_documents(encoder, [sense.describe(word) for sense in senses])
    return np.asarray(np.stack([use.vector for use in uses]) @ definitions.T, np.float64)


def compare_meanings(encoder: TokenEncoder, word: SoughtWord, senses: Sequence[Sense], texts: tuple[str, str]) -> SameSense:
    """Tell whether a word has one meaning in two texts."""
    uses = read_uses(encoder, word, texts)
    scores = score_senses(encoder, word.written, senses, uses)
    probability = estimate_same(uses[0], uses[1], scores[0], scores[1])
    best_first = np.argsort(-scores.sum(axis=0), kind="stable").tolist()
    matches = tuple(SenseMatch(senses[n], float(scores[0, n]), float(scores[1, n])) for n in best_first)
    return SameSense(probability > 0.5, probability, matches)


def estimate_same(first: Use, second: Use, first_scores: Numbers, second_scores: Numbers) -> float:
    """Estimate the probability, in (0, 1), that two uses have one meaning."""
    weights = _WITH_MEANINGS if len(first_scores) else _WITHOUT
    features = compute_features(first, second, first_scores, second_scores)
    sum_of_weights = sum(getattr(weights, name) * value for name, value in features.items())
    return 1 / (1 + math.exp(-(weights.bias + sum_of_weights)))


def compute_features(first: Use, second: Use, first_scores: Numbers, second_scores: Numbers) -> dict[str, float]:
    """Compute what tells one meaning from two, by the names of the weights."""
    alike = {"word": float(first.word @ second.word), "around": float(first.around @ second.around)}
    if not len(first_scores):
        return alike
    probabilities = [np.exp(_SHARPNESS * (scores - scores.max())) for scores in (first_scores, second_scores)]
    agreement = np.prod([row / row.sum() for row in probabilities], axis=0).sum()
    return {**alike, "correlation": _compute_correlation(first_scores, second_scores), "agreement": float(agreement)}


def _compute_correlation(first: Numbers, second: Numbers) -> float:
    """Return Pearson's correlation; 1 where there is but one meaning, or nothing to tell two apart."""
    if len(first) < 2 or not first.std() or not second.std():
        return 1.0
    return float(np.corrcoef(first, second)[0, 1])
