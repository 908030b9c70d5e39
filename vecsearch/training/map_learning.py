"""Learn a linear map of questions, q′ = norm(q + W q), from pairs: InfoNCE (van den Oord, Li and Vinyals, 2018) with hard
negatives, whose gradient is written out. NumPy alone; the same pairs and seed give the same map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vecsearch.search.query_maps import map_rows
from vecsearch.stores.base import Ids, Matrix
from vecsearch.training.pairs import Pairs

TEMPERATURE: Final = 0.05
PENALTY: Final = 1e-3  # of ‖W‖²
BATCH_PAIRS: Final = 128
LEARNING_RATE: Final = 1e-3
ROUNDS_MAX: Final = 100  # through all pairs
PATIENCE: Final = 8  # rounds without a better rank of what answers the dev pairs
_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.999, 1e-8  # of Adam (Kingma and Ba, 2015)

Numbers: TypeAlias = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Pairs with their vectors. `questions`: (questions, dimension); `chunks` ascend, and `rows` are their vectors."""

    pairs: Pairs
    questions: Matrix
    chunks: Ids
    rows: Matrix

    def list_batches(self, order: NDArray[np.int64]) -> Iterator[Batch]:
        """Yield the pairs in this order, BATCH_PAIRS together."""
        for at in range(0, len(order), BATCH_PAIRS):
            yield self.make_batch(order[at : at + BATCH_PAIRS])

    def make_batch(self, chosen: NDArray[np.int64]) -> Batch:
        """Return some pairs: each has the positives and negatives of all as candidates, but for what answers it too."""
        pairs = self.pairs
        ids = np.concatenate([pairs.positive[chosen], pairs.negatives[chosen].ravel()])
        answers = np.array([np.isin(ids, pairs.relevant[number]) for number in pairs.question[chosen].tolist()])
        answers |= ids < 0
        answers[np.arange(len(chosen)), np.arange(len(chosen))] = False  # its own
        places = np.searchsorted(self.chunks, np.maximum(ids, self.chunks[0]))
        return Batch(self.questions[pairs.question[chosen]], self.rows[places], answers)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Unit vectors of questions, and of candidates, of which the n-th answers the n-th question, in one precision.

    `excluded`, (questions, candidates): those that do not count, as they answer a question too.
    """

    questions: Numbers
    candidates: Numbers
    excluded: NDArray[np.bool_]


def compute_loss(matrix: Numbers, batch: Batch) -> tuple[float, Numbers]:
    """Return the mean InfoNCE loss of a batch, with the penalty, and its gradient by the matrix."""
    moved = batch.questions + batch.questions @ matrix.T
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    units = moved / norms
    logits = np.where(batch.excluded, -np.inf, units @ batch.candidates.T / TEMPERATURE)
    logits -= logits.max(axis=1, keepdims=True)
    shares = np.exp(logits)
    totals = shares.sum(axis=1, keepdims=True)
    count = len(units)
    own = np.arange(count)
    loss = float((np.log(totals[:, 0]) - logits[own, own]).mean() + PENALTY * (matrix**2).sum())
    shares /= totals
    shares[own, own] -= 1
    by_unit = shares @ batch.candidates / (TEMPERATURE * count)
    by_moved = (by_unit - units * np.vecdot(by_unit, units)[:, np.newaxis]) / norms
    return loss, by_moved.T @ batch.questions + 2 * PENALTY * matrix


def learn_map(
    training: Examples, dev: Examples, *, seed: int, should_end: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda line: None,
) -> Matrix:  # fmt: skip
    """Return W, (dimension, dimension): that of the round which ranks the answers of the dev pairs best, zeros where none does.

    `should_end` is asked after each round.
    """
    dimension = training.questions.shape[1]
    random = np.random.default_rng(seed)
    matrix: Numbers = np.zeros((dimension, dimension), np.float32)
    adam = _Adam(np.zeros_like(matrix), np.zeros_like(matrix))
    ranks = DevRanks.from_examples(dev, training)
    best, best_score, waited = matrix.copy(), ranks.measure(matrix), 0
    for number in range(1, ROUNDS_MAX + 1):
        losses = []
        for batch in training.list_batches(random.permutation(len(training.pairs))):
            loss, gradient = compute_loss(matrix, batch)
            adam.step(matrix, gradient)
            losses.append(loss)
        score = ranks.measure(matrix)
        progress(f"learning: round {number}, loss {np.mean(losses):.3f}, mean reciprocal rank {score:.3f}")
        waited += 1
        if score > best_score:
            best, best_score, waited = matrix.copy(), score, 0
        if waited >= PATIENCE or should_end():
            break
    return np.asarray(best, np.float32)


@dataclass(slots=True)
class _Adam:
    first: Numbers
    second: Numbers
    steps: int = 0

    def step(self, matrix: Numbers, gradient: Numbers) -> None:
        """Move the matrix, in place."""
        self.steps += 1
        self.first += (1 - _FIRST_DECAY) * (gradient - self.first)
        self.second += (1 - _SECOND_DECAY) * (gradient**2 - self.second)
        first, second = self.first / (1 - _FIRST_DECAY**self.steps), self.second / (1 - _SECOND_DECAY**self.steps)
        matrix -= LEARNING_RATE * first / (np.sqrt(second) + _EPSILON)


@dataclass(frozen=True, slots=True, eq=False)
class DevRanks:
    """Ranks what answers the dev pairs among the chunks of the training pairs and theirs; what else answers counts not."""

    questions: Matrix  # of each pair
    rows: Matrix
    own: NDArray[np.int64]  # the row that answers each pair
    others: NDArray[np.bool_]  # (pairs, rows): those that do not answer the question

    @classmethod
    def from_examples(cls, dev: Examples, training: Examples) -> DevRanks:
        """Lay out the rows of both."""
        pairs = dev.pairs
        ids, first = np.unique(np.concatenate([dev.chunks, training.chunks]), return_index=True)
        answers = [np.isin(ids, pairs.relevant[number]) for number in pairs.question.tolist()]
        others = ~np.array(answers, bool).reshape(len(pairs), len(ids))
        rows = np.concatenate([dev.rows, training.rows])[first]
        return cls(dev.questions[pairs.question], rows, np.searchsorted(ids, pairs.positive), others)

    def measure(self, matrix: Numbers) -> float:
        """Return the mean reciprocal rank with a map; 0 without pairs."""
        if not len(self.questions):
            return 0.0
        scores = map_rows(self.questions, np.asarray(matrix, np.float32)) @ self.rows.T
        own = np.take_along_axis(scores, self.own[:, np.newaxis], axis=1)
        return float((1 / (1 + np.count_nonzero((scores > own) & self.others, axis=1))).mean())
