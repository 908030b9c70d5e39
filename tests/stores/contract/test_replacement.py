"""New vectors are made beside the old ones, which answer until the swap; what was interrupted is gone on with."""

from __future__ import annotations

import numpy as np
import pytest

from tests.stores.contract.conftest import StoreMaker
from tests.stores.contract.documents import (
    COLLECTION,
    OTHER_SPEC,
    SPEC,
    locate,
    make_document,
    make_file,
    make_vector,
    open_snapshot,
    parse,
    write,
)
from vecsearch.core.errors import StorageError
from vecsearch.core.preferences import Preference
from vecsearch.core.roots import Root, RootOptions
from vecsearch.core.types import Precision, Split, VectorOrigin
from vecsearch.encoders.base import EncoderSpec
from vecsearch.stores.base import OutdatedDocument, QueryMap, Replacement, Store


@pytest.fixture
def filled_store(store: Store) -> Store:
    write(
        store,
        [
            make_document("a", "river\nbank", source="a.txt", title="A", metadata={"n": 1}),
            make_document("b", "spring"),
            make_document("c", "dusk", vector_origin=VectorOrigin.CALLER),
        ],
        [make_file("a.txt"), make_file("empty.txt")],
    )
    return store


def list_pending(replacement: Replacement) -> list[OutdatedDocument]:
    documents: list[OutdatedDocument] = []
    while page := replacement.list_pending(after=documents[-1].number if documents else 0):
        documents.extend(page)
    return documents


def complete(replacement: Replacement, spec: EncoderSpec = OTHER_SPEC, *, limit: int | None = None) -> list[str]:
    """Store what is lacking, at most so many; returns their ids."""
    pending = list_pending(replacement)[:limit]
    with replacement.open_writer() as writer:
        writer.commit(
            [
                make_document(
                    old.id, old.text, source=old.source, title=old.title, preserved=old.preserved, spec=spec
                )
                for old in pending
            ]
        )  # fmt: skip
    return [document.id for document in pending]


def find_places(store: Store, dimension: int) -> list[str]:
    with open_snapshot(store) as snapshot:
        return [id for id, _ in locate(snapshot, snapshot.find_nearest(make_vector("river", dimension), 1).ranked)]


