"""Options applied after retrieval: grouping, deduplication, diversity, windows, examples, explanations, no answer."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests.conftest import SAMPLE_DATA, CountingEncoder
from tests.fakes import FakeEncoder
from vecsearch.core.types import AnyMode
from vecsearch.search.diversify import is_near_duplicate
from vecsearch.search.retrieval import parse_terms
from vecsearch.text.sentences import split_sentences

LEASES = " ".join(
    f"The lease of house {n} ends in the year {1990 + n}, and the tenant leaves the key with the owner." for n in range(60)
)
TEXTS = {
    "leases": LEASES,
    "bats": "Bats leave the cave at dusk. They hunt moths over the river. In winter they sleep.",
    "bats2": "Bats leave the caves at dusk. They hunt moths over the rivers. In winter, they sleep!",
    "jump": "jump", "jumping": "jumping", "jumps": "Jumps", "leap": "leap", "hop": "hop",
    "money": "The savings bank lends money to people who buy a house.",
    "river": "Herons stand on the bank of the river.",
    "model": "A fashion model walks the runway.",
}  # fmt: skip


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> vecsearch.Collection:
    collection = vecsearch.open(tmp_path_factory.mktemp("answers") / "a.vec")
    collection.add(list(TEXTS.values()), ids=list(TEXTS), metadatas=[{"n": n, "odd": n % 2 == 1} for n in range(len(TEXTS))])
    return collection


def get_explanation(hit: vecsearch.Hit) -> vecsearch.Explanation:
    assert hit.explanation is not None
    return hit.explanation


def list_ids(hits: Sequence[vecsearch.Hit]) -> list[str]:
    return [hit.id for hit in hits]


# -- grouped, collapsed, varied, widened


@pytest.mark.parametrize("mode", vecsearch.Mode)
def test_by_document_each_stands_once_with_its_best_chunk_and_how_many_more(mixed: vecsearch.Collection, mode: AnyMode) -> None:
    chunks = mixed.search("when does the lease of a house end", mode=mode, limit=1000)
    hits = mixed.search("when does the lease of a house end", mode=mode, limit=1000, group_by="document")
    assert Counter(list_ids(chunks))["leases"] > 3
    assert list_ids(hits) == list(dict.fromkeys(list_ids(chunks)))
    best = {hit.id: hit for hit in reversed(chunks)}
    assert [(hit.chunk_index, hit.score) for hit in hits] == [(best[hit.id].chunk_index, best[hit.id].score) for hit in hits]
    last = list_ids(chunks).index(hits[-1].id)
    assert [hit.group_size for hit in hits] == [Counter(list_ids(chunks[: last + 1]))[hit.id] - 1 for hit in hits]


def test_as_many_documents_come_back_as_are_asked_for(tmp_path: Path) -> None:
    """One long document has all the nearest chunks; the others are there nevertheless."""
    random = np.random.default_rng(3)
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add([LEASES * 80], ids=["long"])
        collection.add([f"about {n}" for n in range(30)], ids=[str(n) for n in range(30)], vectors=random.normal(size=(30, 32)))
        assert len(collection.search("the lease of the house", mode="dense", limit=1000)) > 400
        for mode in ("dense", "hybrid"):
            assert len(collection.search("the lease of the house", mode=mode, limit=31, group_by="document")) == 31


@pytest.mark.parametrize("mode", vecsearch.Mode)
def test_what_is_left_of_near_duplicates_does_not_depend_on_how_many_are_asked_for(tmp_path: Path, mode: AnyMode) -> None:
    """What means and what says the same are others here, and a hit stands for many: so both sides have to look deep."""
    random = np.random.default_rng(1)
    words = ["bat", "bank", "spring", "model", "crane", *(f"w{n}q" for n in range(7))]
    texts = [" ".join(random.choice(words, size=random.integers(1, 4))) for _ in range(3000)]
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder(dimension=8)) as collection:
        collection.add(texts, ids=[str(n) for n in range(3000)], vectors=random.normal(size=(3000, 8)))
        all_hits = collection.search("a crane at the bank", mode=mode, limit=3000, dedupe=True)
        for limit in (1, 10, 50, 150):
            hits = collection.search("a crane at the bank", mode=mode, limit=limit, dedupe=True)
            assert [(hit.id, hit.score) for hit in hits] == [(hit.id, hit.score) for hit in all_hits[:limit]]


def test_collapsed_word_forms_and_near_duplicates_stand_behind_the_best(mixed: vecsearch.Collection) -> None:
    plain = mixed.search("jump", limit=8)
    assert {"jump", "jumping", "jumps"} <= set(list_ids(plain))
    deduped_hits = mixed.search("jump", limit=8, dedupe=True)
    assert deduped_hits[0].id == "jump" and deduped_hits[0].group_size == 2
    assert not {"jumping", "jumps"} & set(list_ids(deduped_hits))
    assert {"leap", "hop"} <= set(list_ids(deduped_hits))
    bats = [hit for hit in mixed.search("bats hunt moths at dusk", limit=8, dedupe=True) if hit.id.startswith("bats")]
    assert [hit.group_size for hit in bats] == [1]


words = st.frozensets(st.sampled_from("abcdefghijklmnopqrst"), max_size=20)


@given(first=words, other=words)
def test_alike_is_mutual_and_every_text_with_a_word_is_like_itself(first: frozenset[str], other: frozenset[str]) -> None:
    assert is_near_duplicate(first, other) == is_near_duplicate(other, first)
    assert is_near_duplicate(first, first) == bool(first)
    if is_near_duplicate(first, other):
        assert len(first & other) / len(first | other) >= 0.9


def test_mmr_of_one_is_the_ranking_and_less_is_varied(mixed: vecsearch.Collection) -> None:
    plain = mixed.search("jump", limit=4)
    assert list_ids(mixed.search("jump", limit=4, mmr=1.0)) == list_ids(plain)
    assert {"jumping", "jumps"} <= set(list_ids(plain))
    varied = mixed.search("jump", limit=4, mmr=0.3)
    assert varied[0].id == plain[0].id
    assert len({"jumping", "jumps"} & set(list_ids(varied))) < 2


def test_mmr_is_its_formula(tmp_path: Path) -> None:
    """Greedy choice over every row, worked out anew for each pick."""
    random = np.random.default_rng(5)
    rows = random.normal(size=(40, 384)) + 2 * np.eye(384)[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with vecsearch.open(tmp_path / "x.vec", precision="float32") as collection:
        collection.add(["text"] * 40, ids=[str(n) for n in range(40)], vectors=rows)
        picked_rows = [int(key) for key in list_ids(collection.search(np.eye(384)[0], limit=6, mmr=0.4))]
    near, picks = rows[:, 0], [int(np.argmax(rows[:, 0]))]
    while len(picks) < 6:
        value = {n: 0.4 * near[n] / near.max() - 0.6 * (rows[picks] @ rows[n]).max() for n in range(40) if n not in picks}
        picks.append(max(value, key=lambda n: value[n]))
    assert picked_rows == picks


def test_expanded_hits_have_their_neighbours(mixed: vecsearch.Collection) -> None:
    (document,) = mixed.get("leases")
    for hit in mixed.search("the lease of house 30", where={"n": 0}, limit=5, window=1):
        around, places = hit.window, document.chunks[max(0, hit.chunk_index - 1) : hit.chunk_index + 2]
        assert around is not None
        assert (around.start, around.end) == (places[0].start, places[-1].end)
        assert around.text == LEASES[around.start : around.end]
    assert mixed.search("bats", limit=1)[0].window is None


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(["dense", "lexical"]), limit=st.integers(1, 30), bound=st.integers(0, 11), odd=st.booleans(),
    group=st.sampled_from([None, "document"]), query=st.sampled_from(["jump", "the bank of the river", "lease of house 12"]),
)  # fmt: skip
def test_a_filter_takes_rows_away_and_changes_nothing_else(
    mixed: vecsearch.Collection, mode: AnyMode, limit: int, bound: int, odd: bool, group: Any, query: str
) -> None:
    all_hits = mixed.search(query, mode=mode, limit=1000, group_by=group)
    where = {"n": {"$lt": bound}, "odd": odd}
    expected = [hit for hit in all_hits if hit.metadata["n"] < bound and hit.metadata["odd"] == odd][:limit]
    hits = mixed.search(query, mode=mode, limit=limit, group_by=group, where=where)
    assert [(hit.id, hit.chunk_index, hit.score) for hit in hits] == [(hit.id, hit.chunk_index, hit.score) for hit in expected]


@given(bound=st.integers(0, 11), odd=st.booleans(), query=st.sampled_from(["jump", "the bank of the river", "lease of house 12"]))
def test_under_a_filter_each_side_says_the_same_and_feedback_comes_from_what_is_left(
    mixed: vecsearch.Collection, bound: int, odd: bool, query: str
) -> None:
    where = {"n": {"$lt": bound}, "odd": odd}
    every, hits = (mixed.search(query, limit=1000, where=condition, explain=True) for condition in (None, where))
    sides = {
        (hit.id, hit.chunk_index): get_sides(hit) for hit in every if hit.metadata["n"] < bound and hit.metadata["odd"] == odd
    }
    assert {(hit.id, hit.chunk_index): get_sides(hit) for hit in hits} == sides
    if hits:
        assert hits[0].explanation is not None and hits[0].explanation.components["feedback"].score > 0


def get_sides(hit: vecsearch.Hit) -> dict[str, float]:
    assert hit.explanation is not None
    return {name: part.score for name, part in hit.explanation.components.items() if name in ("dense", "lexical")}


# -- examples


def get_vectors(document: vecsearch.Document) -> Any:
    assert document.vectors is not None
    return document.vectors


def test_every_example_votes_by_the_third_power_of_its_cosine_beyond_the_mean(mixed: vecsearch.Collection) -> None:
    hits = mixed.recommend(["jump", "river"], ["money"], limit=100)
    assert not {"jump", "river", "money"} & set(list_ids(hits))
    assert set(list_ids(hits)[:2]) == {"jumping", "jumps"}
    documents = mixed.get(list(mixed), include_vectors=True)
    rows = {(document.id, n): row for document in documents for n, row in enumerate(get_vectors(document))}
    mean = np.mean(list(rows.values()), axis=0) * len(rows) / (len(rows) + 16)
    centered = {key: (row - mean) / np.linalg.norm(row - mean) for key, row in rows.items()}
    for hit in hits:
        key = (hit.id, hit.chunk_index)
        votes = [(centered[key] @ centered[example, 0]) ** 3 for example in ("jump", "river", "money")]
        assert hit.score**3 == pytest.approx((votes[0] + votes[1] - 0.5 * votes[2]) / 2.5, abs=1e-4)
        assert hit.similarity == pytest.approx(max(rows[key] @ rows[example, 0] for example in ("jump", "river")), abs=1e-3)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_in_a_large_collection_the_best_are_found_and_pages_hold_each_once(tmp_path: Path) -> None:
    draws = np.random.default_rng(3)
    topics = draws.normal(size=(40, 24))
    rows = topics[np.arange(5_000) % 40] + draws.normal(size=(5_000, 24)) + 1
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder(dimension=24)) as collection:
        ids = [f"{n:04}" for n in range(5_000)]
        collection.add(None, ids=ids, vectors=rows, metadatas=[{"n": n} for n in range(5_000)])
        likes, dislikes = [ids[n] for n in (0, 40, 80, 7, 47, 13)], [ids[3], ids[43]]
        whole = collection.recommend(likes, dislikes, limit=5_000)
        assert sorted(list_ids(whole)) == sorted(set(ids) - {*likes, *dislikes})
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        centered = unit - unit.mean(axis=0)
        centered /= np.linalg.norm(centered, axis=1, keepdims=True)
        weights = np.array([1] * 6 + [-0.5] * 2)
        exact = (centered @ centered[[int(id) for id in (*likes, *dislikes)]].T) ** 3 @ weights
        exact[[int(id) for id in (*likes, *dislikes)]] = -9
        best = set(np.argsort(-exact)[:20].tolist())
        assert len(best & {int(id) for id in list_ids(whole)[:20]}) >= 19
        pages = [hit.id for at in range(0, 1_200, 150) for hit in collection.recommend(likes, dislikes, limit=150, offset=at)]
        assert pages == list_ids(whole)[:1_200]
        similar = [hit.id for hit in whole if hit.similarity is not None and hit.similarity >= 0.5]
        assert len(similar) > 400  # more than are near to the profile's directions at first
        assert set(list_ids(collection.recommend(likes, dislikes, limit=5_000, min_similarity=0.5))) == set(similar)
        assert len(collection.recommend(likes, limit=30, where={"n": {"$lt": 100}})) == 30


def test_examples_may_be_texts_and_all_options_hold(mixed: vecsearch.Collection) -> None:
    hits = mixed.recommend([{"text": "animals that fly at night"}], limit=2, dedupe=True, group_by="document")
    assert hits[0].id in ("bats", "bats2") and hits[0].group_size == 1
    assert (
        list_ids(mixed.recommend(["jump"], limit=5, where={"odd": True}))
        == list_ids([hit for hit in mixed.recommend(["jump"], limit=50) if hit.metadata["odd"]])[:5]
    )


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (([],), "at least one"), (("jump",), "a list of positive examples"), ((["jump"], "bats"), "a list of negative ones"),
        ((["nothing"],), "no document with id 'nothing'"), (([3],), "got 3"), (([{"texts": "x"}],), "got {'texts': 'x'}"),
    ],
)  # fmt: skip
def test_examples_that_are_none_are_refused(mixed: vecsearch.Collection, examples: Any, message: str) -> None:
    with pytest.raises(vecsearch.InputError, match=message):
        mixed.recommend(*examples)


# -- reasons


@pytest.mark.parametrize("query", ["jump", "who lends money for a house", "moths over the river at dusk", "lease of house 12"])
@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_the_shares_of_the_tokens_add_up_to_the_similarity(mixed: vecsearch.Collection, query: str, mode: AnyMode) -> None:
    for hit in mixed.search(query, mode=mode, limit=5, explain=True):
        assert hit.explanation is not None and hit.similarity is not None
        assert sum(share.weight for share in hit.explanation.tokens) + hit.explanation.remainder == pytest.approx(
            hit.similarity, abs=1e-5
        )
        assert all(hit.start <= share.start < share.end <= hit.end for share in hit.explanation.tokens)
        assert all(token.end <= other.start for token, other in pairwise(hit.explanation.tokens))


def test_a_share_is_what_its_token_brings(mixed: vecsearch.Collection, encoder: Any) -> None:
    """By the definition, from the model's own token vectors."""
    (hit,) = mixed.search("moths", mode="dense", limit=1, explain=True)
    query = encoder.encode_queries(["moths"])[0]
    rows = encoder.encode_tokens([hit.text])[0].rows
    expected = rows @ query / (len(rows) * np.linalg.norm(rows.mean(axis=0)))
    assert [share.weight for share in get_explanation(hit).tokens] == pytest.approx(list(expected[1:-1]), abs=1e-4)


