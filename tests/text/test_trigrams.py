"""Trigrams: what is spelled alike stands higher, by a formula worked out here in plain Python."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.text.characters import Characters
from vecsearch.text.trigrams import TrigramStatistics

texts = st.lists(
    st.text(st.sampled_from("abcé1_ .-ßİÄ日本语हि\U0001f600"), max_size=30) | st.text(max_size=20), min_size=1, max_size=6
)


def count_trigrams(text: str) -> Counter[str]:
    words = "".join(c if unicodedata.category(c)[0] in "LMN" or c == "_" else " " for c in text.lower()).split()
    return Counter(f" {word} "[start : start + 3] for word in words for start in range(len(word)))


def score(question: str, text: str, known: Sequence[str]) -> float:
    """Compute BM25 over its bound."""
    bags = [count_trigrams(text) for text in known]
    mean = max(sum(bag.total() for bag in bags) / len(bags), 1.0)
    bag, question_trigrams = count_trigrams(text), count_trigrams(question)
    total = max_total = 0.0
    for gram in question_trigrams:
        holder_count = sum(gram in bag for bag in bags)
        idf = math.log(1 + (len(bags) - holder_count + 0.5) / (holder_count + 0.5))
        total += idf * bag[gram] * 2.2 / (bag[gram] + 1.2 * (0.25 + 0.75 * bag.total() / mean))
        max_total += idf * 2.2
    return total / max_total if max_total else 0.0


def score_texts(statistics: TrigramStatistics, question: str, texts: Sequence[str]) -> np.ndarray:
    return statistics.score(Characters.from_texts([question]), Characters.from_texts(texts))


@given(known=texts, queries=texts)
def test_scores_are_their_formula(known: list[str], queries: list[str]) -> None:
    question, *other_texts = queries
    scores = score_texts(TrigramStatistics.from_texts(Characters.from_texts(known)), question, other_texts + known)
    assert scores.tolist() == pytest.approx([score(question, text, known) for text in other_texts + known])
    assert all(0 <= value < 1 for value in scores)


@given(known=texts, queries=texts)
def test_a_score_does_not_depend_on_the_other_texts_asked_about(known: list[str], queries: list[str]) -> None:
    spelling = TrigramStatistics.from_texts(Characters.from_texts(known))
    scores = score_texts(spelling, known[0], queries)
    assert scores.tolist() == [float(score_texts(spelling, known[0], [text])[0]) for text in queries]


def test_no_texts_have_no_scores() -> None:
    assert score_texts(TrigramStatistics.from_texts(Characters.from_texts([""])), "jump", []).tolist() == []


def test_a_name_is_found_in_a_longer_one_and_misspelled(tmp_path: Path) -> None:
    """The vectors say nothing here, and no stem is the same."""
    names = ["scikit-learn-intelex", "opentelemetry", "kubernetes", "numpy", "beautifulsoup"]
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add(names, ids=names, vectors=np.ones((5, 32)))
        for query, first in {"kuberentes": "kubernetes", "telemetry": "opentelemetry", "soup": "beautifulsoup"}.items():
            hits = collection.search(query, explain=True)
            assert hits[0].id == first
            assert hits[0].explanation is not None and hits[0].explanation.components["trigrams"].rank == 1
            assert "lexical" not in hits[0].explanation.components
        explanation = collection.search("soup", mode="dense", explain=True)[0].explanation
        assert explanation is not None and "trigrams" not in explanation.components


def test_what_was_learned_of_a_collection_is_that_of_its_texts_now(tmp_path: Path) -> None:
    """One that stays open answers as one just opened, whatever was added and deleted."""
    path, random = tmp_path / "x.vec", np.random.default_rng(3)
    with vecsearch.open(path, model=FakeEncoder()) as stays:
        for n in range(0, 300, 50):
            words = random.choice(["kubernetes", "kubelet", "cube", "telemetry", "meter"], size=(50, 3))
            stays.add([" ".join(row_words) for row_words in words], ids=[str(i) for i in range(n, n + 50)])
            stays.delete([str(n)])
            with vecsearch.open(path, model=FakeEncoder(), readonly=True) as fresh:
                assert [(hit.id, hit.score) for hit in stays.search("kubemeter", limit=50)] == [
                    (hit.id, hit.score) for hit in fresh.search("kubemeter", limit=50)
                ]