def test_it_is_built_and_takes_its_place(filled_store: Store, make_store: StoreMaker) -> None:
    with filled_store.open_writer(COLLECTION) as writer:
        writer.set_roots([Root("/notes", RootOptions(Split.LINES), "2026")])
        writer.record_skips({"photo.png": "a picture"})
        writer.set_preferences("ann", [Preference("a", 1.0, "2026")])
        writer.set_query_map(QueryMap(np.eye(SPEC.dimension, dtype=np.float32), {}))
    with open_snapshot(filled_store) as snapshot:
        before, documents = snapshot.info, snapshot.load_documents(["a", "b", "c"])
        summaries, files = snapshot.summarize_documents(snapshot.list_document_ids()), snapshot.list_sources()
    replacement = filled_store.get_replacement(COLLECTION)
    assert not replacement.info and not replacement.abandon()
    replacement_info = replacement.begin(OTHER_SPEC, Precision.FLOAT32)
    assert filled_store.get_replacement(COLLECTION).info == replacement_info
    assert (replacement_info.name, replacement_info.encoder, replacement_info.precision, replacement_info.stemmer) == (
        COLLECTION,
        OTHER_SPEC,
        Precision.FLOAT32,
        "none",
    )
    assert replacement_info.identity != before.identity
    assert replacement.count_pending_characters() == len("river\nbank" + "spring" + "dusk")
    pending = list_pending(replacement)
    assert [(old.id, old.source, old.title, old.text, old.replaces) for old in pending] == [
        ("a", "a.txt", "A", "river\nbank", False), ("b", None, None, "spring", False), ("c", None, None, "dusk", False),
    ]  # fmt: skip
    assert pending[0].spans == make_document("a", "river\nbank").spans
    assert [old.digest for old in pending][2] == make_document("c", "dusk").digest
    assert complete(replacement) == ["a", "b", "c"]
    assert list_pending(replacement) == [] and replacement.count_pending_characters() == 0
    for store in (filled_store, make_store()):  # the old vectors answer, and users know of one collection
        assert [info.name for info in store.list_collections()] == [COLLECTION]
        assert find_places(store, SPEC.dimension) == ["a"]
    with replacement.open_writer(), open_snapshot(filled_store) as old_snapshot:
        replacement.swap()
        assert len(old_snapshot.load_vectors(old_snapshot.sample_chunks(9).tolist())[0]) == SPEC.dimension
    for store in (filled_store, make_store()):
        assert store.get_replacement(COLLECTION).info is None
        (info,) = store.list_collections()
        assert (info.encoder, info.precision) == (OTHER_SPEC, Precision.FLOAT32)
        assert info.identity != before.identity and info.version != before.version
        assert find_places(store, OTHER_SPEC.dimension) == ["a"]
        with open_snapshot(store) as snapshot:
            assert snapshot.load_documents(["a", "b", "c"]) == documents
            assert snapshot.summarize_documents(snapshot.list_document_ids()) == summaries and snapshot.list_sources() == files
            assert [root.path for root in snapshot.load_roots().roots] == ["/notes"]
            assert snapshot.load_profile("ann") == [Preference("a", 1.0, "2026")]
            assert snapshot.load_query_map() is None  # it was of the old vectors
            assert snapshot.find_stored_sources()["photo.png"].skipped == "a picture"
            assert [id for id, _ in locate(snapshot, snapshot.match(parse("spring"), 9).ranked)] == ["b"]


def test_a_map_of_questions_stays_with_vectors_of_the_same_encoder(filled_store: Store) -> None:
    with filled_store.open_writer(COLLECTION) as writer:
        writer.set_query_map(QueryMap(np.eye(SPEC.dimension, dtype=np.float32), {"seed": 3}))
    replacement = filled_store.get_replacement(COLLECTION)
    replacement.begin(SPEC, Precision.FLOAT16)
    complete(replacement, SPEC)
    with replacement.open_writer():
        replacement.swap()
    with open_snapshot(filled_store) as snapshot:
        loaded = snapshot.load_query_map()
        assert loaded is not None and loaded.record == {"seed": 3}


def test_what_changes_meanwhile_is_pending_again(filled_store: Store) -> None:
    replacement = filled_store.get_replacement(COLLECTION)
    replacement.begin(OTHER_SPEC, Precision.FLOAT16)
    complete(replacement)
    write(filled_store, [make_document("b", "summer"), make_document("d", "bat")])
    with filled_store.open_writer(COLLECTION) as writer:
        writer.set_metadata({"a": {"n": 2}})
        writer.delete_documents(["c"])
        writer.set_stemmer("en")
    assert [(old.id, old.text, old.replaces) for old in list_pending(replacement)] == [
        ("a", "river\nbank", True), ("b", "summer", True), ("d", "bat", False),
    ]  # fmt: skip
    with pytest.raises(StorageError, match=r"complete"), replacement.open_writer():
        replacement.swap()
    complete(replacement)
    with replacement.open_writer():
        replacement.swap()
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["a", "b", "d"]  # what was deleted does not come back
        assert [document.text for document in snapshot.load_documents(["b", "d"])] == ["summer", "bat"]
        assert snapshot.load_documents(["a"])[0].metadata == {"n": 2}
        assert snapshot.info.stemmer == "en"
        assert [id for id, _ in locate(snapshot, snapshot.match(parse("bat"), 9).ranked)] == ["d"]
        assert snapshot.count_chunks() == len(snapshot.find_nearest(make_vector("x", 8), 99).ranked) == 4


