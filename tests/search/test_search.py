"""Ranking: words, meaning, and both; in collections of four documents as in the sample data."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests.conftest import SAMPLE_DATA
from vecsearch.core.types import AnyMode, AnySplit, Fusion
from vecsearch.search.fusion import FUSIONS, Candidates, add_shares, compute_share_limit
from vecsearch.stores.base import ScoredChunks

TINY = {
    "fashion": "A fashion model walks the runway in a dress that nobody has worn before.",
    "learning": "A machine learning model is trained on data so that it can make predictions.",
    "river": "The bank of the river is where the herons stand and where that old boat lies.",
    "savings": "The savings bank keeps deposits and makes loans to people that buy a house.",
}
TINY_QUERIES = {
    "fashion model": "fashion", "machine learning model": "learning", "edge of the water": "river",
    "place that lends money": "savings",
}  # fmt: skip


# -- fusion


def make_candidates(
    cosines: dict[int, float], bm25: dict[int, float], *, max_bm25: float = 8.0, identifier_share: float = 0.0
) -> Candidates:
    """Make the candidates of both sides: `bm25` are those that the words found, all others those of the vectors."""
    ids = np.array(sorted(cosines), np.int64)
    return Candidates(
        ids, np.array([cosines[i] for i in ids]), np.array([bm25.get(int(i), 0.0) for i in ids]),
        np.ones(len(ids), bool), np.isin(ids, list(bm25)), max_bm25, identifier_share,
    )  # fmt: skip


def order(fusion: Fusion, candidates: Candidates) -> list[int]:
    ids: list[int] = ScoredChunks.rank(candidates.ids, FUSIONS[fusion](candidates)).ids.tolist()
    return ids


TINY_RUN = make_candidates({1: 0.5, 2: 0.75, 3: -0.25}, {3: 6.0, 1: 2.0})


def test_every_fusion_is_in_the_table() -> None:
    assert set(FUSIONS) == set(Fusion)


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        (Fusion.TMM, [0.5 + 2 / 8 + math.sqrt(0.5 * 2 / 8) / 2, 0.75, -0.25 + 6 / 8]),
        (Fusion.RECIPROCAL_RANK, [1 / 62 + 1 / 62, 1 / 61, 1 / 63 + 1 / 61]),
        (Fusion.MIN_MAX, [0.75 + 0.0, 1.0, 0.0 + 1.0]),
        (Fusion.Z_SCORE, [0.3922322702763681 - 0.2672612419124244, 0.9805806756909202 - 1.0690449676496976,
                          -1.372812945967288 + 1.3363062095621219]),
    ],
)  # fmt: skip
def test_each_fusion_by_its_formula(fusion: Fusion, expected: list[float]) -> None:
    assert FUSIONS[fusion](TINY_RUN) == pytest.approx(expected)


def test_a_query_of_identifiers_is_answered_by_its_words() -> None:
    cosines, bm25 = {1: 0.9, 2: 0.2}, {2: 2.0}
    assert order(Fusion.TMM, make_candidates(cosines, bm25)) == [1, 2]
    assert order(Fusion.TMM, make_candidates(cosines, bm25, identifier_share=1.0)) == [2, 1]


def test_of_identifiers_what_both_sides_find_counts_as_little_as_the_meaning() -> None:
    cosines, bm25 = {1: 0.64}, {1: 2.0}
    for share, weight in ((0.0, 1.0), (0.2, 0.9064), (0.5, 0.55), (0.8, 0.1936), (1.0, 0.1)):
        candidates = make_candidates(cosines, bm25, identifier_share=share)
        assert FUSIONS[Fusion.TMM](candidates) == pytest.approx([weight * (0.64 + 0.5 * 0.4) + 0.25])


@given(shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_more_of_a_query_is_identifiers_the_less_its_meaning_counts(shares: tuple[float, float]) -> None:
    less, more = (FUSIONS[Fusion.TMM](make_candidates({1: 0.5}, {}, identifier_share=share))[0] for share in sorted(shares))
    assert 0.05 - 1e-12 <= more <= less + 1e-12 <= 0.5 + 2e-12


@pytest.mark.parametrize("fusion", Fusion)
@given(cosines=st.dictionaries(st.integers(1, 30), st.floats(-1, 1), min_size=1, max_size=20))
def test_without_a_word_found_every_fusion_is_the_dense_ranking(fusion: Fusion, cosines: dict[int, float]) -> None:
    cosines = {chunk: round(cosine, 3) for chunk, cosine in cosines.items()}
    assert order(fusion, make_candidates(cosines, {})) == sorted(cosines, key=lambda chunk: (-cosines[chunk], chunk))


@pytest.mark.parametrize("fusion", sorted(set(Fusion) - {Fusion.Z_SCORE}))  # where one side alone changes nothing but rounding
@given(cosines=st.dictionaries(st.integers(1, 30), st.floats(-1, 1), min_size=1, max_size=20), data=st.data())
def test_more_of_the_words_never_lowers_a_chunk(fusion: Fusion, cosines: dict[int, float], data: st.DataObject) -> None:
    """Of those that the words found, all else being equal."""
    cosines = {chunk: round(cosine, 3) for chunk, cosine in cosines.items()}
    chunk = data.draw(st.sampled_from(sorted(cosines)))
    smaller, larger = sorted(data.draw(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10))))
    places = [order(fusion, make_candidates(cosines, {chunk: score}, max_bm25=10.0)).index(chunk) for score in (smaller, larger)]
    assert places[1] <= places[0]


@given(score=st.floats(-1, 2.5), cosine=st.floats(-1, 1), identifier_share=st.floats(0, 1))
def test_the_share_that_is_solved_for_is_the_last_to_stay_below(score: float, cosine: float, identifier_share: float) -> None:
    share = compute_share_limit(score, cosine, identifier_share)
    of_solution, of_more = (
        add_shares(np.array([cosine]), np.array([max(each, 0.0)]), identifier_share)[0] for each in (share, share + 1e-9)
    )
    assert of_solution < score if share >= 0 else of_more > score - 1e-4
    assert of_more > score - 1e-4


# -- words


@given(query=st.text(max_size=60))
def test_any_query_at_all_can_be_asked_in_lexical_mode(tiny: vecsearch.Collection, query: str) -> None:
    if query.strip() and query.isprintable():
        assert len(tiny.search(query, mode="lexical")) <= 4


def test_quoted_words_must_follow_each_other(tiny: vecsearch.Collection) -> None:
    assert [hit.id for hit in tiny.search('"bank of the river"', mode="lexical")] == ["river"]
    assert tiny.search('"river bank"', mode="lexical") == []


def test_a_word_of_every_row_still_finds_every_row(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["bat one", "bat two", "bat three bat"], ids=["1", "2", "3"])
        hits = collection.search("bat", mode="lexical")
    assert hits[0].id == "3"
    assert {hit.id for hit in hits} == {"1", "2", "3"}
    assert all(hit.score > 0 and hit.similarity is None for hit in hits)


# -- tiny collections


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("tiny") / "t.vec")
    collection.add(list(TINY.values()), ids=list(TINY))
    return collection


@pytest.mark.parametrize(("query", "first"), TINY_QUERIES.items())
def test_with_four_documents_each_query_finds_its_own_first(tiny: vecsearch.Collection, query: str, first: str) -> None:
    hits = tiny.search(query)
    assert hits[0].id == first
    assert len(hits) == 4


def test_bm25_in_a_collection_of_four_is_the_formula_s(tiny: vecsearch.Collection) -> None:
    """ "model" is in two rows of four, where a plain Robertson idf is nought."""
    first, second = tiny.search("model", mode="lexical")
    lengths = {key: len(text.replace(",", "").split()) for key, text in TINY.items()}
    mean = sum(lengths.values()) / 4
    for hit in (first, second):
        expected = math.log(1 + 2.5 / 2.5) * 2.2 / (1 + 1.2 * (0.25 + 0.75 * lengths[hit.id] / mean))
        assert hit.score == pytest.approx(expected)


def test_min_score_tests_the_similarity(tiny: vecsearch.Collection) -> None:
    hits = tiny.search("machine learning model", min_similarity=0.15)
    assert [hit.id for hit in hits] == ["learning", "fashion"]
    assert all(hit.similarity is not None and hit.similarity >= 0.15 for hit in hits)
    assert tiny.search("machine learning model", min_similarity=0.99) == []


def test_the_first_answers_do_not_depend_on_how_many_are_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    words = ["bat", "bank", "spring", "model", "crane"]
    texts = [" ".join(random.choice(words, size=random.integers(1, 9))) for _ in range(700)]
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(texts, ids=[str(n) for n in range(700)])
        all_ids = [hit.id for hit in collection.search("a crane at the bank", limit=1_000_000)]
        assert len(all_ids) == 700
        for limit in (1, 10, 99, 100, 101, 500):
            assert [hit.id for hit in collection.search("a crane at the bank", limit=limit)] == all_ids[:limit]


WORDS = ("bat", "bank", "spring", "model", "crane", "e-mail", "x86_64", "river", "lease", "jump")


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> Iterator[vecsearch.Collection]:
    """Make a collection whose vectors say nothing of its texts, so that either side alone is a bad guide to both."""
    random = np.random.default_rng(3)
    texts = [" ".join(random.choice(WORDS, size=random.integers(1, 12))) for _ in range(6_000)]
    rows = random.normal(size=(6_000, 384)).astype(np.float32)
    with vecsearch.open(tmp_path_factory.mktemp("unlike") / "u.vec") as collection:
        collection.add(texts, ids=[str(n) for n in range(6_000)], vectors=rows)
        yield collection


@settings(max_examples=25, deadline=None)
@given(words=st.lists(st.sampled_from([*WORDS, "nowhere", '"bat crane"']), min_size=1, max_size=5), data=st.data())
def test_the_best_are_those_of_the_whole_ranking(unlike: vecsearch.Collection, words: list[str], data: st.DataObject) -> None:
    """However deep either side had to be searched for them."""
    least = data.draw(st.sampled_from([None, -0.1, 0.05, 0.12]))
    all_ids = [hit.id for hit in unlike.search(" ".join(words), limit=6_000, min_similarity=least)]
    for limit in (10, 60, 300):
        assert [hit.id for hit in unlike.search(" ".join(words), limit=limit, min_similarity=least)] == all_ids[:limit]


def test_what_one_side_found_first_counts_in_full_on_the_other(tmp_path: Path) -> None:
    """More chunks say the same than words alone would list: which of them are near decides, not which were stored first."""
    rows = np.random.default_rng(2).normal(size=(600, 384)).astype(np.float32)
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.add(["a crane at the bank"] * 600, ids=[str(n) for n in range(600)], vectors=rows)
        hits = collection.search("a crane at the bank", limit=50)  # as many as are reordered by what they have in common
        nearest_hits = collection.search("a crane at the bank", limit=50, mode="dense")
    assert {hit.id for hit in hits} == {hit.id for hit in nearest_hits}


# -- sample data


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "s.vec"
    kinds: tuple[tuple[str, str, AnySplit], ...] = (
        ("words", "words.txt", "lines"),
        ("entries", "words.jsonl", "tokens"),
        ("docs", "docs", "tokens"),
    )
    for collection, file, split in kinds:
        with vecsearch.open(path, collection=collection) as opened:
            assert opened.index([SAMPLE_DATA / file], split=split).failed == ()
    return path


JUMPS = ("jump", "leap", "hop", "skip")


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
@pytest.mark.parametrize("word", JUMPS)
def test_bare_words_for_jumping_find_each_other(samples: Path, word: str, mode: AnyMode) -> None:
    with vecsearch.open(samples, collection="words", readonly=True) as words:
        texts = [hit.text for hit in words.search(word, mode=mode, limit=12)]  # to leap, the 9th to 12th are equally near
    assert set(JUMPS) <= set(texts)


def test_bound_joins_the_jumps_through_its_meaning(samples: Path) -> None:
    with vecsearch.open(samples, collection="entries", readonly=True) as entries:
        assert {"bound", *JUMPS} <= {hit.id for hit in entries.search("jump", limit=10)}
        assert {"leap", "hop", "skip"} <= {hit.id for hit in entries.similar(id="bound", limit=10)}
    with vecsearch.open(samples, collection="words", readonly=True) as words:
        assert "bound" not in {hit.text for hit in words.search("jump", limit=50)}


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("a model on the runway", "fashion/life-on-the-catwalk.md"), ("a savings account", "finance/savings-account.html"),
        ("edge of the water", "geography/river-banks.md"), ("flying mammal", "zoology/bats.html"),
        ("season for planting seedlings", "gardening/spring-in-the-garden.md"),
        ("leaning the wings to change direction", "aviation/banked-turn.txt"),
    ],
)  # fmt: skip
def test_a_query_finds_the_sense_it_means(samples: Path, query: str, first: str) -> None:
    with vecsearch.open(samples, collection="docs", readonly=True) as docs:
        assert docs.search(query, limit=3)[0].id.endswith(first)


def test_the_labelled_queries_find_what_they_ask_for(samples: Path) -> None:
    """nDCG@10 with linear gain over the documents of the sample data."""
    queries, relevant = read_labels()
    with vecsearch.open(samples, collection="docs", readonly=True) as docs:
        means = {
            mode: np.mean([ndcg(docs, queries[query_id], relevant[query_id], mode) for query_id in relevant])
            for mode in ("hybrid", "lexical")
        }
    assert means["hybrid"] > 0.9
    assert means["hybrid"] > means["lexical"]


def read_labels() -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    lines = gzip.decompress((SAMPLE_DATA / "eval" / "queries.jsonl.gz").read_bytes()).decode().splitlines()
    queries = {query["_id"]: query["text"] for query in map(json.loads, lines)}
    relevant: dict[str, dict[str, int]] = {}
    table = gzip.decompress((SAMPLE_DATA / "eval" / "qrels.tsv.gz").read_bytes()).decode()
    for row in csv.DictReader(io.StringIO(table), delimiter="\t"):
        relevant.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return queries, relevant


def ndcg(docs: vecsearch.Collection, query: str, relevant: dict[str, int], mode: AnyMode) -> float:
    ids = list(dict.fromkeys(hit.id for hit in docs.search(query, limit=40, mode=mode)))[:10]
    grades = [next((grade for name, grade in relevant.items() if document_id.endswith(name)), 0) for document_id in ids]
    ideal = sorted(relevant.values(), reverse=True)[:10]
    gain: Callable[[list[int]], float] = lambda values: sum(g / math.log2(n + 2) for n, g in enumerate(values))  # noqa: E731
    return gain(grades) / gain(ideal)