def test_a_chunk_is_encoded_again_once_its_shares_are_read(tmp_path: Path, counting_encoder: CountingEncoder) -> None:
    with vecsearch.open(tmp_path / "a.vec", model=counting_encoder) as notes:
        notes.add(list(TEXTS.values()), ids=list(TEXTS))
        first, second = notes.search("moths over the river", limit=2, explain=True)
        untouched = notes.search("moths over the river", limit=2)
        assert [hit.similarity for hit in untouched] == [first.similarity, second.similarity]
        assert "dense" in get_explanation(first).components and counting_encoder.of_tokens == []
        notes.delete([first.id])
    shares = get_explanation(first).tokens  # of what was found, though it is gone, and the collection closed
    assert sum(share.weight for share in shares) + get_explanation(first).remainder == pytest.approx(first.similarity)
    assert counting_encoder.of_tokens == [first.text]
    copies = [pickle.loads(pickle.dumps(hit)) for hit in (first, second)] + [copy.deepcopy(first), replace(first, score=0.0)]
    assert counting_encoder.of_tokens == [first.text, second.text]
    assert [get_explanation(hit) for hit in copies] == [get_explanation(hit) for hit in (first, second, first, first)]
    assert get_explanation(first) != get_explanation(second)
    assert first.to_dict()["explanation"]["sentence"]["start"] == get_explanation(copies[0]).sentence.start  # type: ignore[union-attr]
    assert counting_encoder.of_tokens == [first.text, second.text]


