"""Further pages of an answer, whole documents, and words with a vector of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.checks import get_vectors
from tests.conftest import CommandResult, CountingEncoder

TOPICS = ("a bat flies at dusk", "the bank lends money", "a ship under sail", "how to bake bread", "the moon is full")


@pytest.fixture
def notes(tmp_path: Path, counting_encoder: CountingEncoder) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "x.vec", model=counting_encoder) as collection:
        texts = [f"{topic}, said for the {n}th time" for n in range(24) for topic in TOPICS]
        collection.add(texts, ids=[f"d{n:03}" for n in range(len(texts))], metadatas=[{"n": n} for n in range(len(texts))])
        collection.add(["  A bat.\n\n" + "It hunts moths over the river. " * 120], ids=["long"], titles=["Bats"])
        counting_encoder.documents.clear()
        yield collection


def list_places(hits: list[vecsearch.Hit]) -> list[tuple[str, int]]:
    return [(hit.id, hit.chunk_index) for hit in hits]


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "dense"}, {"mode": "lexical"}, {"mode": "hybrid"}, {"group_by": "document"}, {"dedupe": True},
        {"where": {"n": {"$lt": 60}}}, {"min_similarity": 0.2}, pytest.param({"rerank": True}, marks=pytest.mark.slow),
    ],
    ids=str,
)  # fmt: skip
def test_pages_hold_each_hit_once(notes: vecsearch.Collection, options: dict[str, Any]) -> None:
    whole = list_places(notes.search("bats at the bank", limit=200, **options))
    for size in (1, 7, 50):
        pages: list[tuple[str, int]] = []
        while page := notes.search("bats at the bank", limit=size, offset=len(pages), **options):
            pages += list_places(page)
            if len(pages) >= 60:
                break
        assert pages == whole[: len(pages)] and len(pages) == min(len(whole), -(-60 // size) * size)
    assert notes.search("bats at the bank", limit=5, offset=1_000, **options) == []


def test_examples_have_pages_too(notes: vecsearch.Collection) -> None:
    for ask in (lambda **page: notes.similar(id="d000", **page), lambda **page: notes.recommend(["d000"], ["d001"], **page)):
        assert list_places(ask(limit=10, offset=10)) == list_places(ask(limit=20))[10:]


@pytest.mark.parametrize("options", [{"mmr": 0.5}, {"fusion": "rrf"}, {"fusion": "zscore"}, {"fusion": "minmax"}], ids=str)
def test_what_depends_on_how_much_is_looked_at_has_no_further_page(notes: vecsearch.Collection, options: dict[str, Any]) -> None:
    with pytest.raises(vecsearch.UsageError, match="has no further page"):
        notes.search("bats", offset=1, **options)
    assert len(notes.search("bats", **options)) == 10
    with pytest.raises(vecsearch.InputError, match="offset must be a whole number of at least 0"):
        notes.search("bats", offset=-1)


def test_the_window_may_be_the_whole_document(notes: vecsearch.Collection, shell: Callable[..., CommandResult]) -> None:
    hits = notes.search("moths over the river", limit=3, window="document")
    (document,) = notes.get("long")
    assert [hit.id for hit in hits] == ["long"] * 3
    for found in hits:
        assert found.window == vecsearch.ChunkWindow(document.text, 0, len(document.text))
    wrong: Any = "page"
    with pytest.raises(vecsearch.InputError, match="window must be a number of chunks or 'document', got 'page'"):
        notes.search("moths", window=wrong)
    second = notes.search("moths", mode="lexical", offset=1, limit=1)[0]
    options = ("-n", 1, "--offset", 1, "--window", "document", "--mode", "lexical", "--chunks", "--json", "--db", notes.path)
    (hit,) = json.loads(shell("search", "moths", *options).out)["hits"]
    assert (hit["window"]["text"], hit["chunk_index"]) == (document.text, second.chunk_index)
    assert shell("search", "moths", "--window", "page", "--db", notes.path).status == 2


def test_words_go_with_a_vector_of_ones_own(
    notes: vecsearch.Collection, counting_encoder: CountingEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sail, bread = counting_encoder.encode_queries(["a ship under sail", "bread"])
    asked: list[object] = []
    for method in ("encode_queries", "encode_documents", "encode_tokens"):
        monkeypatch.setattr(counting_encoder, method, asked.append, raising=False)
    by_words = notes.search("moon", vector=sail, limit=48)
    assert {hit.text.partition(",")[0] for hit in by_words} == {"the moon is full", "a ship under sail"}
    assert by_words[0].similarity == pytest.approx(
        float(get_vectors(notes.get(by_words[0].id, include_vectors=True)[0])[0] @ sail), abs=2e-3
    )
    assert list_places(notes.search("moon", vector=sail, mode="dense")) == list_places(notes.search(sail))
    many = notes.search(["moon", "bank"], vector=np.stack([sail, bread]), limit=48)
    assert list_places(many[0]) == list_places(by_words) and len(many) == 2
    assert notes.search("moon", vector=sail, explain=True, limit=1)[0].explanation is not None
    assert asked == []  # no model was


def test_a_collection_of_brought_vectors_is_searched_by_both(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "y.vec") as collection:
        collection.add(["red apple", "green pear", "blue sky"], ids=["a", "b", "c"], vectors=np.eye(3))
        hits = collection.search("pear", vector=[0.9, 0.1, 0.0])
        assert {hit.id for hit in hits[:2]} == {"a", "b"} and len(hits) == 3
        with pytest.raises(vecsearch.DimensionMismatchError):
            collection.search("pear", vector=[1.0, 0.0])


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ([0.1, 0.2], {"vector": [0.1, 0.2]}, "a query that is a vector needs no other"),
        ("moon", {"vector": [1.0] * 384, "mode": "lexical"}, "lexical mode compares no vectors"),
        (["moon", "bank"], {"vector": [[1.0] * 384]}, "must be a matrix with 2 rows, one for each text, got 1"),
        ("moon", {"vector": [float("nan")] * 384}, "finite|not a number|NaN"),
        ("moon", {"vector": "no"}, "vectors must be a matrix of numbers"),
    ],
)
def test_vectors_that_do_not_fit_the_words_are_refused(
    notes: vecsearch.Collection, query: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(vecsearch.InputError, match=message):
        notes.search(query, **options)
