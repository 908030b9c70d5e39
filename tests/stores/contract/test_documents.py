"""Documents and files: what users list, and what a write compares with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checks import get_vectors
from tests.stores.contract.conftest import StoreMaker
from tests.stores.contract.documents import (
    COLLECTION,
    SPEC,
    make_document,
    make_file,
    make_pending_document,
    make_vector,
    open_snapshot,
    parse,
    round_vectors,
    write,
)
from vecsearch.core.filters import Compare, Comparison
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.preferences import Preference, ProfileSummary
from vecsearch.core.roots import IgnoredDocument, Root, RootList, RootOptions
from vecsearch.core.settings import LOADER_VERSION
from vecsearch.core.types import ChunkLocation, Document, Source, SourceState, Split, VectorOrigin
from vecsearch.stores.base import PreservedFields, QueryMap, Snapshot, Store, StoredSource

A_TXT, B_TXT, OUTSIDE = "notes/a.txt", "notes/deep/b.txt", "/elsewhere/c.txt"


@pytest.fixture
def filled_store(store: Store) -> Store:
    """Store two documents of one file, one of another, one of a file outside, one of none, and a file that gave none."""
    write(
        store,
        [
            make_document("a1", "river\nbank", source=A_TXT, title="A", metadata={"n": 1}),
            make_document("a2", "spring", source=A_TXT, metadata={"n": 2}),
            make_document("b", "dusk", source=B_TXT),
            make_document("c", "loan", source=OUTSIDE),
            make_document("none", "bat", metadata={"n": 1}),
        ],
        [make_file(A_TXT, digest="of a"), make_file(OUTSIDE), make_file("notes-2/empty.txt")],
    )
    return store


def test_documents_in_the_order_asked_for(filled_store: Store) -> None:
    with open_snapshot(filled_store) as snapshot:
        documents = snapshot.load_documents(["none", "missing", "a1", "none"])
        assert [document.id for document in documents] == ["none", "a1"]
        chunks = (ChunkLocation(0, 0, 5, {"lines": [1, 1]}), ChunkLocation(1, 6, 10, {"lines": [2, 2]}))
        source = (filled_store.source_root / A_TXT).as_posix()
        assert documents[1] == Document("a1", source, "A", "river\nbank", {"n": 1}, chunks)
        assert documents[0].source is None and documents[0].vectors is None
        (with_vectors,) = snapshot.load_documents(["a1"], include_vectors=True)
        expected = round_vectors(np.stack([make_vector("river"), make_vector("bank")]))
        assert get_vectors(with_vectors).dtype == np.float32 and np.array_equal(get_vectors(with_vectors), expected)


def test_ids_of_documents(filled_store: Store) -> None:
    root, where = filled_store.source_root, Compare("n", Comparison.EQUAL, 1)
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["a1", "a2", "b", "c", "none"]
        assert snapshot.list_document_ids(limit=2) == ["a1", "a2"]
        assert snapshot.list_document_ids(after="a2", limit=2) == ["b", "c"]
        assert snapshot.list_document_ids(after="none") == []
        assert snapshot.list_document_ids(where=where) == ["a1", "none"]
        assert snapshot.list_document_ids(where=where, after="a1", limit=1) == ["none"]
        for path, ids in {
            root / A_TXT: ["a1", "a2"], root / "notes": ["a1", "a2", "b"], root / "notes/deep": ["b"], root: ["a1", "a2", "b"],
            Path("/elsewhere"): ["c"], Path("/elsewhere/c.txt"): ["c"], Path("/"): ["a1", "a2", "b", "c"], root / "note": [],
            root / "notes/a.txt/x": [],
        }.items():  # fmt: skip
            assert snapshot.list_document_ids(source=[path]) == ids, path


def test_pages_of_documents(filled_store: Store) -> None:
    with open_snapshot(filled_store) as snapshot:
        documents = snapshot.summarize_documents(snapshot.list_document_ids())
        assert [(summary.id, summary.chunks, summary.state) for summary in documents] == [
            ("a1", 2, SourceState.INDEXED), ("a2", 1, SourceState.INDEXED), ("b", 1, SourceState.UNFINISHED),
            ("c", 1, SourceState.INDEXED), ("none", 1, SourceState.INDEXED),
        ]  # fmt: skip
        assert (documents[0].title, documents[0].source) == ("A", (filled_store.source_root / A_TXT).as_posix())
        assert snapshot.summarize_documents(snapshot.list_document_ids(limit=2, offset=1)) == documents[1:3]
        assert snapshot.summarize_documents(snapshot.list_document_ids(limit=9, offset=5)) == []


def test_files_and_how_they_stand(filled_store: Store) -> None:
    root = filled_store.source_root
    with filled_store.open_writer(COLLECTION) as writer:
        writer.record_failures({A_TXT: "is damaged", "new.txt": "cannot be read"})
    with open_snapshot(filled_store) as snapshot:
        files = snapshot.list_sources()
        assert [(file.source, file.state, file.documents, file.chunks, file.error) for file in files] == [
            (OUTSIDE, SourceState.INDEXED, 1, 1, None),
            ((root / "new.txt").as_posix(), SourceState.FAILED, 0, 0, "cannot be read"),
            ((root / "notes-2/empty.txt").as_posix(), SourceState.INDEXED, 0, 0, None),
            ((root / A_TXT).as_posix(), SourceState.FAILED, 2, 3, "is damaged"),
            ((root / B_TXT).as_posix(), SourceState.UNFINISHED, 1, 1, None),
        ]
        failed_sources: list[Source] = [files[1], files[3]]
        assert snapshot.list_sources(state=SourceState.FAILED) == failed_sources
        assert snapshot.list_sources(state=SourceState.FAILED, limit=1, offset=1) == failed_sources[1:]
        assert snapshot.list_sources(limit=2, offset=1) == files[1:3]
        assert (snapshot.count_sources(), snapshot.count_sources(state=SourceState.FAILED)) == (5, 2)
        summaries = {summary.id: summary for summary in snapshot.summarize_documents(snapshot.list_document_ids())}
        assert (summaries["a2"].state, summaries["a2"].error) == (SourceState.FAILED, "is damaged")
    write(filled_store, files=[make_file(A_TXT)])
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.count_sources(state=SourceState.FAILED) == 1  # read again without an error


def test_skipped_files_are_kept_apart(filled_store: Store) -> None:
    root = filled_store.source_root
    with filled_store.open_writer(COLLECTION) as writer:
        writer.record_failures({"notes-2/empty.txt": "is damaged"})
        writer.record_skips({"photo.png": "a picture", "notes-2/empty.txt": "is empty"})
    with open_snapshot(filled_store) as snapshot:
        skipped = snapshot.list_sources(state=SourceState.SKIPPED)
        assert [(file.source, file.state, file.documents, file.error) for file in skipped] == [
            ((root / "notes-2/empty.txt").as_posix(), SourceState.SKIPPED, 0, "is empty"),
            ((root / "photo.png").as_posix(), SourceState.SKIPPED, 0, "a picture"),
        ]
        assert (snapshot.count_sources(), snapshot.count_sources(state=SourceState.SKIPPED)) == (3, 2)
        stored = snapshot.find_stored_sources()["photo.png"]
        assert (stored.skipped, stored.digest, stored.documents) == ("a picture", None, 0)
    write(filled_store, files=[make_file("photo.png")])
    with filled_store.open_writer(COLLECTION) as writer:
        writer.record_failures({"notes-2/empty.txt": "is damaged"})
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_sources(state=SourceState.SKIPPED) == []
        assert (snapshot.count_sources(), snapshot.count_sources(state=SourceState.FAILED)) == (5, 1)


def test_roots_and_what_is_kept_away(filled_store: Store) -> None:
    root = filled_store.source_root
    options = RootOptions(Split.LINES, ("*.md",), ("old/",), 1000, password_file=(root / "passwords").as_posix())
    roots = [Root((root / "notes").as_posix(), options, "2026"), Root("/elsewhere", RootOptions(), "2025")]
    with filled_store.open_writer(COLLECTION) as writer:
        writer.set_roots([replace(roots[0], options=RootOptions()), roots[1]])
        writer.set_roots([roots[0]], changed=[root / "notes"])
    with open_snapshot(filled_store) as snapshot:
        assert sorted(snapshot.load_roots().roots, key=lambda root: root.indexed_at) == roots[::-1]
        assert {path for path, file in snapshot.find_stored_sources().items() if file.digest is None} == {A_TXT, B_TXT}
    write(filled_store, files=[make_file(A_TXT), make_file(B_TXT)])
    with filled_store.open_writer(COLLECTION) as writer:
        assert writer.forget_roots(["/elsewhere", "/missing"]) == 1
        assert writer.delete_documents(["a1", "none", "b"], ignore=True) == 3  # "none" has no file to come back from
    ignored = (IgnoredDocument((root / A_TXT).as_posix(), "a1"), IgnoredDocument((root / B_TXT).as_posix(), "b"))
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.load_roots() == RootList((roots[0],), ignored)
    write(filled_store, files=[make_file(A_TXT), make_file(B_TXT)])
    with filled_store.open_writer(COLLECTION) as writer:
        assert writer.stop_ignoring(["a1", "missing"]) == 1
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.load_roots().ignored == ignored[1:]
        assert {path for path, file in snapshot.find_stored_sources().items() if file.digest is None} == {A_TXT}


def test_saved_profiles(filled_store: Store) -> None:
    old, new = Preference("a", 1.0, "2026-01-01T00:00:00+00:00"), Preference("b", -0.5, "2026-01-02T00:00:00+00:00")
    with filled_store.open_writer(COLLECTION) as writer:
        version = writer.info.version if writer.info else None
        writer.set_preferences("ann", [old._replace(weight=-1.0), new])
        writer.set_preferences("ann", [old, Preference("not there", 1.0, old.at)])
        writer.set_preferences("Bob’s", [old])
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.load_profile("ann") == [new, old, Preference("not there", 1.0, old.at)]
        assert snapshot.load_profile("nobody") == []
        assert list(snapshot.list_profiles()) == [ProfileSummary("Bob’s", 1, 0, old.at), ProfileSummary("ann", 2, 1, new.at)]
        assert version is not None
    with filled_store.open_writer(COLLECTION) as writer:
        writer.delete_documents(["a", "b"])
        assert writer.delete_preferences("ann", ["b", "c"]) == 1
        assert writer.delete_preferences("nobody") == 0
        assert writer.delete_preferences("ann") == 2
        writer.set_preferences("ann", [])
    with open_snapshot(filled_store) as snapshot:
        assert [summary.name for summary in snapshot.list_profiles()] == ["Bob’s"]
        assert snapshot.load_profile("Bob’s") == [old]


def test_a_map_of_questions(filled_store: Store, make_store: StoreMaker) -> None:
    first, second = (QueryMap(np.full((SPEC.dimension,) * 2, value, np.float32), {"seed": value}) for value in (1, 2))
    with filled_store.open_writer(COLLECTION) as writer:
        assert not writer.set_query_map(None)
        assert not writer.set_query_map(first)
        assert writer.set_query_map(second)
    for store in (filled_store, make_store()):
        with open_snapshot(store) as snapshot:
            loaded = snapshot.load_query_map()
            assert loaded is not None and loaded.record == {"seed": 2}
            assert np.array_equal(loaded.matrix, second.matrix)
    with filled_store.open_writer(COLLECTION) as writer:
        assert writer.set_query_map(first)
        with open_snapshot(filled_store) as snapshot:
            loaded = snapshot.load_query_map()
            assert loaded is not None and np.array_equal(loaded.matrix, first.matrix)
        assert writer.set_query_map(None)
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.load_query_map() is None


def test_numbers_of_the_metadata(filled_store: Store) -> None:
    metadatas: list[dict[str, Any]] = [
        {"size": 3},
        {"size": -1.5, "m": {"size": 1}},
        {"size": "4"},
        {"size": [5]},
        {"size": True},
        {"size": None},
        {"o": 9},
        {"size": 2**70},
    ]
    write(filled_store, [make_document(f"n{at}", "river", metadata=metadata) for at, metadata in enumerate(metadatas)])
    with open_snapshot(filled_store) as snapshot:
        chunks = {id: chunk for id, (chunk, *_) in snapshot.find_chunk_ids([f"n{at}" for at in range(8)]).items()}
        numbers = snapshot.load_numbers("size")
        assert dict(zip(numbers.ids.tolist(), numbers.scores.tolist(), strict=True)) == {
            chunks["n0"]: 3.0, chunks["n1"]: -1.5, chunks["n7"]: 2.0**70
        }  # fmt: skip
        assert sorted(numbers.ids.tolist()) == numbers.ids.tolist()
        few = snapshot.load_numbers("size", within=snapshot.select(Compare("size", Comparison.LESS, 10)))
        assert few.scores.tolist() == [3.0, -1.5] and len(snapshot.load_numbers("missing")) == 0


def test_stored_files(filled_store: Store) -> None:
    root = filled_store.source_root
    with open_snapshot(filled_store) as snapshot:
        stored = snapshot.find_stored_sources()
        assert set(stored) == {A_TXT, B_TXT, OUTSIDE, "notes-2/empty.txt"}
        assert stored[A_TXT] == StoredSource(A_TXT, "of a", Split.LINES, None, False, LOADER_VERSION, 2)
        assert (stored[B_TXT].digest, stored[B_TXT].documents) == (None, 1)
        assert set(snapshot.find_stored_sources(below=[root / "notes"])) == {A_TXT, B_TXT}
        assert set(snapshot.find_stored_sources(below=[root / A_TXT, Path("/elsewhere")])) == {A_TXT, OUTSIDE}
        assert set(snapshot.find_stored_sources(below=[root])) == {A_TXT, B_TXT, "notes-2/empty.txt"}
        assert snapshot.find_stored_sources(below=[]) == {}
        asked = [A_TXT, A_TXT, "notes-2/empty.txt", "missing"]
        assert sorted(snapshot.iterate_source_document_ids(asked)) == [(A_TXT, "a1"), (A_TXT, "a2")]


def test_a_file_lets_documents_go(filled_store: Store) -> None:
    """Only its own: an id that another file gives by now stays."""
    write(filled_store, files=[make_file(A_TXT, digest="newer", removed=["a1", "c", "missing"])])
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["a2", "b", "c", "none"]
        assert snapshot.find_stored_sources()[A_TXT].digest == "newer"
    with filled_store.open_writer(COLLECTION) as writer:
        assert writer.delete_documents(["a2", "missing", "none", "none"]) == 2
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.find_stored_sources()[A_TXT].digest is None  # read again by the next run
        assert snapshot.find_stored_sources()[OUTSIDE].digest is not None
    with filled_store.open_writer(COLLECTION) as writer:
        assert writer.delete_sources([OUTSIDE, B_TXT, "missing"]) == 2
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == []
        assert set(snapshot.find_stored_sources()) == {A_TXT, "notes-2/empty.txt"}


def test_what_a_write_compares_with(filled_store: Store) -> None:
    river = make_document("a1", "river\nbank", title="A")
    write(filled_store, [make_document("brought", "own words", vector_origin=VectorOrigin.CALLER)])
    own_document = make_document("brought", "own words")
    with open_snapshot(filled_store) as snapshot:
        stored = snapshot.find_stored_documents(["a1", "missing", "none", "brought"])
        assert set(stored) == {"a1", "none", "brought"}
        a1 = stored["a1"]
        assert (a1.id, a1.source, a1.digest, a1.metadata) == ("a1", A_TXT, river.digest, {"n": 1})
        assert stored["none"].source is None
        assert stored["brought"].digest != own_document.digest  # so that it counts as changed when it comes with a text alone
        assert snapshot.find_by_digest([river.digest, "f" * 64, own_document.digest]) == {river.digest: "a1"}
        encoded_chunks = snapshot.load_encoded_chunks(
            {"a1": river.digest, "a2": "another", "brought": own_document.digest, "missing": "x"}
        )
        assert set(encoded_chunks) == {"a1"}
        assert encoded_chunks["a1"].spans == river.spans
        assert encoded_chunks["a1"].vectors.dtype == np.float32
        assert np.array_equal(encoded_chunks["a1"].vectors, round_vectors(river.vectors))


def test_vectors_that_follow_from_a_text(store: Store) -> None:
    """Not those that a caller brought: another document of the same text must not get them."""
    write(
        store,
        [
            make_document("a", "river\nbank", title="T", context="Above"),
            make_document("b", "other"),
            make_document("brought", "own words", vector_origin=VectorOrigin.CALLER),
        ],
    )
    with open_snapshot(store) as snapshot:
        stored = list(snapshot.iterate_vectors(["a", "brought", "missing"]))
    assert sorted((vector.title, vector.context, vector.text) for vector in stored) == [
        ("T", "Above", "bank"), ("T", "Above", "river"),
    ]  # fmt: skip
    for vector in stored:
        assert vector.vector.dtype == np.float32
        assert np.array_equal(vector.vector, round_vectors(make_vector(vector.text)))


def test_export_gives_everything_in_the_order_of_chunks(filled_store: Store) -> None:
    write(filled_store, [make_document("a1", "river\nagain", source=A_TXT, context="Part", metadata={"new": True})])
    write(filled_store, [make_document("brought", "own words", title="Own", vector_origin=VectorOrigin.CALLER)])
    with open_snapshot(filled_store) as snapshot:
        exported = list(snapshot.export())
    assert [document.id for document in exported] == ["a2", "b", "c", "none", "a1", "brought"]
    changed_document, provided_document = (
        make_document("a1", "river\nagain", context="Part"),
        make_document("brought", "own words", title="Own"),
    )
    document = exported[4]
    assert (document.source, document.title, document.text, document.metadata) == (A_TXT, None, "river\nagain", {"new": True})
    assert (document.digest, document.vector_origin, document.spans) == (
        changed_document.digest,
        VectorOrigin.TEXT,
        changed_document.spans,
    )
    assert document.vectors is not None
    assert document.vectors.dtype == np.float16
    assert np.array_equal(document.vectors, changed_document.vectors.astype(np.float16))
    assert (exported[5].digest, exported[5].vector_origin) == (provided_document.digest, VectorOrigin.CALLER)


def find_pending(snapshot: Snapshot) -> list[str]:
    chunks = snapshot.load_pending_chunks(100)
    assert snapshot.info.pending_vectors == len(chunks)
    return [chunk.text for chunk in chunks]


def test_chunks_wait_for_their_vectors_the_newest_first(store: Store) -> None:
    write(store, [make_pending_document("a", "river\nbank\ndusk", pending=(0, 2)), make_pending_document("b", "spring")])
    with open_snapshot(store) as snapshot:
        assert find_pending(snapshot) == ["spring", "dusk", "river"]
        newest = snapshot.load_pending_chunks(1)[0]
        assert (newest.document_id, newest.ordinal, newest.title, newest.context) == ("b", 0, None, "")
        assert newest.digest == make_pending_document("b", "spring").digest
        assert snapshot.count_chunks() == 4
        chunks = snapshot.find_chunk_ids(["a", "b"])
        query = make_vector("river")
        everything = np.concatenate([chunks["a"], chunks["b"]])
        found = snapshot.find_nearest(query, 9)
        assert found.exhausted and found.ranked.ids.tolist() == snapshot.compute_similarities(query, everything).ids.tolist()
        assert found.ranked.ids.tolist() == snapshot.sample_chunks(9).tolist() == [chunks["a"][1]]
        assert snapshot.sample_chunks(9, steady=True).tolist() == everything.tolist()
        assert snapshot.load_vectors(everything.tolist()).any(axis=1).tolist() == [False, True, False, False]
        ranked = snapshot.match(parse("river"), 9).ranked
        assert ranked.ids.tolist() == [chunks["a"][0]]
        hits = snapshot.load_hits(ranked, snapshot.compute_similarities(query, everything).look_up(ranked.ids))
        assert [(hit.text, hit.similarity) for hit in hits] == [("river", None)]
        assert snapshot.find_by_digest([newest.digest]) == {}
        assert [stored.text for stored in snapshot.iterate_vectors(["a", "b"])] == ["bank"]
        assert [document.vectors is None for document in snapshot.export()] == [True, True]


def test_a_vector_that_comes_late_is_stored_once(store: Store, make_store: StoreMaker) -> None:
    write(store, [make_pending_document("a", "river\nbank"), make_pending_document("b", "spring")])
    other = make_store()
    with open_snapshot(other) as snapshot:
        waiting = {chunk.text: chunk.id for chunk in snapshot.load_pending_chunks(9)}
        assert len(snapshot.find_nearest(make_vector("bank"), 9).ranked) == 0
    with store.open_writer(COLLECTION) as writer:
        assert writer.attach_vectors({waiting["bank"]: make_vector("bank"), 10_000: make_vector("nowhere")}) == 1
        assert writer.attach_vectors({waiting["bank"]: make_vector("other")}) == 0  # it has one
    write(store, [make_document("b", "dusk")])  # who waited is gone
    with store.open_writer(COLLECTION) as writer:
        assert writer.attach_vectors({waiting["spring"]: make_vector("spring")}) == 0
    for each in (store, other):
        with open_snapshot(each) as snapshot:
            assert find_pending(snapshot) == ["river"]
            nearest = snapshot.find_nearest(make_vector("bank"), 9).ranked
            assert nearest.ids[0] == waiting["bank"] and nearest.scores[0] == pytest.approx(1, abs=1e-3)
            assert len(nearest) == 2
    with store.open_writer(COLLECTION) as writer:
        writer.attach_vectors({waiting["river"]: make_vector("river")})
        writer.optimize(full=True)
    for each in (store, other):
        with open_snapshot(each) as snapshot:
            assert find_pending(snapshot) == []
            assert snapshot.find_nearest(make_vector("river"), 1).ranked.ids.tolist() == [waiting["river"]]
            encoded = snapshot.load_encoded_chunks({"a": make_pending_document("a", "river\nbank").digest})
            assert np.array_equal(encoded["a"].vectors, round_vectors(np.stack([make_vector("river"), make_vector("bank")])))


def test_a_chunk_finds_the_vector_of_the_same_chunk_in_a_copy(store: Store) -> None:
    copy, longer = make_pending_document("b", "river\nbank\ndusk"), make_pending_document("d", "river\nbank\ndusk")
    cut = replace(longer, spans=(ChunkSpan(0, 5), ChunkSpan(6, 15)), pending=(0, 1))
    write(store, [make_pending_document("a", "river\nbank\ndusk", pending=(0, 2)), copy, make_pending_document("c", "bank"), cut])
    with open_snapshot(store) as snapshot:
        waiting = {(chunk.document_id, chunk.text): chunk.id for chunk in snapshot.load_pending_chunks(9)}
        copied = snapshot.load_copied_vectors(snapshot.load_pending_chunks(9))
        assert [*copied] == [waiting["b", "bank"]]
        assert np.array_equal(copied[waiting["b", "bank"]], round_vectors(make_vector("bank")))
        assert snapshot.find_by_digest([copy.digest]) == {}
        assert snapshot.find_by_digest([copy.digest], partial=True) == {copy.digest: "a"}
    write(store, [make_document("e", "bank")])
    with open_snapshot(store) as snapshot:
        assert set(snapshot.load_copied_vectors(snapshot.load_pending_chunks(9))) == {waiting["b", "bank"], waiting["c", "bank"]}


def test_one_fills_at_a_time(store: Store, make_store: StoreMaker) -> None:
    write(store, [make_pending_document("a", "river")])
    with store.claim_filling(COLLECTION) as first, make_store().claim_filling(COLLECTION) as second:
        assert (first, second) == (True, False)
    with make_store().claim_filling(COLLECTION) as third:
        assert third


def test_preserved_fields_stay_as_they_were(store: Store) -> None:
    preserved = PreservedFields('{"n":1}', '[1,{"raw":null}]', "2001-02-03T04:05:06+00:00")
    write(store, [make_document("a", "river", metadata={"ignored": True}, preserved=preserved), make_document("b", "bank")])
    with open_snapshot(store) as snapshot:
        summaries = {summary.id: summary.indexed_at for summary in snapshot.summarize_documents(snapshot.list_document_ids())}
        assert summaries["a"] == preserved.indexed_at < summaries["b"]
        (kept,) = snapshot.load_documents(["a"])
        assert (kept.metadata, kept.payload) == ({"n": 1}, [1, {"raw": None}])


def test_one_id_twice_in_a_batch_stores_the_last(store: Store) -> None:
    write(store, [make_document("a", "first"), make_document("b", "bank"), make_document("a", "last")])
    with open_snapshot(store) as snapshot:
        assert [document.text for document in snapshot.load_documents(["a", "b"])] == ["last", "bank"]
        assert snapshot.count_chunks() == 2
