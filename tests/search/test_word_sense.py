"""A question says which of its words it is about: passages where the word means the same come first."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from benchmarks.word_senses import rank_passages, read_words
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder
from vecsearch.core.errors import UnavailableError, UsageError
from vecsearch.core.measures import compute_measures
from vecsearch.core.settings import WORD_WEIGHT
from vecsearch.core.types import AnyMode
from vecsearch.encoders.base import TextEncoder, TokenEncoder, TokenRows
from vecsearch.evaluation import CachedCollection, Dataset, Measure, read_judgements
from vecsearch.search.word_sense import find_occurrences
from vecsearch.text.sought_word import SoughtWord

FASHION = {
    "catwalk": "Each model on the catwalk wore a silk dress by the young designer.",
    "agency": "The agency signed a new model after seeing her photographs in a magazine.",
    "posing": "Models posed for the painter in long gowns.",
}
MACHINE = {
    "network": "The model was trained on a million sentences and predicts the next word.",
    "weather": "Two models of the atmosphere agree about the storm of next week.",
    "economy": "An economic model explains prices by supply and demand.",
}
OTHER = {"cats": "A cat sleeps on the oven.", "gown": "A gown from Paris was shown on the runway.", "sea": "The sea is rough."}
QUESTION = "the model walked down the runway in a red gown"


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("senses") / "a.vec")
    texts = MACHINE | OTHER | FASHION
    collection.add(list(texts.values()), ids=list(texts), metadatas=[{"other": id in OTHER} for id in texts])
    return collection


def list_ids(hits: Sequence[vecsearch.Hit]) -> list[str]:
    return [hit.id for hit in hits]


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
def test_the_sense_that_is_meant_comes_first_then_the_word_then_all_else(passages: vecsearch.Collection, mode: AnyMode) -> None:
    told = list_ids(passages.search(QUESTION, about="model", mode=mode, limit=9))
    assert set(told[:3]) == set(FASHION)
    assert set(told[3:6]) == set(MACHINE)
    assert told[6] == "gown"
    untold = list_ids(passages.search(QUESTION, mode=mode, limit=9))
    assert untold[0] == "gown"
    assert sorted(told) == sorted(untold)
    scores = [hit.score for hit in passages.search(QUESTION, about="model", mode=mode, limit=9)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_the_other_sense_is_found_by_another_question(passages: vecsearch.Collection) -> None:
    hits = passages.search("a model that forecasts rain from measurements", about="model", limit=3)
    assert set(list_ids(hits)) == set(MACHINE)


def test_each_hit_says_where_the_word_stands_and_what_it_brings(passages: vecsearch.Collection) -> None:
    hits = passages.search(QUESTION, about="models", limit=9, explain=True, highlight=True)
    for hit in hits[:6]:
        assert hit.word is not None
        assert hit.snippet is not None
        assert hit.text[hit.word.start : hit.word.end].lower() in ("model", "models", "modelled")
        assert hit.snippet.start <= hit.word.start < hit.snippet.end
    parts = [hit.explanation.components.get("word") for hit in hits if hit.explanation]
    assert {part.rank for part in parts[:6] if part} == {1, 2, 3, 4, 5, 6}
    assert [(hit.word, part) for hit, part in zip(hits[6:], parts[6:], strict=True)] == [(None, None)] * 3
    assert "word" in hits[0].to_dict()
    assert "word" not in hits[-1].to_dict()


def test_all_that_match_come_back_whatever_the_filter_and_the_page(passages: vecsearch.Collection) -> None:
    every = list_ids(passages.search(QUESTION, about="model", limit=9))
    pages = [passages.search(QUESTION, about="model", limit=2, offset=offset) for offset in range(0, 10, 2)]
    assert [id for page in pages for id in list_ids(page)] == every
    others = passages.search(QUESTION, about="model", where={"other": True}, limit=9)
    assert list_ids(others)[0] == "gown"
    assert len(others) == len(OTHER)
    near = passages.search(QUESTION, about="model", mode="dense", min_similarity=0.3, limit=9)
    assert list_ids(near) == [id for id in list_ids(passages.search(QUESTION, about="model", mode="dense", limit=9)) if
                              id in list_ids(near)]  # fmt: skip
    assert 0 < len(near) < 9
    assert all(hit.similarity is not None and hit.similarity >= 0.3 for hit in near)


def test_many_questions_are_about_one_word_each_in_its_sense(passages: vecsearch.Collection) -> None:
    fashion, machine = passages.search([QUESTION, "training a language model"], about="model", limit=3)
    assert set(list_ids(fashion)) == set(FASHION)
    assert set(list_ids(machine)[:2]) < set(MACHINE)


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        (QUESTION, {"about": "cat"}, r"'cat' is no word of the question, nor a form of one; .*: the, model, walked, down,"),
        (QUESTION, {"about": "red gown"}, "a single word was expected, such as 'model', got 'red gown'"),
        (QUESTION, {"about": "model", "mode": "lexical"}, "leave about or the mode out"),
        (QUESTION, {"about": "model", "rerank": True}, "leave one of them out"),
        (np.ones(384), {"about": "model"}, "give the question as a text"),
        (["a model", "a dress"], {"about": "model"}, r"is no word of the question, .*: a, dress"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    passages: vecsearch.Collection, query: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        passages.search(query, **options)


def test_a_word_behind_the_window_is_encoded_with_what_stands_around_it(encoder: TextEncoder) -> None:
    assert isinstance(encoder, TokenEncoder)
    word, sentence = SoughtWord.parse("model", "en"), FASHION["catwalk"]
    padding = "Rain fell on the hills. " * 200
    (alone,), late = find_occurrences(encoder, word, [sentence, f"{padding}{sentence} {padding}{MACHINE['network']}"])
    assert [occurrence.span.start for occurrence in late] == [len(padding) + 5, 2 * len(padding) + len(sentence) + 5]
    assert late[0].vector @ alone.vector > 0.7
    assert late[1].vector @ alone.vector < late[0].vector @ alone.vector - 0.05


def test_a_model_without_a_middle_layer_answers_by_its_last(tmp_path: Path, encoder: TextEncoder) -> None:
    with vecsearch.open(tmp_path / "x.vec", model=LastLayer(encoder)) as collection:
        collection.add(list((MACHINE | FASHION).values()), ids=list(MACHINE | FASHION))
        assert set(list_ids(collection.search(QUESTION, about="model", limit=2))) < set(FASHION)


def test_a_model_that_shows_no_tokens_says_so(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add(["a model"])
        with pytest.raises(UnavailableError, match="shows no token vectors to tell what a word means; leave about out"):
            collection.search("the model", about="model")


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("model", "Models, re-modelled and a model-based car", ["Models", "modelled", "model"]),
        ("C++", "C, C++ and C#", ["C++"]),
        ("模型", "这个模型很大，模型", ["模型", "模型"]),
        ("café", "two cafes", ["cafes"]),
        ("Go", "It went on, and goes on", ["went", "goes"]),
    ],
)
def test_forms_of_a_word_are_found_where_they_stand(word: str, text: str, found: list[str]) -> None:
    assert [text[span.start : span.end] for span in SoughtWord.parse(word, "en").find(text)] == found


def test_the_shell_asks_about_a_word(shell: Callable[..., CommandResult]) -> None:
    lines = "".join(f'{{"id": "{id}", "text": "{text}"}}\n' for id, text in (MACHINE | OTHER | FASHION).items())
    assert shell("index", "-", stdin=lines.encode()).status == 0
    answer = shell("search", QUESTION, "--about", "model", "-n", 3, "--format", "jsonl")
    assert all(id in answer.out for id in FASHION)
    explained = shell("search", QUESTION, "--about", "model", "--explain")
    assert "· word 0." in explained.out
    wrong = shell("search", QUESTION, "--about", "cat")
    assert (wrong.status, wrong.out) == (2, "")
    assert "Error: 'cat' is no word of the question" in wrong.err


def test_the_shell_gives_places_as_json_and_refuses_what_has_no_meaning_to_compare(
    passages: vecsearch.Collection, shell: Callable[..., CommandResult]
) -> None:
    place = ("--db", passages.path)
    answer = json.loads(shell("search", QUESTION, "--about", "models", "-n", 7, "--json", *place).out)["hits"]
    words = [hit["text"][hit["word"]["start"] : hit["word"]["end"]] for hit in answer[:6]]
    assert set(words) == {"model", "Models", "models"}
    assert "word" not in answer[6]
    assert answer[0]["snippet"]["text"] == answer[0]["text"]
    lexical = shell("search", QUESTION, "--about", "model", "--mode", "lexical", *place)
    assert (lexical.status, lexical.out) == (2, "")
    assert "Error: about compares what a word means" in lexical.err
    absent = shell("search", "a heron on the sea", "--about", "heron", "-n", 1, *place)
    assert (absent.status, "sea" in absent.out) == (0, True)
    assert "no passage has the word 'heron': these are in their usual order" in absent.err


def test_where_no_passage_has_the_word_the_order_is_the_usual_one(passages: vecsearch.Collection, tmp_path: Path) -> None:
    modes: tuple[AnyMode, ...] = ("hybrid", "dense")
    for mode in modes:
        plain, about = (passages.search("a heron on the sea", about=word, mode=mode, limit=9) for word in (None, "heron"))
        assert [(hit.id, hit.score, hit.word) for hit in about] == [(hit.id, hit.score, None) for hit in plain]
    with vecsearch.open(tmp_path / "empty.vec") as collection:
        collection.add(["a heron"], ids=["heron"])
        collection.delete("heron")
        assert collection.search("a heron", about="heron") == []
        assert collection.senses("heron") == []


def test_passages_without_a_vector_are_found_by_their_words_alone(tmp_path: Path, encoder: TextEncoder) -> None:
    with vecsearch.open(tmp_path / "notes.vec", model=encoder) as collection:
        collection.add(list(MACHINE.values()), ids=list(MACHINE))
        folder = tmp_path / "texts"
        folder.mkdir()
        (folder / "late.txt").write_text(FASHION["catwalk"])
        collection.index(folder, vectors=False)
        hits = collection.search(QUESTION, about="model", limit=9)
        late = next(hit for hit in hits if hit.text == FASHION["catwalk"])
        assert (len(hits), hits.pending_vectors, late.similarity) == (4, 1, None)
        assert late.word == vecsearch.Span(5, 10)
        assert set(list_ids(collection.search(QUESTION, about="model", mode="dense", limit=9))) == set(MACHINE)
        assert sum(group.size for group in collection.senses("model")) == 4
        collection.fill_vectors()
        assert collection.search(QUESTION, about="model", mode="dense", limit=1)[0].text == FASHION["catwalk"]


def test_a_document_counts_once_by_the_use_that_is_meant(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["\n\n".join([*MACHINE.values(), *OTHER.values()] * 12 + [FASHION["catwalk"]])], ids=["both"])
        collection.add([MACHINE["economy"]], ids=["economy"])
        hits = collection.search(QUESTION, about="model", group_by="document")
        assert list_ids(hits) == ["both", "economy"]
        assert hits[0].group_size > 0
        assert "catwalk" in hits[0].text
        assert hits[0].word is not None
        assert collection.get("both")[0].text[hits[0].word.start :].startswith("model on the catwalk")
        near = collection.search(QUESTION, about="model", dedupe=True, mmr=0.5, window=1, limit=2)
        assert near[0].window is not None and near[0].word is not None


def test_a_profile_may_raise_what_somebody_likes(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        texts = MACHINE | FASHION
        collection.add(list(texts.values()), ids=list(texts))
        plain = {hit.id: hit.score for hit in collection.search(QUESTION, about="model", limit=6)}
        collection.like("ann", "posing")
        liked = {hit.id: hit.score for hit in collection.search(QUESTION, about="model", profile="ann", limit=6)}
        assert liked["posing"] > plain["posing"]
        assert liked.keys() == plain.keys()


async def ask_twice(path: Path) -> tuple[list[str], bool]:
    async with await vecsearch.open_async(path) as collection:
        hits = await collection.search(QUESTION, about="model", limit=3)
        same = await collection.same_sense("model", FASHION["catwalk"], FASHION["agency"])
        assert sum(group.size for group in await collection.senses("model")) == 6
        return list_ids(hits), same.same


def test_the_twin_for_asyncio_asks_about_words_too(passages: vecsearch.Collection) -> None:
    assert asyncio.run(ask_twice(passages.path)) == (
        list_ids(passages.search(QUESTION, about="model", limit=3)),
        passages.same_sense("model", FASHION["catwalk"], FASHION["agency"]).same,
    )


def test_composed_and_decomposed_letters_are_the_same_word(tmp_path: Path) -> None:
    texts = ["Das Schloß am See war das Schloss der Königin.", "Der König schließt das Schloss der Tür mit dem Schlüssel."]
    with vecsearch.open(tmp_path / "x.vec", stemmer="de") as collection:
        collection.add([texts[0], unicodedata.normalize("NFD", texts[1])], ids=["castle", "lock"])
        (hit,) = collection.search(unicodedata.normalize("NFD", "die Königin im Schloss"), about="Königin", limit=1)
        assert hit.text[hit.word.start : hit.word.end] == "Königin" if hit.word else False
        (late,) = collection.search("ein König", about=unicodedata.normalize("NFD", "König"), where={"$id": "lock"}, limit=1)
        assert late.word is not None
        assert unicodedata.normalize("NFC", late.text[late.word.start : late.word.end]) == "König"
    assert SoughtWord.parse("が", "en").find(unicodedata.normalize("NFD", "これが")) == [vecsearch.Span(2, 4)]


def test_the_snippet_of_a_long_line_shows_the_word_that_is_meant(tmp_path: Path) -> None:
    line = f"{'the runway and the gown, ' * 40}where the model posed, {'and the runway, ' * 40}"
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add([line])
        hit = collection.search("the gown of a model on the runway", about="model", highlight=True)[0]
        assert hit.snippet is not None
        assert "where the model posed" in hit.snippet.text
        assert hit.word in hit.snippet.matches


RIVER = {
    "reeds": "Reeds grow on the muddy {} where the river bends.",
    "boat": "They tied the boat to a tree on the {} of the stream.",
    "flood": "The flood washed away the {} of the Danube.",
    "otter": "An otter sleeps on the grassy {} of the creek.",
}
MONEY = {
    "loan": "The {} gave a loan to the farmer at high interest.",
    "crisis": "After the crisis the {} needed money from the state.",
    "account": "She opened an account at the {} to save her wages.",
    "robbery": "Thieves robbed the {} and took the cash.",
}


@pytest.mark.parametrize("forms", [("bank", "banks"), ("banks", "bank")])
def test_a_form_that_is_as_usual_as_another_decides_nothing(tmp_path: Path, forms: tuple[str, str]) -> None:
    texts = {id: text.format(forms[n % 2]) for n, (id, text) in enumerate((RIVER | MONEY).items())}
    with vecsearch.open(tmp_path / "x.vec", stemmer="en") as collection:
        collection.add(list(texts.values()), ids=list(texts))
        for about in forms:
            hits = collection.search("fishing from the banks of the river", about=about, limit=8)
            assert set(list_ids(hits)[:4]) == set(RIVER)


def test_a_rare_form_in_the_question_does_not_decide_where_another_is_usual(tmp_path: Path) -> None:
    texts = {id: text.format("bank") for id, text in (RIVER | MONEY).items()} | {"rare": MONEY["crisis"].format("banks")}
    with vecsearch.open(tmp_path / "x.vec", stemmer="en") as collection:
        collection.add(list(texts.values()), ids=list(texts))
        told = list_ids(collection.search("fishing from the banks of the river", about="bank", limit=9))
        assert set(told[:4]) == set(RIVER)
        assert told.index("crisis") < told.index("rare")


def test_a_word_may_be_told_with_signs_around_it(passages: vecsearch.Collection) -> None:
    plain, quoted = (list_ids(passages.search(QUESTION, about=word, limit=9)) for word in ("model", " “model”, "))
    assert plain == quoted


@pytest.mark.slow
def test_the_right_sense_is_found_on_coarsewsd20(shared: Callable[[str], Path]) -> None:
    folder = shared("coarsewsd20_retrieval")
    dataset = Dataset.from_folder(folder)
    judgements, cached = read_judgements(dataset.queries, dataset.qrels), CachedCollection.from_dataset(dataset)
    if not cached.is_whole:
        cached.index()
    with cached.open_for_reading() as collection:
        rankings = rank_passages(collection, judgements.queries, read_words(folder / "senses.tsv"), WORD_WEIGHT)
    values = compute_measures(judgements.qrels, rankings).values()
    assert sum(of_query[Measure.NDCG] for of_query in values) / len(values) >= 0.87


class LastLayer:
    """The real encoder, of which only the last layer is seen."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.name, self.dimension, self.fingerprint = "last-layer", encoder.dimension, "last-layer-1"
        self.max_tokens, self.pools_by_mean, self._encoder = encoder.max_tokens, True, encoder
        self.token_spans, self.encode_documents, self.encode_queries = (
            encoder.token_spans, encoder.encode_documents, encoder.encode_queries
        )  # fmt: skip

    def encode_tokens(self, texts: Sequence[str], *, is_query: bool = False) -> list[TokenRows]:
        assert isinstance(self._encoder, TokenEncoder)
        return self._encoder.encode_tokens(texts, is_query=is_query)