def test_shares_that_cannot_be_computed_are_asked_for_again(tmp_path: Path, counting_encoder: CountingEncoder) -> None:
    with vecsearch.open(tmp_path / "a.vec", model=counting_encoder) as notes:
        notes.add(["moths over the river"])
        explanation = get_explanation(notes.search("moths", explain=True)[0])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(counting_encoder, "encode_tokens", lambda texts, **_: [])
            with pytest.raises(vecsearch.EncodingError, match="tokens of 0 texts for 1"):
                _ = explanation.tokens
        assert explanation.tokens


def test_ranks_scores_sentence_and_plan(mixed: vecsearch.Collection) -> None:
    hits = mixed.search("where do they hunt moths", limit=3, explain=True, where={"n": {"$lte": 8}})
    bats = next(hit for hit in hits if hit.id == "bats")
    explanation, profile, unfiltered = get_explanation(bats), hits.profile, mixed.search("moths").profile
    assert explanation.components["dense"].score == pytest.approx(bats.similarity)
    assert explanation.components["lexical"].rank in {1, 2}
    sentence = explanation.sentence
    assert sentence is not None and profile is not None and unfiltered is not None
    assert TEXTS["bats"][sentence.start : sentence.end] == "They hunt moths over the river."
    assert profile.access is vecsearch.VectorAccess.ROWS
    assert profile.matching < profile.chunks
    assert list(profile.timings_ms) == ["filter", "candidates", "diversity", "texts", "explanations"]
    assert unfiltered.access is vecsearch.VectorAccess.INDEX
    assert mixed.search("moths")[0].explanation is None


