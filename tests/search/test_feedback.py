"""Feedback: what the best have in common brings up what is like them, and changes nothing else."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.settings import FEEDBACK_CHUNKS, FEEDBACK_SHARPNESS, FEEDBACK_WEIGHT, RERANK_DEPTH

QUESTION = "zzz"  # shares no word and no trigram with what is stored: vectors alone decide


def make_collection(path: Path, rows: np.ndarray, *, texts: list[str] | None = None) -> vecsearch.Collection:
    """Store a document for each row, "0", "1" …"""
    collection = vecsearch.open(path / "x.vec", model=FakeEncoder(), precision="float32")
    collection.add(texts or ["alpha"] * len(rows), ids=[str(n) for n in range(len(rows))], vectors=rows)
    return collection


def make_rows(cosines: list[float], *, kin: list[int]) -> np.ndarray:
    """Make unit rows of these cosines with the question; all else that the rows of `kin` hold is the same."""
    question = FakeEncoder().encode_queries([QUESTION])[0].astype(np.float64)
    random = np.random.default_rng(5)
    directions = random.standard_normal((len(cosines), len(question)))
    directions[kin] = directions[kin[0]]
    directions -= np.outer(directions @ question, question)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    along = np.array(cosines)[:, np.newaxis]
    rows: np.ndarray = along * question + np.sqrt(1 - along**2) * directions
    return rows


def test_what_is_like_the_best_comes_before_what_is_as_near_to_the_question(tmp_path: Path) -> None:
    rows = make_rows([0.9, 0.6, 0.6, 0.61], kin=[0, 2])
    with make_collection(tmp_path, rows) as collection:
        assert [hit.id for hit in collection.search(QUESTION, mode="dense")] == ["0", "3", "1", "2"]
        hits = collection.search(QUESTION, explain=True)
    assert [hit.id for hit in hits][:2] == ["0", "2"]
    assert [hit.similarity for hit in hits][:2] == pytest.approx([0.9, 0.6], abs=1e-6)
    assert all(hit.explanation is not None for hit in hits)
    parts = [hit.explanation.components["feedback"] for hit in hits if hit.explanation]
    assert sorted(part.rank for part in parts if part.rank) == [1, 2, 3, 4]
    assert parts[0].rank == 1


@given(cosines=st.lists(st.floats(-0.9, 0.9), min_size=1, max_size=12))
def test_the_score_is_the_sum_of_what_the_explanation_shows(
    tmp_path_factory: pytest.TempPathFactory, cosines: list[float]
) -> None:
    rows = make_rows(cosines, kin=[0])
    with make_collection(tmp_path_factory.mktemp("sum"), rows) as collection:
        hits = collection.search(QUESTION, limit=20, explain=True)
        near = collection.search(QUESTION, limit=20, mode="dense")
    first = [rows[int(hit.id)] for hit in near[:FEEDBACK_CHUNKS]]
    weights = [math.exp(FEEDBACK_SHARPNESS * (hit.score - near[0].score)) for hit in near[:FEEDBACK_CHUNKS]]
    for hit in hits:
        assert hit.explanation is not None
        parts = {name: part.score for name, part in hit.explanation.components.items()}
        assert parts.keys() == {"dense", "trigrams", "feedback"}
        assert parts["dense"] == hit.similarity
        assert hit.score == pytest.approx(parts["dense"] + FEEDBACK_WEIGHT * parts["feedback"], abs=1e-6)
        expected = sum(w * float(rows[int(hit.id)] @ row) for w, row in zip(weights, first, strict=True)) / sum(weights)
        assert parts["feedback"] == pytest.approx(expected, abs=1e-5)


def test_a_question_that_nothing_answers_is_not_helped(tmp_path: Path) -> None:
    """The threshold is one for the cosine with the question, however alike the others are."""
    rows = make_rows([0.2 - n / 1_000 for n in range(90)], kin=list(range(90)))
    with make_collection(tmp_path, rows) as collection:
        assert collection.search(QUESTION, min_similarity=0.21) == []
        few = collection.search(QUESTION, min_similarity=0.185, limit=90)
        assert {hit.id for hit in few} == {hit.id for hit in collection.search(QUESTION, mode="dense", limit=16)}
        assert all(hit.similarity is not None and hit.similarity >= 0.185 for hit in few)


def test_auto_answers_what_the_vectors_alone_answer(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    centres = random.standard_normal((30, 32))
    rows = np.repeat(centres, 10, axis=0) + random.standard_normal((300, 32)) / 3
    with make_collection(tmp_path, rows) as collection:
        for word in ("zzz", "yyy", "xxx", "www"):
            fused, dense = (collection.search(word, min_similarity="auto", mode=mode, limit=300) for mode in ("hybrid", "dense"))
            assert {hit.id for hit in fused} == {hit.id for hit in dense}


def test_equal_chunks_have_equal_scores_in_the_order_they_were_stored(tmp_path: Path) -> None:
    row = make_rows([0.5], kin=[0])
    with make_collection(tmp_path, np.repeat(row, 70, axis=0)) as collection:
        hits = collection.search(QUESTION, limit=70)
    assert [hit.id for hit in hits] == [str(n) for n in range(70)]
    assert len({hit.score for hit in hits[:RERANK_DEPTH]}) == 1


def test_how_many_are_asked_for_changes_no_score(tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    rows = random.standard_normal((400, 32)) + 0.3
    texts = [" ".join(random.choice(["zzz", "bank", "crane"], size=3)) for _ in range(400)]
    with make_collection(tmp_path, rows, texts=texts) as collection:
        every = [(hit.id, hit.score) for hit in collection.search("zzz bank", limit=400)]
        for limit in (1, 10, 50, 51, 200):
            assert [(hit.id, hit.score) for hit in collection.search("zzz bank", limit=limit)] == every[:limit]


def test_what_follows_the_best_is_below_them(tmp_path: Path) -> None:
    rows = make_rows(np.linspace(0.1, 0.9, 70).tolist(), kin=[0, 1])  # those that are stored last are the best
    with make_collection(tmp_path, rows) as collection:
        hits = collection.search(QUESTION, limit=70)
    ranks = [(-hit.score, int(hit.id)) for hit in hits]
    assert ranks == sorted(ranks)
    assert hits[RERANK_DEPTH - 1].score > hits[RERANK_DEPTH].score


@pytest.mark.parametrize("mode", ["dense", "lexical"])
def test_one_side_alone_has_no_feedback(tmp_path: Path, mode: str) -> None:
    with make_collection(tmp_path, make_rows([0.5, 0.4], kin=[0])) as collection:
        for hit in collection.search("alpha", mode=mode, explain=True):
            assert hit.explanation is not None and "feedback" not in hit.explanation.components
