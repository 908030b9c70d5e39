"""A write is stored whole or not at all, and a snapshot goes on seeing the state that it was opened on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.stores.contract.conftest import StoreMaker
from tests.stores.contract.documents import (
    COLLECTION,
    SPEC,
    locate,
    make_continuation,
    make_document,
    make_file,
    make_pending_document,
    make_vector,
    open_snapshot,
    parse,
    write,
)
from vecsearch.core.errors import CollectionNotFoundError, DatabaseLockedError, InputError, ReadOnlyError
from vecsearch.core.filters import Compare, Comparison, Exists
from vecsearch.core.types import Precision
from vecsearch.stores.base import CollectionInfo, Snapshot, Store, Writer

CHANGES: dict[str, Callable[[Writer], Any]] = {
    "a new document": lambda writer: writer.commit([make_document("new", "river")]),
    "a replaced document": lambda writer: writer.commit([make_document("a", "changed")]),
    "a file": lambda writer: writer.commit(files=[make_file("file.txt", removed=["b"])]),
    "metadata": lambda writer: writer.set_metadata({"a": {"n": 2}}),
    "a deleted document": lambda writer: writer.delete_documents(["a"]),
    "a deleted file": lambda writer: writer.delete_sources(["file.txt"]),
    "documents that wait for vectors": lambda writer: writer.commit([make_pending_document("new", "river")]),
    "a continued text": lambda writer: writer.commit(continuations=[make_continuation("a", "river\nbank", "\nflood")]),
    "a stemmer": lambda writer: writer.set_stemmer("en"),
}


@pytest.fixture
def filled_store(store: Store) -> Store:
    write(
        store,
        [make_document("a", "river\nbank", metadata={"n": 1}), make_document("b", "rivers", source="file.txt")],
        [make_file("file.txt")],
    )
    return store


def drop_floor(info: CollectionInfo) -> CollectionInfo:
    """Return what a collection is without its noise floor, which is stored anew as the writer is left."""
    return replace(info, noise_floor=None, noise_floor_vectors=0)


def describe(snapshot: Snapshot) -> list[Any]:
    """Return all that a snapshot shows."""
    near = snapshot.find_nearest(make_vector("river"), 99)
    return [
        drop_floor(snapshot.info),
        snapshot.summarize_documents(snapshot.list_document_ids()),
        snapshot.load_documents(snapshot.list_document_ids()),
        snapshot.list_sources(),
        snapshot.find_stored_sources(),
        list(near.ranked),
        snapshot.load_hits(near.ranked, None),
        snapshot.load_vectors(near.ranked.ids.tolist()).tolist(),
        list(snapshot.match(parse("river changed"), 99).ranked),
        locate(snapshot, snapshot.find_nearest(make_vector("x"), 9, within=snapshot.select(Exists("n"))).ranked),
        (snapshot.count_chunks(), snapshot.count_documents(), snapshot.sample_chunks(9).tolist()),
        [(document.id, None if document.vectors is None else document.vectors.tolist()) for document in snapshot.export()],
    ]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_snapshot_stays_as_it_was(change: Callable[[Writer], Any], filled_store: Store) -> None:
    """Whatever is committed meanwhile; whoever opens another one sees it."""
    with open_snapshot(filled_store) as snapshot:
        before = describe(snapshot)
        with filled_store.open_writer(COLLECTION) as writer:
            change(writer)
            with writer.open_snapshot() as inner_snapshot:
                assert inner_snapshot is not None
                changed_state = describe(inner_snapshot)
        assert describe(snapshot) == before
    with open_snapshot(filled_store) as newer:
        assert describe(newer) == changed_state != before


def test_a_snapshot_that_was_not_read_yet_stays_as_it_was(filled_store: Store) -> None:
    """What it is asked for the first time after a commit is of its own state too."""
    with open_snapshot(filled_store) as snapshot:
        before = describe(snapshot)
    with open_snapshot(filled_store) as snapshot:
        with filled_store.open_writer(COLLECTION) as writer:
            writer.commit([make_document("a", "changed"), make_document("c", "river")])
            writer.delete_documents(["b"])
        with open_snapshot(filled_store) as newer:  # which may fill what snapshots share
            assert newer.count_documents() == 2
            newer.select(Exists("n"))
            newer.find_nearest(make_vector("river"), 9)
        assert describe(snapshot) == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_every_commit_is_another_version_of_the_same_collection(change: Callable[[Writer], Any], filled_store: Store) -> None:
    with open_snapshot(filled_store) as snapshot, open_snapshot(filled_store) as second_snapshot:
        before = snapshot.info
        assert second_snapshot.info.version == before.version
    with filled_store.open_writer(COLLECTION) as writer:
        change(writer)
        info = writer.info
    assert info is not None and info.version != before.version and info.identity == before.identity
    with open_snapshot(filled_store) as snapshot:
        assert drop_floor(snapshot.info) == drop_floor(info)


def test_a_collection_made_again_is_another(filled_store: Store) -> None:
    with open_snapshot(filled_store) as snapshot:
        before = snapshot.info
        snapshot.cache["derived"] = "from the old one"
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.cache["derived"] == "from the old one"
    filled_store.drop_collection(COLLECTION)
    write(filled_store, [make_document("a", "river\nbank", metadata={"n": 1})])
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.info.identity != before.identity and snapshot.info.version != before.version
        assert "derived" not in snapshot.cache


def fail_on_vectors(writer: Writer) -> None:
    """Commit a batch whose last vector no array can be made of: all is rolled back, whatever was written before."""
    bad_document = replace(make_document("bad", "spring"), vectors=np.array([["no vector"] * 16]))
    new = [make_document("new", "dusk"), make_document("a", "other"), bad_document]
    writer.commit(new, [make_file("new.txt")])


def fail_on_metadata(writer: Writer) -> None:
    """Store what is no JSON: it fails, and takes back what came before it in the same transaction."""
    writer.commit([make_document("new", "dusk")], metadata={"a": {"n": 5}, "b": {"n": float("nan")}})


def fail_on_second_metadata(writer: Writer) -> None:
    writer.set_metadata({"a": {"n": 5}, "b": {"n": object()}})


@pytest.mark.parametrize("fail", [fail_on_vectors, fail_on_metadata, fail_on_second_metadata])
def test_a_transaction_that_fails_leaves_nothing(
    fail: Callable[[Writer], None], filled_store: Store, make_store: StoreMaker
) -> None:
    write(filled_store, [make_pending_document("waits", "dawn\nnoon")])
    with open_snapshot(filled_store) as snapshot:
        before = describe(snapshot)
    with filled_store.open_writer(COLLECTION) as writer:
        with pytest.raises((ValueError, TypeError), match=r"."):
            fail(writer)
        with writer.open_snapshot() as inner_snapshot:
            assert inner_snapshot is not None and describe(inner_snapshot) == before
    for store in (filled_store, make_store()):
        with open_snapshot(store) as snapshot:
            assert describe(snapshot) == before
            assert [chunk.text for chunk in snapshot.load_pending_chunks(9)] == ["noon", "dawn"]
    write(filled_store, [make_document("new", "dusk")])  # and the next write is as good as any
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.count_documents() == 4


def test_what_a_method_committed_stays_when_the_block_raises(store: Store, make_store: StoreMaker) -> None:
    """Each method is a transaction of its own; the block only holds the lock."""
    with pytest.raises(ZeroDivisionError, match="division"), store.open_writer(COLLECTION) as writer:
        writer.ensure(SPEC, precision=Precision.FLOAT16, stemmer="none")
        writer.commit([make_document("a", "river", metadata={"n": 1}), make_document("b", "bank")])
        writer.delete_documents(["b"])
        1 / 0
    write(store, [make_document("c", "river")])  # nobody holds the lock any more
    with open_snapshot(make_store()) as snapshot:
        assert snapshot.list_document_ids() == ["a", "c"]
        assert len(snapshot.select(Compare("n", Comparison.EQUAL, 1))) == 1
        assert [id for id, _ in locate(snapshot, snapshot.match(parse("river"), 9).ranked)] == ["a", "c"]


def test_other_readers_see_a_commit_at_once(make_store: StoreMaker) -> None:
    writing, other = make_store(), make_store()
    with other.open_snapshot(COLLECTION) as snapshot:
        assert snapshot is None
    for n in range(4):
        write(writing, [make_document(f"{n}", f"river {n}")])
        with open_snapshot(other) as snapshot:
            assert len(snapshot.find_nearest(make_vector("river"), 99).ranked) == n + 1
            assert len(snapshot.match(parse("river"), 99).ranked) == n + 1
    writing.drop_collection(COLLECTION)
    with other.open_snapshot(COLLECTION) as snapshot:
        assert snapshot is None


def test_a_writer_may_be_entered_again_by_its_thread(filled_store: Store) -> None:
    with filled_store.open_writer(COLLECTION) as outer:
        outer.commit([make_document("outer", "river")])
        with filled_store.open_writer(COLLECTION) as inner:
            inner.commit([make_document("inner", "river")])
        outer.delete_documents(["inner"])
        with filled_store.open_writer("other") as other:
            other.ensure(SPEC, precision=Precision.FLOAT16, stemmer="none")
    assert [info.name for info in filled_store.list_collections()] == [COLLECTION, "other"]
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["a", "b", "outer"]


def test_there_is_one_writer_at_a_time(make_store: StoreMaker) -> None:
    store = make_store(lock_timeout=0.1)
    holds, may_leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.open_writer(COLLECTION):
            holds.set()
            may_leave.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holds.wait(60)
        with pytest.raises(DatabaseLockedError, match=r"."), store.open_writer(COLLECTION):
            pytest.fail("two writers at a time")
    finally:
        may_leave.set()
        thread.join()
    write(store, [make_document("a", "river")])
    with open_snapshot(store) as snapshot:
        assert snapshot.count_documents() == 1


def test_a_store_opened_to_read_writes_nothing(filled_store: Store, make_store: StoreMaker) -> None:
    readonly = make_store(readonly=True)
    assert readonly.readonly and not filled_store.readonly
    with open_snapshot(readonly) as snapshot:
        assert snapshot.list_document_ids() == ["a", "b"]
    with pytest.raises(ReadOnlyError, match=r"."):
        write(readonly, [make_document("c", "river")])
    with pytest.raises(ReadOnlyError, match=r"."):
        readonly.drop_collection(COLLECTION)
    with pytest.raises(ReadOnlyError, match=r"."):
        readonly.rename_collection(COLLECTION, "new")
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["a", "b"]


def test_a_collection_is_renamed_with_all_that_it_holds(filled_store: Store, make_store: StoreMaker) -> None:
    with open_snapshot(filled_store) as snapshot:
        documents, identity = snapshot.load_documents(["a", "b"]), snapshot.info.identity
    write(filled_store, [make_document("x", "river")], collection="other")
    filled_store.rename_collection(COLLECTION, "another")
    for store in (filled_store, make_store()):
        assert [info.name for info in store.list_collections()] == ["another", "other"]
        with store.open_snapshot(COLLECTION) as missing_snapshot, open_snapshot(store, "another") as snapshot:
            assert missing_snapshot is None
            assert snapshot.load_documents(["a", "b"]) == documents
            assert (snapshot.info.name, snapshot.info.identity) == ("another", identity)
    write(filled_store, [make_document("fresh", "bank")])  # the old name is free
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["fresh"]


def test_names_that_are_taken_or_missing(filled_store: Store) -> None:
    write(filled_store, [make_document("x", "river")], collection="other")
    with pytest.raises(InputError, match="other"):
        filled_store.rename_collection(COLLECTION, "other")
    for act in (
        lambda: filled_store.rename_collection("missing", "new"),
        lambda: filled_store.drop_collection("missing"),
        lambda: filled_store.get_replacement("missing").begin(SPEC, Precision.FLOAT16),
    ):
        with pytest.raises(CollectionNotFoundError, match="missing") as excinfo:
            act()
        assert excinfo.value.name == "missing"
    with filled_store.open_writer("missing") as writer:
        assert writer.info is None
        for change in CHANGES.values():
            with pytest.raises(CollectionNotFoundError, match="missing"):
                change(writer)
    assert [info.name for info in filled_store.list_collections()] == [COLLECTION, "other"]
    with open_snapshot(filled_store) as snapshot:
        assert snapshot.list_document_ids() == ["a", "b"]
