"""What a search asks a store for, question by question, each against the formula or the stored text."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.stores.contract.documents import (
    COLLECTION,
    find_chunk,
    locate,
    make_document,
    make_vector,
    open_snapshot,
    parse,
    round_vectors,
    write,
)
from vecsearch.core.filters import Exists
from vecsearch.core.settings import UNSEEN_TERM_WEIGHT
from vecsearch.stores.base import NO_CHUNKS, NO_IDS, ChunkText, ScoredChunks, Store
from vecsearch.text.query_parser import ClauseKind, QueryClause


def compute_idf(total: int, count: int) -> float:
    return math.log(1 + (total - count + 0.5) / (count + 0.5))


def test_equal_scores_go_to_the_chunk_stored_first(store: Store) -> None:
    """Also after the first was stored again, which gives it new chunks."""
    write(store, [make_document(id, "river bank") for id in "cab"])
    write(store, [make_document(id, "river bank") for id in "ed"])
    with open_snapshot(store) as snapshot:
        assert [id for id, _ in locate(snapshot, snapshot.find_nearest(make_vector("river"), 3).ranked)] == ["c", "a", "b"]
        assert [id for id, _ in locate(snapshot, snapshot.match(parse("river"), 4).ranked)] == ["c", "a", "b", "e"]
    write(store, [make_document("c", "river bank")])
    with open_snapshot(store) as snapshot:
        for chunks in (snapshot.find_nearest(make_vector("river"), 9).ranked, snapshot.match(parse("river"), 9).ranked):
            assert [id for id, _ in locate(snapshot, chunks)] == ["a", "b", "e", "d", "c"]
            assert len({chunk.score for chunk in chunks}) == 1


def test_excluded_chunks_make_room_for_others(store: Store) -> None:
    write(store, [make_document(f"{n:02}", "\n".join(f"text {n} {line}" for line in range(3))) for n in range(20)])
    query = make_vector("query")
    with open_snapshot(store) as snapshot:
        all_chunks = snapshot.find_nearest(query, 60).ranked
        exclude = all_chunks.ids[[0, 1, 4]]
        expected = [chunk.chunk_id for position, chunk in enumerate(all_chunks) if position not in (0, 1, 4)]
        rest = snapshot.find_nearest(query, 10, exclude=exclude)
        assert [chunk.chunk_id for chunk in rest.ranked] == expected[:10] and not rest.exhausted
        hits = snapshot.find_nearest(query, 100, exclude=exclude, within=snapshot.select(Exists("missing")))
        assert len(hits.ranked) == 0 and hits.exhausted
        assert len(snapshot.find_nearest(query, 100, exclude=exclude).ranked) == 57


def test_similarities_and_vectors_of_chosen_chunks(store: Store) -> None:
    documents = [make_document(f"{n:02}", f"one {n}\ntwo {n}") for n in range(20)]
    write(store, documents)
    query = make_vector("query")
    with open_snapshot(store) as snapshot:
        chunks = [find_chunk(snapshot, "13", 1), find_chunk(snapshot, "02"), find_chunk(snapshot, "13", 0)]
        expected = round_vectors(np.stack([documents[13].vectors[1], documents[2].vectors[0], documents[13].vectors[0]]))
        rows = snapshot.load_vectors(chunks)
        assert rows.dtype == np.float32 and np.array_equal(rows, expected)
        missing = max(find_chunk(snapshot, f"{n:02}", 1) for n in range(20)) + 1
        cosines = snapshot.compute_similarities(query, np.sort([*chunks, missing]))
        assert cosines.ids.tolist() == sorted(chunks)
        assert dict(cosines) == pytest.approx(dict(zip(chunks, (expected @ query).tolist(), strict=True)), abs=1e-3)
        assert len(snapshot.compute_similarities(query, NO_IDS)) == 0


def test_bm25_by_hand(store: Store) -> None:
    """Titles, contexts and texts count; a phrase must follow itself within one of them."""
    write(
        store,
        [
            make_document("a", "river bank river"),
            make_document("b", "bank of a river", title="river"),
            make_document("c", "loan", context="bank river"),
            make_document("d", "spring at last", title="the river", context="bank"),
            make_document("e", "nothing"),
        ],
    )
    lengths = {"a": 3, "b": 5, "c": 3, "d": 6, "e": 1}
    mean = sum(lengths.values()) / 5

    def score(counts: dict[str, int], holders: int) -> dict[str, float]:
        idf = compute_idf(5, holders)
        return {id: idf * count * 2.2 / (count + 1.2 * (1 - 0.75 + 0.75 * lengths[id] / mean)) for id, count in counts.items()}

    with open_snapshot(store) as snapshot:
        for query, expected in (
            ("river", score({"a": 2, "b": 2, "c": 1, "d": 1}, 4)),
            ('"river bank"', score({"a": 1, "d": 1}, 2)),
            ('"bank river"', score({"a": 1, "c": 1}, 2)),
            ('"river of"', {}),
            ('"river bank of"', {}),  # across the border between a title and a text
        ):
            hits = snapshot.match(parse(query), 9)
            scores = {hit.id: hit.score for hit in snapshot.load_hits(hits.ranked, None)}
            assert scores == pytest.approx(expected, rel=1e-6)
            assert [chunk.score for chunk in hits.ranked] == sorted(scores.values(), reverse=True)


def test_a_form_or_prefix_counts_its_idf(store: Store) -> None:
    write(store, [make_document("a", "riverside river"), make_document("b", "rivers and rivers"), make_document("c", "bank")])
    prefix = QueryClause(ClauseKind.PREFIX, "river", weight=0.5)
    form = QueryClause(ClauseKind.FORM, "rivers", is_identifier=True)
    with open_snapshot(store) as snapshot:
        hits = snapshot.match([prefix, form], 9)
        scores = {hit.id: hit.score for hit in snapshot.load_hits(hits.ranked, None)}
    assert scores == pytest.approx({"a": 0.5 * compute_idf(3, 2), "b": 0.5 * compute_idf(3, 2) + compute_idf(3, 1)})
    assert hits.max_score == pytest.approx(0.5 * compute_idf(3, 2) + compute_idf(3, 1))
    assert hits.identifier_share == 1.0


def test_the_highest_score_and_the_share_of_identifiers(store: Store) -> None:
    write(store, [make_document("a", "river bank"), make_document("b", "river"), make_document("c", "river")])
    query = [
        QueryClause(ClauseKind.WORD, "river"),
        QueryClause(ClauseKind.WORD, "bank", is_identifier=True),
        QueryClause(ClauseKind.WORD, "nowhere", weight=0.5),
    ]
    river, bank, nowhere = compute_idf(3, 3), compute_idf(3, 1), compute_idf(3, 0)
    with open_snapshot(store) as snapshot:
        hits = snapshot.match(query, 1)
        assert hits.max_score == pytest.approx(2.2 * (river + bank + 0.5 * nowhere * UNSEEN_TERM_WEIGHT))
        assert hits.identifier_share == pytest.approx(bank / (river + bank + nowhere))
        assert snapshot.idf(query) == pytest.approx({"river": river, "bank": bank, "nowhere": nowhere})
        assert snapshot.idf(parse('"river bank" riv* nowhere')) == pytest.approx({"nowhere": nowhere})
        no_hits = snapshot.match(parse("nowhere"), 9)
        assert len(no_hits.ranked) == 0 and no_hits.max_score == pytest.approx(2.2 * nowhere * UNSEEN_TERM_WEIGHT)


def test_a_match_scores_any_chunk_and_can_be_extended(store: Store) -> None:
    write(store, [make_document(f"{n}", "river " * (6 - n) + "bank " * n) for n in range(6)])
    write(store, [make_document("other", "spring")])
    with open_snapshot(store) as snapshot:
        all_chunks = snapshot.match(parse("river"), 9).ranked
        assert [id for id, _ in locate(snapshot, all_chunks)] == ["0", "1", "2", "3", "4", "5"]
        ids = np.array([*(find_chunk(snapshot, id) for id in ("5", "0", "other", "3")), 10**9], np.int64)
        hits = snapshot.match(parse("river"), 2)
        assert list(hits.ranked) == list(all_chunks[:2])
        assert hits.score(ids).tolist() == [*all_chunks.scores[[5, 0]], 0.0, all_chunks.scores[3], 0.0]
        assert list(hits.extend(5).ranked) == list(all_chunks[:5])
        for k, least in ((9, 3), (2, 3), (9, 5)):  # what scores as much, and no more than k of it
            ranked = hits.extend(k, least=float(all_chunks.scores[least])).ranked
            assert list(ranked) == list(all_chunks[: min(k, least + 1)])
        assert len(hits.extend(9, least=float(np.nextafter(all_chunks.scores[0], 9))).ranked) == 0
        assert hits.score(NO_IDS).tolist() == []


def test_stems_follow_the_stemmer(store: Store) -> None:
    write(store, [make_document("a", "rivers"), make_document("b", "river")])
    with open_snapshot(store) as snapshot:
        assert [id for id, _ in locate(snapshot, snapshot.match(parse("river"), 9).ranked)] == ["b"]
    with store.open_writer(COLLECTION) as writer:
        writer.set_stemmer("en")
    with open_snapshot(store) as snapshot:
        assert snapshot.info.stemmer == "en"
        assert [id for id, _ in locate(snapshot, snapshot.match(parse("river"), 9).ranked)] == ["a", "b"]
    write(store, [make_document("c", "rivers")])
    with open_snapshot(store) as snapshot:
        assert [id for id, _ in locate(snapshot, snapshot.match(parse("river"), 9).ranked)] == ["a", "b", "c"]


def test_a_sample_is_spread_and_the_same_every_time(store: Store) -> None:
    write(store, [make_document(f"{n:03}", f"text {n}") for n in range(100)])
    with open_snapshot(store) as snapshot:
        ids = [find_chunk(snapshot, f"{n:03}") for n in range(100)]
        sample = snapshot.sample_chunks(10).tolist()
        assert len(sample) == 10 and sample == sorted(set(sample)) and set(sample) <= set(ids)
        assert max(np.diff([ids.index(chunk) for chunk in sample])) <= 12
        assert sample == snapshot.sample_chunks(10).tolist()
        assert snapshot.sample_chunks(1_000).tolist() == ids
        steady = snapshot.sample_chunks(40, steady=True).tolist()
        assert 20 <= len(steady) <= 40
    write(store, [make_document("more", "text")])
    with open_snapshot(store) as snapshot:
        assert set(steady) <= set(snapshot.sample_chunks(40, steady=True).tolist())


def test_hits_show_what_was_stored(store: Store) -> None:
    write(
        store,
        [
            make_document("plain", "one line"),
            make_document(
                "ünïcode", "ä first 🦭 line\nthe second\nthird", source="notes/a.txt", title="Title", context="Part › One",
                metadata={"n": 1, "deep": {"list": [1, None, "x"]}},
            ),
        ],
    )  # fmt: skip
    with open_snapshot(store) as snapshot:
        second, plain = find_chunk(snapshot, "ünïcode", 1), find_chunk(snapshot, "plain")
        ranked = ScoredChunks(np.array([second, plain, second]), np.array([0.5, 7.0, 0.1]))
        hits = snapshot.load_hits(ranked, np.array([0.25, 0.5, 0.25]))
        assert [(hit.id, hit.chunk_index, hit.score, hit.similarity) for hit in hits] == [
            ("ünïcode", 1, 0.5, 0.25), ("plain", 0, 7.0, 0.5), ("ünïcode", 1, 0.1, 0.25),
        ]  # fmt: skip
        assert [hit.similarity for hit in snapshot.load_hits(ranked, None)] == [None] * 3
        hit = hits[0]
        assert (hit.text, hit.start, hit.end, hit.title) == ("the second", 15, 25, "Title")
        assert hit.source == (store.source_root / "notes/a.txt").as_posix()
        assert hit.metadata == {"n": 1, "deep": {"list": [1, None, "x"]}} and hit.location == {"lines": [2, 2]}
        assert (hits[1].source, hits[1].title, hits[1].metadata) == (None, None, {})
        assert snapshot.load_chunk_texts([second, plain]) == [
            ChunkText("Title", "Part › One", "the second", 15), ChunkText(None, "", "one line", 0),
        ]  # fmt: skip
        assert snapshot.load_hits(NO_CHUNKS, None) == [] and snapshot.load_chunk_texts([]) == []


def test_windows_end_with_their_document(store: Store) -> None:
    text = "\n".join(f"line {n}" for n in range(5))
    write(store, [make_document("before", "x"), make_document("a", text), make_document("after", "y")])
    with open_snapshot(store) as snapshot:
        chunks = [find_chunk(snapshot, "a", n) for n in (0, 2, 4)]
        windows = snapshot.load_windows(chunks, 1)
        assert [window.text for window in windows] == ["line 0\nline 1", "line 1\nline 2\nline 3", "line 3\nline 4"]
        assert [text[window.start : window.end] for window in windows] == [window.text for window in windows]
        assert snapshot.load_windows(chunks[:1], 0)[0].text == "line 0"
        assert snapshot.load_windows(chunks[:1], 9)[0].text == text


def test_chunks_know_their_document(store: Store) -> None:
    write(store, [make_document("a", "1\n2\n3"), make_document("b", "1\n2")])
    with open_snapshot(store) as snapshot:
        chunks = snapshot.find_chunk_ids(["b", "missing", "a"])
        assert set(chunks) == {"a", "b"}
        assert [len(chunks["a"]), len(chunks["b"])] == [3, 2]
        assert chunks["a"].tolist() == sorted(chunks["a"].tolist())
        assert locate(snapshot, ScoredChunks(chunks["a"], np.zeros(3))) == [("a", 0), ("a", 1), ("a", 2)]
        rows = snapshot.find_document_rows([*chunks["a"].tolist(), *chunks["b"].tolist()])
        assert len({rows[int(chunk)] for chunk in chunks["a"]}) == 1
        assert len(set(rows.values())) == 2
    with store.open_writer(COLLECTION) as writer:
        writer.delete_documents(["a"])
        writer.commit([make_document("c", "1")])
    with open_snapshot(store) as snapshot:  # a number that was free again is not given to another document
        rows = snapshot.find_document_rows([find_chunk(snapshot, "b"), find_chunk(snapshot, "c")])
        assert len(set(rows.values())) == 2
