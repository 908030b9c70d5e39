"""Documents without vectors, vectors without a text, payloads, and what a collection says of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.checks import get_vectors
from tests.stores.contract.conftest import StoreMaker
from tests.stores.contract.documents import (
    COLLECTION,
    OTHER_SPEC,
    find_chunk,
    locate,
    make_document,
    make_pending_document,
    make_vector,
    open_snapshot,
    parse,
    round_vectors,
    write,
)
from vecsearch.core.parsed import ChunkSpan
from vecsearch.core.types import Precision, VectorOrigin
from vecsearch.stores.base import Store

PAYLOADS = [{"raw": [1, None, "ü"]}, "a text", 0, False, [], {}]


@pytest.fixture
def mixed_store(store: Store) -> Store:
    write(
        store,
        [
            make_document("made", "river\nbank"),
            make_document("bare", "river\nspring", vector_origin=VectorOrigin.NONE),
            make_pending_document("late", "river"),
            replace(
                make_document("mute", "dusk", vector_origin=VectorOrigin.CALLER), text="", spans=(ChunkSpan(0, 0),)
            ),
        ],
    )  # fmt: skip
    return store


def test_a_document_without_vectors_is_found_by_its_words_alone(mixed_store: Store) -> None:
    with open_snapshot(mixed_store) as snapshot:
        lexical = snapshot.match(parse("river"), 9).ranked
        assert sorted(locate(snapshot, lexical)) == [("bare", 0), ("late", 0), ("made", 0)]
        nearest = snapshot.find_nearest(make_vector("river"), 9)
        assert sorted(locate(snapshot, nearest.ranked)) == [("made", 0), ("made", 1), ("mute", 0)]
        ids = np.sort(np.concatenate([*snapshot.find_chunk_ids(["made", "bare", "late", "mute"]).values()]))
        assert len(snapshot.compute_similarities(make_vector("river"), ids)) == 3
        assert not snapshot.load_vectors([find_chunk(snapshot, "bare"), find_chunk(snapshot, "bare", 1)]).any()
        assert [len(snapshot.sample_chunks(9)), len(snapshot.sample_chunks(9, steady=True))] == [3, 6]
        assert snapshot.count_chunks() == 6


def test_a_document_without_vectors_waits_for_none(mixed_store: Store) -> None:
    with open_snapshot(mixed_store) as snapshot:
        assert snapshot.info.pending_vectors == 1
        assert [chunk.document_id for chunk in snapshot.load_pending_chunks(9)] == ["late"]
        chunk, other = find_chunk(snapshot, "bare"), find_chunk(snapshot, "late")
    with mixed_store.open_writer(COLLECTION) as writer:
        assert writer.attach_vectors({chunk: make_vector("x"), other: make_vector("river")}) == 1


def test_a_vector_without_a_text_is_there_whole(mixed_store: Store) -> None:
    with open_snapshot(mixed_store) as snapshot:
        (hit,) = snapshot.load_hits(snapshot.find_nearest(make_vector("dusk"), 1).ranked, None)
        assert (hit.id, hit.text, hit.start, hit.end, hit.score) == ("mute", "", 0, 0, 1.0)
        (document,) = snapshot.load_documents(["mute"], include_vectors=True)
        assert np.array_equal(get_vectors(document), round_vectors(make_vector("dusk")[None]))


def test_what_does_not_follow_from_a_text_serves_no_other(mixed_store: Store) -> None:
    write(mixed_store, [make_pending_document("same", "river\nspring")])
    with open_snapshot(mixed_store) as snapshot:
        stored = snapshot.find_stored_documents(["made", "bare", "mute"])
        assert {key: document.vector_origin for key, document in stored.items()} == {
            "made": VectorOrigin.TEXT, "bare": VectorOrigin.NONE, "mute": VectorOrigin.CALLER,
        }  # fmt: skip
        assert [key for key, document in stored.items() if document.digest] == ["made"]
        digest = make_document("bare", "river\nspring").digest
        assert snapshot.find_by_digest([digest]) == {}
        assert snapshot.load_encoded_chunks({"bare": digest}) == {}
        assert not list(snapshot.iterate_vectors(["bare", "mute"]))
        waiting = [chunk for chunk in snapshot.load_pending_chunks(9) if chunk.document_id == "same"]
        assert len(waiting) == 2
        assert not snapshot.load_copied_vectors(waiting)


def test_export_says_which_documents_have_no_vectors(mixed_store: Store) -> None:
    with open_snapshot(mixed_store) as snapshot:
        exported = {document.id: document for document in snapshot.export()}
    assert {key: document.vector_origin for key, document in exported.items()} == {
        "made": VectorOrigin.TEXT, "bare": VectorOrigin.NONE, "late": VectorOrigin.TEXT, "mute": VectorOrigin.CALLER,
    }  # fmt: skip
    assert [key for key, document in exported.items() if document.vectors is None] == ["bare", "late"]


def test_documents_gain_and_lose_their_vectors(mixed_store: Store) -> None:
    for origin, found in ((VectorOrigin.TEXT, 4), (VectorOrigin.NONE, 2), (VectorOrigin.CALLER, 4)):
        write(mixed_store, [make_document("bare", "river\nspring", vector_origin=origin)])
        write(mixed_store, [make_document("made", "river\nbank", vector_origin=VectorOrigin.NONE)])
        with open_snapshot(mixed_store) as snapshot:
            assert len(snapshot.find_nearest(make_vector("x"), 9).ranked) == found - 1
            assert snapshot.count_chunks() == 6
    with mixed_store.open_writer(COLLECTION) as writer:
        assert writer.delete_documents(["bare", "made"]) == 2
    with open_snapshot(mixed_store) as snapshot:
        snapshot.find_nearest(make_vector("x"), 9)
        assert snapshot.count_chunks() == 2


@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_a_payload_comes_back_as_it_was_given(store: Store, payload: object) -> None:
    write(store, [make_document("a", "river", payload=payload), make_document("b", "river")])
    with open_snapshot(store) as snapshot:
        hits = {hit.id: hit.payload for hit in snapshot.load_hits(snapshot.match(parse("river"), 9).ranked, None)}
        documents = {document.id: document.payload for document in snapshot.load_documents(["a", "b"])}
        exported = {document.id: document.payload for document in snapshot.export()}
    assert hits == documents == exported == {"a": payload, "b": None}
    assert type(hits["a"]) is type(payload)


def test_a_payload_is_replaced_with_its_document_or_alone(store: Store) -> None:
    write(store, [make_document("a", "river", payload=1), make_document("b", "river", payload=2)])
    write(store, [make_document("a", "bank")])
    with store.open_writer(COLLECTION) as writer:
        writer.commit(payloads={"b": [3], "gone": 4})
    with open_snapshot(store) as snapshot:
        assert {document.id: document.payload for document in snapshot.load_documents(["a", "b"])} == {"a": None, "b": [3]}


def test_a_replacement_keeps_payloads_origins_and_the_collections_own_fields(mixed_store: Store) -> None:
    write(mixed_store, [make_document("bare", "river\nspring", vector_origin=VectorOrigin.NONE, payload={"n": 1})])
    with mixed_store.open_writer(COLLECTION) as writer:
        writer.delete_documents(["late", "mute"])
        writer.set_collection_metadata({"of": "mine"})
        before = writer.info
    replacement = mixed_store.get_replacement(COLLECTION)
    replacement.begin(OTHER_SPEC, Precision.FLOAT32)
    pending = replacement.list_pending()
    assert {document.id: document.vector_origin for document in pending} == {"made": VectorOrigin.TEXT, "bare": VectorOrigin.NONE}
    with replacement.open_writer() as writer:
        writer.commit(
            [
                make_document(
                    old.id, old.text, preserved=old.preserved, spec=OTHER_SPEC, vector_origin=old.vector_origin
                )
                for old in pending
            ]
        )  # fmt: skip
        assert replacement.list_pending() == []
        replacement.swap()
    with open_snapshot(mixed_store) as snapshot:
        assert before is not None
        assert (snapshot.info.public_id, snapshot.info.metadata) == (before.public_id, {"of": "mine"})
        assert [document.payload for document in snapshot.load_documents(["bare", "made"])] == [{"n": 1}, None]
        assert snapshot.count_chunks() == 4
        assert len(snapshot.find_nearest(make_vector("x", 8), 9).ranked) == 2
        assert snapshot.count_chunks() == 4


def test_a_replacement_sees_other_payloads_and_lost_vectors(mixed_store: Store) -> None:
    with mixed_store.open_writer(COLLECTION) as writer:
        writer.delete_documents(["mute"])
    replacement = mixed_store.get_replacement(COLLECTION)
    replacement.begin(OTHER_SPEC, Precision.FLOAT32)
    with replacement.open_writer() as writer:
        writer.commit(
            [make_document(old.id, old.text, preserved=old.preserved, spec=OTHER_SPEC) for old in replacement.list_pending()]
        )
    assert [document.id for document in replacement.list_pending()] == ["bare"]
    with mixed_store.open_writer(COLLECTION) as writer:
        writer.commit(payloads={"made": 1})
    assert [document.id for document in replacement.list_pending()] == ["made", "bare"]


def test_a_collection_keeps_its_id_and_metadata_under_another_name(store: Store, make_store: StoreMaker) -> None:
    write(store, [make_document("a", "river")])
    with store.open_writer(COLLECTION) as writer:
        writer.set_collection_metadata({"topic": "rivers", "n": [1]})
        assert writer.info is not None
        before = writer.info
    store.rename_collection(COLLECTION, "rivers")
    with open_snapshot(make_store(), "rivers") as snapshot:
        assert (snapshot.info.public_id, snapshot.info.metadata) == (before.public_id, {"topic": "rivers", "n": [1]})
        assert len(before.public_id) == 32
    store.drop_collection("rivers")
    write(store, [make_document("a", "river")], collection="rivers")
    with open_snapshot(store, "rivers") as snapshot:
        assert snapshot.info.public_id != before.public_id
        assert snapshot.info.metadata == {}