def test_lexical_reasons_need_no_model(mixed: vecsearch.Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixed, "_load_encoder_of", lambda info: pytest.fail("no model is needed"))
    (hit,) = mixed.search("moths river", mode="lexical", limit=1, explain=True)
    explanation = get_explanation(hit)
    sentence = explanation.sentence
    assert sentence is not None
    assert hit.text[sentence.start : sentence.end] == "They hunt moths over the river" + hit.text[sentence.end - 1 : sentence.end]
    assert list(explanation.components) == ["lexical"] and explanation.tokens == ()


def test_the_shell_shows_reasons_in_text_and_json(mixed: vecsearch.Collection, shell: Any) -> None:
    folder = mixed.path
    result = shell("search", "who lends money", "--explain", "-n", 1, "--db", folder)
    assert result.status == 0
    assert "words: " in result.out and "best sentence (" in result.out and "plan: " in result.out and "lexical " in result.out
    assert "\x1b[" not in result.out
    value = json.loads(shell("search", "who lends money", "--explain", "-n", 1, "--json", "--db", folder).out)
    (hit,) = value["hits"]
    assert sum(token["weight"] for token in hit["explanation"]["tokens"]) + hit["explanation"]["remainder"] == pytest.approx(
        hit["similarity"]
    )
    assert value["profile"]["access"] == "index"
    plain = json.loads(shell("search", "who lends money", "-n", 1, "--json", "--db", folder).out)
    assert set(plain["hits"][0]) == {
        "id", "chunk_index", "score", "similarity", "text", "title", "source", "start", "end", "metadata", "location",
        "snippet",
    }  # fmt: skip


