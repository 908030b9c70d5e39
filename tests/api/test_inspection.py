"""What a look inside says: shares sum to 1, words stand where they stand, attention agrees with leave-one-out as it says."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from vecsearch.search import layer_analysis

FASHION, LEARNING = "The fashion model walked the runway", "The machine learning model was trained on data"


@pytest.fixture(scope="module")
def pair() -> vecsearch.Inspection:
    return vecsearch.inspect([FASHION, LEARNING], leave_one_out=True)


@pytest.mark.parametrize("text", [FASHION, "a", "naïve café 👩\u200d👧 東京", "word " * 300, "1.0.21 std::vector"])
def test_the_shares_of_all_tokens_sum_to_one(text: str) -> None:
    inspection = vecsearch.inspect(text)
    assert sum(token.share or 0 for token in inspection.tokens) == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(inspection.vector) == pytest.approx(1, abs=1e-6)


def test_a_share_is_what_the_token_s_row_adds_to_the_vector(pair: vecsearch.Inspection) -> None:
    text = pair.texts[0]
    rows = text.layers[-1].astype(np.float64)
    parts = rows @ text.vector / np.linalg.norm(rows.sum(axis=0))
    assert [token.share for token in text.tokens] == pytest.approx(parts.tolist(), abs=1e-6)
    assert [token.norm for token in text.tokens] == pytest.approx(np.linalg.norm(rows, axis=1).tolist(), abs=1e-5)


def test_a_word_is_the_same_before_attention_and_another_after_it(pair: vecsearch.Inspection) -> None:
    model = next(comparison for comparison in pair.comparisons if comparison.word == "model")
    assert model.places == (
        vecsearch.WordPlace(0, vecsearch.Span(12, 17)), vecsearch.WordPlace(1, vecsearch.Span(21, 26)),
    )  # fmt: skip
    assert len(model.similarities) == 7
    assert model.similarities[0] == pytest.approx(0.989, abs=0.002)
    assert model.similarities[6] < 0.7
    assert pair.similarities[0, 1] == pytest.approx(float(pair.texts[0].vector @ pair.texts[1].vector), abs=1e-6)
    assert {comparison.word for comparison in pair.comparisons} == {"The", "model"}


def test_a_word_is_found_by_its_stem_twice_in_a_text_and_as_several(pair: vecsearch.Inspection) -> None:
    (forms,) = vecsearch.inspect(["the models run", "a model ran"], word="model").comparisons
    assert [place.span for place in forms.places] == [vecsearch.Span(4, 10), vecsearch.Span(2, 7)]
    (twice,) = vecsearch.inspect("the bank by the Bank", word="bank").comparisons
    assert [place.span.start for place in twice.places] == [4, 16]
    (phrase,) = vecsearch.inspect([LEARNING, "we like machine learning"], word="machine learning").comparisons
    assert phrase.places[0].span == vecsearch.Span(4, 20)
    several = vecsearch.inspect([FASHION, LEARNING, "a model"], word="model").comparisons
    assert [[place.text for place in comparison.places] for comparison in several] == [[0, 1], [0, 2]]


def test_words_stand_where_they_are_in_the_text() -> None:
    text = "Naïve cafe\u0301, 👩\u200d👩\u200d👧 ❤️ wundervolle 東京!"
    inspected = vecsearch.inspect(text).texts[0]
    words = [inspected.get_word(number) for number in range(len(inspected.words))]
    assert words == ["Naïve", "cafe\u0301", ",", "👩\u200d👩\u200d👧", "❤️", "wundervolle", "東", "京", "!"]
    pieces = [token for token in inspected.tokens if token.word == 5]
    assert [token.piece for token in pieces][1:] == ["##nder", "##vo", "##lle"]
    assert "".join(text[token.span.start : token.span.end] for token in pieces if token.span) == "wundervolle"
    assert [token.piece for token in inspected.tokens if token.span is None] == ["[CLS]", "[SEP]"]


def test_what_shapes_a_word_sums_to_one_and_leaves_the_word_itself_out(pair: vecsearch.Inspection) -> None:
    for text in pair.texts:
        assert text.shaped_by.sum(axis=1) == pytest.approx(np.ones(len(text.words)), abs=1e-5)
        assert np.diagonal(text.shaped_by).tolist() == [0.0] * len(text.words)
        assert 0.3 < text.special_attention < 0.7
    fashion = pair.texts[0]
    assert fashion.get_word(fashion.list_influences(2)[0][0]) == "fashion"
    assert vecsearch.inspect("leap").texts[0].list_influences(0) == []


def test_leaving_a_word_out_is_passing_the_text_without_it(pair: vecsearch.Inspection) -> None:
    text = pair.texts[0]
    assert text.leave_one_out is not None
    without = vecsearch.inspect("The model walked the runway").texts[0]
    before, after = text.layers[-1][3], without.layers[-1][2]  # "model"
    cosine = float(before @ after / np.linalg.norm(before) / np.linalg.norm(after))
    assert text.leave_one_out[2, 1] == pytest.approx(1 - cosine, abs=1e-5)
    assert np.diagonal(text.leave_one_out).tolist() == [0.0] * 6
    assert vecsearch.inspect(FASHION).texts[0].leave_one_out is None


@pytest.mark.slow
def test_attention_agrees_with_leave_one_out_as_far_as_is_said(shared: Callable[[str], Path]) -> None:
    """The figure that is printed beside attention, on 50 of the 204 sentences that it was measured on."""
    with (shared("wic") / "wic.dev.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    inspected = (vecsearch.inspect(row["sentence1"], leave_one_out=True) for row in rows)
    sentences = list(islice((inspection for inspection in inspected if len(inspection.texts[0].words) >= 5), 50))
    correlations = [inspection.attention_correlation for inspection in sentences]
    assert all(correlation is not None for correlation in correlations)
    rho = float(np.mean([correlation or 0 for correlation in correlations]))
    assert rho >= 0.7
    assert rho == pytest.approx(sentences[0].typical_correlation or 0, abs=0.03)


def test_the_correlation_is_spearman_s(pair: vecsearch.Inspection) -> None:
    from scipy.stats import spearmanr

    text = pair.texts[1]
    assert text.leave_one_out is not None
    others = np.arange(len(text.words)) != 3
    expected = spearmanr(text.shaped_by[3][others], text.leave_one_out[3][others]).statistic
    assert layer_analysis.compute_word_correlation(text, 3) == pytest.approx(expected, abs=1e-9)


def test_a_value_cannot_be_changed(pair: vecsearch.Inspection) -> None:
    with pytest.raises(FrozenInstanceError):
        pair.model = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        pair.layers[0, 0, 0] = 1


def test_a_text_longer_than_the_window_says_what_was_cut() -> None:
    assert vecsearch.inspect("word " * 300).texts[0].cut_tokens == 300 - 254
    assert vecsearch.inspect("word " * 254).texts[0].cut_tokens == 0


@pytest.mark.parametrize(
    ("texts", "options", "kind", "message"),
    [
        ("", {}, vecsearch.UsageError, "text 1 is empty: expected some words"),
        (["a", " \n"], {}, vecsearch.UsageError, "text 2 is empty"),
        ([], {}, vecsearch.UsageError, "expected 1 to 20 texts, got 0"),
        (["a"] * 21, {}, vecsearch.UsageError, "expected 1 to 20 texts, got 21"),
        (3, {}, vecsearch.InputError, "expected a text, or a list of texts, got 3"),
        ("\ud800", {}, vecsearch.InputError, "no valid Unicode"),
        ("\u200b", {}, vecsearch.InputError, "sees no word in"),
        ("a bank", {"word": "river"}, vecsearch.InputError, "'river' must occur twice in the text, or in two texts"),
        (["a bank", "a river"], {"word": "river"}, vecsearch.InputError, "'river' does not occur in 'a bank'"),
        ("a bank", {"word": " "}, vecsearch.UsageError, "word must be a word of the texts"),
        ("a bank", {"model": "/no/such/folder"}, vecsearch.UnavailableError, "/no/such/folder"),
        ("a bank", {"limit": 0}, vecsearch.InputError, "limit must be a whole number"),
    ],
)
def test_bad_input_is_refused_by_name(texts: Any, options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        vecsearch.inspect(texts, **options)


def test_the_nearest_documents_of_a_collection_come_with_each_text(notes: Path) -> None:
    with vecsearch.open(notes) as collection:
        inspection = vecsearch.inspect(["jumping", "the edge of Saturn"], collection=collection, limit=2)
        nearest = [[neighbour.id for neighbour in text.neighbours or ()] for text in inspection.texts]
        assert [ids[0] for ids in nearest] == ["leap", "planet"]
        assert [len(ids) for ids in nearest] == [2, 2]
        with pytest.raises(vecsearch.UsageError, match="has the model all-MiniLM-L6-v2, not other"):
            vecsearch.inspect("jumping", collection=collection, model="other")