def test_it_is_gone_on_with_after_reopening(filled_store: Store, make_store: StoreMaker) -> None:
    first = filled_store.get_replacement(COLLECTION)
    info = first.begin(OTHER_SPEC, Precision.FLOAT16)
    assert complete(first, limit=2) == ["a", "b"]
    second = make_store().get_replacement(COLLECTION)
    second_info = second.begin(OTHER_SPEC, Precision.FLOAT16)
    assert second_info.identity == info.identity
    assert complete(second) == ["c"]
    with second.open_writer():
        second.swap()
    assert find_places(filled_store, OTHER_SPEC.dimension) == ["a"]
    with pytest.raises(StorageError, match=r"."), first.open_writer():
        pytest.fail("what was swapped in is no replacement any more")


@pytest.mark.parametrize(
    ("spec", "precision"), [(EncoderSpec("third", "third-fingerprint", 8), Precision.FLOAT16), (OTHER_SPEC, Precision.FLOAT32)]
)
def test_another_kind_of_vectors_begins_again(spec: EncoderSpec, precision: Precision, filled_store: Store) -> None:
    first = filled_store.get_replacement(COLLECTION)
    info = first.begin(OTHER_SPEC, Precision.FLOAT16)
    complete(first, limit=2)
    second = filled_store.get_replacement(COLLECTION)
    other = second.begin(spec, precision)
    assert other.identity != info.identity and (other.encoder, other.precision) == (spec, precision)
    assert [old.id for old in list_pending(second)] == ["a", "b", "c"]
    with pytest.raises(StorageError, match=r"given up|begun again"), first.open_writer():
        pytest.fail("the first was begun again by another")


def test_abandoned_it_leaves_nothing(filled_store: Store) -> None:
    replacement = filled_store.get_replacement(COLLECTION)
    replacement.begin(OTHER_SPEC, Precision.FLOAT16)
    complete(replacement, limit=2)
    assert filled_store.get_replacement(COLLECTION).abandon() is True
    assert replacement.info is None and replacement.abandon() is False
    with pytest.raises(StorageError, match=r"."), replacement.open_writer():
        pytest.fail("it was abandoned")
    assert find_places(filled_store, SPEC.dimension) == ["a"]
    replacement.begin(OTHER_SPEC, Precision.FLOAT16)
    assert [old.id for old in list_pending(replacement)] == ["a", "b", "c"]


def test_it_goes_with_its_collection(filled_store: Store) -> None:
    """Renamed, it is the replacement of the new name; dropped, a collection made again has none."""
    replacement_info = filled_store.get_replacement(COLLECTION).begin(OTHER_SPEC, Precision.FLOAT16)
    filled_store.rename_collection(COLLECTION, "renamed")
    assert filled_store.get_replacement(COLLECTION).info is None
    info = filled_store.get_replacement("renamed").info
    assert info is not None and (info.name, info.identity) == ("renamed", replacement_info.identity)
    filled_store.drop_collection("renamed")
    write(filled_store, collection="renamed")
    assert filled_store.get_replacement("renamed").info is None
    assert [info.name for info in filled_store.list_collections()] == ["renamed"]


def test_what_it_holds_can_be_read_and_reused(filled_store: Store) -> None:
    write(filled_store, [make_document("e", "spring")])
    replacement = filled_store.get_replacement(COLLECTION)
    with replacement.open_snapshot() as missing_snapshot:
        assert missing_snapshot is None
    replacement.begin(OTHER_SPEC, Precision.FLOAT16)
    complete(replacement, limit=2)
    digest = make_document("b", "spring").digest
    with replacement.open_snapshot() as snapshot:
        assert snapshot is not None and snapshot.list_document_ids() == ["a", "b"]
        assert snapshot.find_by_digest([digest]) == {digest: "b"}
        assert set(snapshot.load_encoded_chunks({"b": digest})) == {"b"}
