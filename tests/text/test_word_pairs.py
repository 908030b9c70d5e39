"""Word pairs: what stands side by side in question and passage brings it up, by a formula worked out here in plain Python."""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.text.characters import Characters
from vecsearch.text.word_pairs import WordPairStatistics

FUNCTION_WORDS = ["of", "the"]
words = st.sampled_from(
    ["of", "THE", "a", "effect", "Effects", "side", "é1", "ß", "日本語", "x_y", "हि", "\U0001f600", "reading", "reader"]
)
texts = st.lists(st.lists(words, max_size=12).map(" ".join) | st.text(max_size=20), min_size=1, max_size=6)


def list_pairs(text: str) -> set[frozenset[str]]:
    """Return the pairs of unlike neighbours, up to four function words passed over."""
    letters = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text.lower())
    places = [(place, word[:6]) for place, word in enumerate(letters.split()) if word[:6] not in FUNCTION_WORDS]
    near = [(a, b) for (m, a), (n, b) in itertools.pairwise(places) if n - m <= 5 and a != b]
    return {frozenset(pair) for pair in near}


def score(question: str, text: str, known: Sequence[str]) -> float:
    """Compute the share of the question's pairs, each weighing its idf."""
    bags = [list_pairs(each) for each in known]
    idf = {}
    for pair in list_pairs(question):
        holder_count = sum(pair in bag for bag in bags)
        idf[pair] = math.log(1 + (len(bags) - holder_count + 0.5) / (holder_count + 0.5))
    return sum(idf[pair] for pair in idf.keys() & list_pairs(text)) / (sum(idf.values()) or 1)


def learn(known: Sequence[str]) -> WordPairStatistics:
    return WordPairStatistics.from_texts(Characters.from_texts(known), FUNCTION_WORDS)


def score_texts(statistics: WordPairStatistics, question: str, texts: Sequence[str]) -> list[float]:
    scores: list[float] = statistics.score(Characters.from_texts([question]), Characters.from_texts(texts)).tolist()
    return scores


@given(known=texts, queries=texts)
def test_scores_are_their_formula(known: list[str], queries: list[str]) -> None:
    question, *others = queries
    expected = [score(question, text, known) for text in others + known]
    assert score_texts(learn(known), question, others + known) == pytest.approx(expected)


@given(known=texts, queries=texts)
def test_a_score_does_not_depend_on_the_other_texts_asked_about(known: list[str], queries: list[str]) -> None:
    statistics = learn(known)
    assert score_texts(statistics, known[0], queries) == [score_texts(statistics, known[0], [text])[0] for text in queries]


def test_order_endings_and_function_words_make_no_difference() -> None:
    statistics = learn(["nothing of the kind"])
    passages = ["side effects of aspirin", "aspirin effects", "the aspirin effected much", "effects, and much later aspirin"]
    assert score_texts(statistics, "effects of the aspirin", passages) == [1, 1, 1, 0]


def test_nothing_asked_and_no_text_score_nothing() -> None:
    assert score_texts(learn([""]), "jump", ["jump high"]) == [0]
    assert score_texts(learn([""]), "jump high", []) == []


@pytest.mark.parametrize(
    ("query", "weight"),
    [("code.source", 0.2 * 0.9), ("code.source windows", 0.2 * 0.9 * 20 / 27), ("code source", 0.0), ("windows.source", 0.0)],
    ids=["an identifier", "an identifier of two words and a third", "no identifier", "neither has a pair"],
)
def test_of_two_texts_that_else_say_the_same_that_comes_first_which_has_an_identifiers_words_side_by_side(
    query: str, weight: float, tmp_path: Path
) -> None:
    """Their words and vectors are the same; with x of the query in identifiers a pair weighs 0.2 · 0.9 · (3x² − 2x³)."""
    texts = {
        "apart": "the source of north light, windows open and code",
        "together": "the source of code, north light and windows open",
    }
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add(list(texts.values()), ids=list(texts), vectors=np.ones((2, 32)))
        hits = collection.search(query, explain=True)
    scores = {hit.id: hit.score for hit in hits}
    shares = {hit.id: part.score for hit in hits if hit.explanation and (part := hit.explanation.components.get("word_pairs"))}
    if weight:
        expected = {key: score(query, text, list(texts.values())) for key, text in texts.items()}
        assert shares == pytest.approx(expected)
        assert [hit.id for hit in hits] == ["together", "apart"]
        assert scores["together"] - scores["apart"] == pytest.approx(weight * (shares["together"] - shares["apart"]))
    else:
        assert not shares
        assert [hit.id for hit in hits] == ["apart", "together"], "as they were stored"
        assert scores["together"] == pytest.approx(scores["apart"])