# -- a second look


@pytest.mark.parametrize("mode", vecsearch.Mode)
def test_a_second_look_reorders_the_candidates_and_loses_none(mixed: vecsearch.Collection, mode: AnyMode) -> None:
    plain = mixed.search("the bank of the river", mode=mode, limit=100)
    reranked_hits = mixed.search("the bank of the river", mode=mode, limit=100, rerank=True, explain=True)
    assert sorted((hit.id, hit.chunk_index) for hit in reranked_hits) == sorted((hit.id, hit.chunk_index) for hit in plain)
    assert reranked_hits[0].id == "river"
    assert [hit.score for hit in reranked_hits] == sorted((hit.score for hit in reranked_hits), reverse=True)
    assert get_explanation(reranked_hits[0]).components["rerank"].rank == 1


def test_late_interaction_is_its_formula(mixed: vecsearch.Collection, encoder: Any) -> None:
    """MaxSim with the idf of the words as weights, anywhere and in one stretch, and the likeness to the first two."""
    where, question = {"n": {"$gte": 8}}, "the bank of the river"
    before = {hit.id: hit for hit in mixed.search(question, where=where, limit=10)}
    scores = {hit.id: hit.score for hit in mixed.search(question, where=where, limit=10, rerank=True)}
    (question_rows, *rows) = [
        text_tokens.rows for text_tokens in encoder.encode_tokens([question, *(TEXTS[key] for key in before)])
    ]
    with mixed._open_snapshot() as snapshot:
        rarity = snapshot.idf(parse_terms(snapshot, question))
        mean = snapshot.load_vectors(snapshot.sample_chunks(512).tolist()).mean(axis=0)  # there are fewer
    max_idf = max(rarity.values())
    weights = np.array([0.1 * max_idf] * 7)
    weights[2], weights[5] = rarity["bank"], rarity["river"]  # [CLS] the bank of the river [SEP]
    unit = lambda matrix: matrix / np.linalg.norm(matrix, axis=-1, keepdims=True)  # noqa: E731
    shares = weights / weights.sum()

    def compute_maxsim(row: np.ndarray) -> float:
        cosines = unit(question_rows) @ unit(row).T
        stretches = [cosines[:, start : start + 16] for start in range(0, max(len(row) - 8, 1), 8)]
        anywhere, *apart = [float(shares @ part.max(axis=1).clip(0) ** 2) for part in [cosines, *stretches]]
        return (anywhere + max(apart)) / 2

    late = {key: before[key].score + 3 * compute_maxsim(row) for key, row in zip(before, rows, strict=True)}
    pooled = {key: unit(unit(row.mean(axis=0)) - mean) for key, row in zip(before, rows, strict=True)}
    first = unit(np.mean([pooled[key] for key in sorted(late, key=lambda key: -late[key])[:2]], axis=0))
    assert scores == pytest.approx({key: late[key] + 0.7 * float(pooled[key] @ first) for key in late}, abs=2e-3)


