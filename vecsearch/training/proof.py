"""The proof: what held-out questions are worth before and after, as the user searches, and whether texts in general are as they
were. Nothing is kept that does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from vecsearch.core.measures import Measure, Values, compute_interval, compute_measures
from vecsearch.core.tuning import Gain, TuningLevel
from vecsearch.core.types import Mode
from vecsearch.search import engine
from vecsearch.search.diversify import DiversityOptions
from vecsearch.search.engine import ResultOptions
from vecsearch.search.retrieval import Query
from vecsearch.stores.base import Matrix, Snapshot
from vecsearch.training.judged_questions import JudgedQuestion

LOSS_MAX: Final = 0.005  # of nDCG@10, on documents that the training never saw
# Below .99, tuned models lost more than .01 on tasks that they were not trained for: see docs/tuning.md. A map is of
# the questions of one collection alone.
SIMILARITY_KEPT_MIN: Final = {TuningLevel.MAP: 0.95, TuningLevel.ENCODER: 0.99}
_STEP: Final = 0.1  # of similarity, in which pairs of texts count alike however many they are
_STEP_PAIRS: Final = 20  # of fewer pairs of the greatest similarities, one step is made
_DEPTH: Final = 10


def measure_questions(
    snapshot: Snapshot, questions: Sequence[JudgedQuestion], vectors: Matrix, mode: Mode,
    check: Callable[[], None] = lambda: None,
) -> Values:  # fmt: skip
    """Return nDCG@10 of each question, searched in a mode with its unit vector; its own document is no answer.

    `check` is called before each search.
    """
    options = ResultOptions(DiversityOptions(_DEPTH + 1, group_by_document=True))
    rankings: dict[str, list[str]] = {}
    for number, (question, vector) in enumerate(zip(questions, vectors, strict=True)):
        check()
        hits = engine.search(snapshot, Query(question.text, vector, mode), options)
        rankings[str(number)] = [hit.id for hit in hits if hit.id != question.own][:_DEPTH]
    qrels = {str(number): question.answers for number, question in enumerate(questions)}
    values = compute_measures(qrels, rankings)
    return np.array([values[str(number)][Measure.NDCG] for number in range(len(questions))])


def compare_values(before: Values, after: Values) -> Gain | None:
    """Return the gain of a part; None for one without questions."""
    if not len(before):
        return None
    paired = after - before
    return Gain(len(before), float(before.mean()), float(after.mean()), float(paired.mean()), compute_interval(paired))


def correlate_similarities(before: Matrix, after: Matrix) -> float:
    """Return the correlation (Pearson) of the cosines of texts with others, two square matrices; a text's with itself is none.

    Each tenth of the similarity before counts alike: most pairs of texts have nothing to do with each other, and a plain
    correlation would be made of theirs, which no search asks for. Where all pairs are alike it is 1 for no change, and 0 for any.
    """
    others = ~np.eye(len(before), dtype=bool)
    old, new = before[others].astype(np.float64), after[others].astype(np.float64)
    if len(before) < 3 or not old.std() or not new.std():
        return float(np.array_equal(old, new))
    steps = np.floor(np.clip(old, 0, 1) / _STEP).astype(np.int64)
    above = np.cumsum(np.bincount(steps)[::-1])[::-1]  # pairs in a step, or above it
    steps = np.minimum(steps, max(0, int(np.count_nonzero(above >= _STEP_PAIRS)) - 1))
    weights = 1 / np.bincount(steps)[steps]
    covariance = np.cov(old, new, aweights=weights)
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def judge(asked_before: Gain | None, new_documents: Gain | None, similarity_kept: float, level: TuningLevel) -> tuple[bool, str]:
    """Return whether a gain is to be kept, and why, or why not, in words.

    It is where the first part surely gains and the second, where there is one, does not lose more than LOSS_MAX; without a first
    part, where the second surely gains. Texts in general must be as similar as they were.
    """
    if reason := _find_objection(asked_before, new_documents, similarity_kept, SIMILARITY_KEPT_MIN[level]):
        return False, reason
    if new_documents is None:
        return True, "a gain; whether it holds for documents never asked for is not known: all questions share their documents"
    if asked_before is not None and new_documents.interval[0] <= 0:
        return True, "the gain is in which documents are asked for; for documents never asked for none is shown"
    return True, "a gain, for documents never asked for too"


def _find_objection(asked_before: Gain | None, new_documents: Gain | None, similarity_kept: float, kept_min: float) -> str:
    """Return why a gain is not to be kept; "" where it is."""
    first = asked_before or new_documents
    if first is None:
        return "there are too few questions to prove anything"
    if first.interval[0] <= 0:
        return f"no gain for sure on {'questions about what was asked before' if asked_before else 'new documents'}"
    if new_documents is not None and new_documents.gain < -LOSS_MAX:
        return "questions about what was never asked for would be answered worse"
    if similarity_kept < kept_min:
        return f"texts in general would be compared otherwise (correlation {similarity_kept:.3f}, at least {kept_min} is needed)"
    return ""
