"""The map of questions: its gradient is that of its loss, and the same seed gives the same map."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vecsearch.search.query_maps import map_rows
from vecsearch.training.map_learning import Batch, compute_loss


def make_batch(random: np.random.Generator, questions: int, extra: int, dimension: int) -> Batch:
    rows = random.normal(size=(2 * questions + extra, dimension))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    excluded = random.random((questions, questions + extra)) < 0.2
    excluded[np.arange(questions), np.arange(questions)] = False
    return Batch(rows[:questions], rows[questions:], excluded)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 6), st.integers(2, 7))
def test_the_gradient_is_that_of_the_loss(seed: int, questions: int, extra: int, dimension: int) -> None:
    random = np.random.default_rng(seed)
    batch = make_batch(random, questions, extra, dimension)
    matrix = random.normal(size=(dimension, dimension)) * 0.2
    gradient = compute_loss(matrix, batch)[1]
    for _ in range(4):
        direction = random.normal(size=matrix.shape)
        step = 1e-6
        above, below = (compute_loss(matrix + sign * step * direction, batch)[0] for sign in (1, -1))
        slope = float((gradient * direction).sum())
        assert abs((above - below) / (2 * step) - slope) <= 1e-4 * max(1.0, abs(slope))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_a_mapped_question_has_length_one_and_no_map_changes_nothing(seed: int, dimension: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(5, dimension)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = (random.normal(size=(dimension, dimension)) * 0.3).astype(np.float32)
    assert np.allclose(np.linalg.norm(map_rows(rows, matrix), axis=1), 1, atol=1e-5)
    assert np.allclose(map_rows(rows, np.zeros_like(matrix)), rows, atol=1e-6)
    assert np.allclose(map_rows(rows[0], matrix), map_rows(rows, matrix)[0], atol=1e-6)