def test_reranking_goes_with_the_vectors_that_there_are(tmp_path: Path) -> None:
    """A chunk that waits for its vector is like no other; what was learned before it came is forgotten."""
    path, folder, question = tmp_path / "x.vec", tmp_path / "files", "the bank of the river"
    folder.mkdir()
    for key, text in TEXTS.items():
        (folder / f"{key}.txt").write_text(text)
    with vecsearch.open(path) as stays:
        stays.index([folder], vectors=False)
        waiting = stays.search(question, rerank=True)
        assert waiting[0].id == "files/river.txt"
        stays.fill_vectors()
        with vecsearch.open(path, readonly=True) as fresh:
            expected = [(hit.id, hit.score) for hit in fresh.search(question, rerank=True)]
        assert [(hit.id, hit.score) for hit in stays.search(question, rerank=True)] == expected


def test_a_reranker_that_is_not_there_is_named(mixed: vecsearch.Collection, shell: Any, tmp_path: Path) -> None:
    result = shell("search", "river", "--rerank", str(tmp_path / "no-model"), "--db", mixed.path)
    assert result.status == 1
    assert "no-model" in result.err
    with pytest.raises(vecsearch.UsageError, match="vector"):
        mixed.search(np.ones(384), rerank=True)


def test_a_cross_encoder_from_a_folder(mixed: vecsearch.Collection, tiny_cross_encoder: Path) -> None:
    hits = mixed.search("river", limit=50, rerank=str(tiny_cross_encoder), explain=True)
    assert sorted(list_ids(hits)) == sorted(list_ids(mixed.search("river", limit=50)))
    scores = [get_explanation(hit).components["rerank"].score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert [hit.score for hit in hits] == scores


@pytest.fixture(scope="module")
def tiny_cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a cross-encoder's folder with random weights: what is tested is that one is read and asked."""
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.models.bert.tokenization_bert import BertTokenizer

    folder = tmp_path_factory.mktemp("cross") / "model"
    source = tmp_path_factory.mktemp("vocabulary")
    (source / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]))
    tokenizer = BertTokenizer(str(source / "vocab.txt"))
    config = BertConfig(vocab_size=31, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(source)
    tokenizer.save_pretrained(source)
    CrossEncoder(str(source), device="cpu").save_pretrained(str(folder))
    return folder


# -- nothing here


def test_auto_leaves_out_what_is_as_far_as_chance(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec") as collection:
        collection.index([SAMPLE_DATA / "docs"])
        hits = collection.search("a model on the runway", min_similarity="auto", limit=50)
        assert hits[0].id.endswith("fashion/life-on-the-catwalk.md")
        assert len(hits) < len(collection.search("a model on the runway", limit=50))
        assert hits.profile is not None and hits.profile.min_similarity is not None
        assert 0.1 < hits.profile.min_similarity < 0.6
        assert collection.search("segmentation fault in the kernel module of a graphics driver", min_similarity="auto") == []
        assert len(collection.search("segmentation fault in the kernel module of a graphics driver")) == 10


def test_auto_in_a_small_collection_warns_and_leaves_nothing_out(mixed: vecsearch.Collection) -> None:
    with pytest.warns(vecsearch.VecsearchWarning, match="too few documents"):
        assert len(mixed.search("jump", min_similarity="auto")) == 10


# -- a context for a language model


def test_a_context_is_made_of_whole_sentences_of_the_best_passages(mixed: vecsearch.Collection, encoder: Any) -> None:
    context = mixed.context("where do bats hunt", max_tokens=60)
    assert context.tokens == len(encoder.token_spans(context.to_markdown())) <= 60
    assert context.sources[0].id in ("bats", "bats2")
    for passage in context.passages:
        document_text = TEXTS[next(source.id for source in context.sources if source.number == passage.source_number)]
        starts, ends = (
            {sentence.start for sentence in split_sentences(document_text)},
            {sentence.end for sentence in split_sentences(document_text)},
        )
        assert passage.start in starts and passage.end in ends
    assert mixed.context("where do bats hunt", max_tokens=1).passages == ()


def test_the_shell_packs_a_context(mixed: vecsearch.Collection, shell: Any) -> None:
    folder = mixed.path
    result = shell("context", "where do bats hunt", "--max-tokens", 80, "--db", folder)
    assert result.status == 0 and result.out.startswith("[1] bats")
    value = json.loads(shell("context", "where do bats hunt", "--max-tokens", 80, "--json", "--db", folder).out)
    assert value["query"] == "where do bats hunt" and value["tokens"] <= 80
    assert {passage["source_number"] for passage in value["passages"]} <= {source["number"] for source in value["sources"]}


# -- bad options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_by": "author"}, "group_by"), ({"mmr": 2}, "mmr"), ({"mmr": True}, "mmr"), ({"window": -1}, "window"),
        ({"min_similarity": "often"}, "min_similarity"), ({"limit": 0}, "limit"),
        ({"fusion": "sum"}, "fusion must be one of tmm"),
        ({"mode": "fuzzy"}, "mode"), ({"mode": "lexical", "min_similarity": "auto"}, "lexical"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_named(mixed: vecsearch.Collection, options: dict[str, Any], message: str) -> None:
    with pytest.raises(vecsearch.InputError, match=message):
        mixed.search("jump", **options)


def test_an_unknown_option_is_a_type_error(mixed: vecsearch.Collection) -> None:
    with pytest.raises(TypeError, match="top_k"):
        mixed.search("jump", top_k=3)  # type: ignore[call-overload]
