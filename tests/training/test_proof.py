"""What says whether texts in general are compared as they were: of general texts, each tenth of similarity counting alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.make_general_texts import make_lines
from vecsearch.core.tuning import Gain, TuningLevel
from vecsearch.encoders import registry
from vecsearch.training import proof
from vecsearch.training.general_texts import GENERAL_TEXTS_FILE, load_general_texts

GAIN = Gain(100, 0.5, 0.6, 0.1, (0.05, 0.15))


def test_the_general_texts_are_those_of_the_sample_data() -> None:
    assert GENERAL_TEXTS_FILE.read_text(encoding="utf-8").splitlines() == list(make_lines())
    texts = load_general_texts()
    assert len(texts) == len(set(texts)) > 400 and all(text.strip() for text in texts)


def test_near_texts_count_as_much_as_the_many_that_are_far() -> None:
    """Two equal rows in fifty lose each other: of 1,225 pairs that is hardly seen by a plain correlation."""
    rows = np.random.default_rng(0).normal(size=(50, 64)).astype(np.float32)
    rows[25:] = rows[:25] + 0.5 * rows[25:]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    before = rows @ rows.T
    assert proof.correlate_similarities(before, before) == pytest.approx(1)
    assert proof.correlate_similarities(before, 0.5 * before + 0.1) == pytest.approx(1)  # as near to each other, in order
    after = before.copy()
    near = np.arange(25)
    after[near, near + 25] = after[near + 25, near] = 0
    plain = np.corrcoef(before[~np.eye(50, dtype=bool)], after[~np.eye(50, dtype=bool)])[0, 1]
    assert proof.correlate_similarities(before, after) < plain - 0.2


def test_of_fewer_than_three_texts_only_no_change_is_none() -> None:
    for count in (0, 1, 2):
        rows = np.eye(count, 4, dtype=np.float32)
        assert proof.correlate_similarities(rows @ rows.T, rows @ rows.T) == 1
    assert proof.correlate_similarities(np.zeros((5, 5), np.float32), np.eye(5, dtype=np.float32) + 0.5) == 0


@pytest.mark.parametrize(("level", "least"), [(TuningLevel.MAP, 0.95), (TuningLevel.ENCODER, 0.99)])
def test_what_compares_texts_in_general_otherwise_is_refused(level: TuningLevel, least: float) -> None:
    assert proof.judge(GAIN, GAIN, least, level)[0]
    kept, reason = proof.judge(GAIN, GAIN, least - 0.001, level)
    assert not kept and f"at least {least} is needed" in reason


def test_a_model_that_has_lost_what_it_knew_is_seen() -> None:
    """Weights moved by chance, as by far too high a learning rate, against weights that are hardly moved."""
    encoder = registry.load(None)
    rows = encoder.encode_documents(load_general_texts()[:121])
    random = np.random.default_rng(0)
    turn, _ = np.linalg.qr(random.normal(size=(rows.shape[1], rows.shape[1])))

    def compare(share: float) -> float:
        moved = rows + share * np.maximum(rows @ turn.astype(np.float32), 0)
        units = np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)
        return proof.correlate_similarities(rows @ rows.T, np.asarray(units @ units.T, np.float32))

    assert compare(0.05) > 0.99 > compare(1.5)
