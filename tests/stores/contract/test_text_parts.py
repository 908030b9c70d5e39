"""The text of a long document comes in parts, one transaction each or all in one, and is one text to whoever reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.checks import get_vectors
from tests.stores.contract.conftest import StoreMaker
from tests.stores.contract.documents import (
    COLLECTION,
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
from vecsearch.core.results import ChunkWindow
from vecsearch.stores.base import Continuation, NewDocument, Snapshot, Store

PARTS = ["river\nbank\n", "ferry\nharbour\n", "seals\nsandbank"]
TEXT = "".join(PARTS)
WHOLE = make_document("long", TEXT, source="long.txt", title="Tides", metadata={"n": 1})


def make_first(text: str = PARTS[0]) -> NewDocument:
    """Return the document as its first portion alone gives it."""
    spans = tuple(span for span in make_document("long", text).spans if span.start < len(text))
    return replace(WHOLE, text=text, spans=spans, vectors=WHOLE.vectors[: len(spans)], digest="first")


@pytest.fixture
def long_store(store: Store) -> Store:
    """Give a store with a document whose parts came in three transactions, between others."""
    write(store, [make_document("before", "river"), make_first()])
    with store.open_writer(COLLECTION) as writer:
        writer.commit([make_document("after", "ferry")])
        writer.commit(continuations=[make_continuation("long", PARTS[0], PARTS[1])])
        last = make_continuation("long", PARTS[0] + PARTS[1], PARTS[2])
        writer.commit(continuations=[replace(last, digest=WHOLE.digest)])
    return store


def find_texts(snapshot: Snapshot, query: str) -> list[tuple[str, str]]:
    found = snapshot.match(parse(query), 9)
    return [(hit.id, hit.text) for hit in snapshot.load_hits(found.ranked, None)]


def test_what_came_in_parts_is_one_document(long_store: Store) -> None:
    with open_snapshot(long_store) as snapshot:
        (document,) = snapshot.load_documents(["long"], include_vectors=True)
        assert (document.text, document.title, document.metadata) == (TEXT, "Tides", {"n": 1})
        assert [(chunk.chunk_index, chunk.start, chunk.end) for chunk in document.chunks] == [
            (n, span.start, span.end) for n, span in enumerate(WHOLE.spans)
        ]
        assert [chunk.location["lines"] for chunk in document.chunks] == [[n, n] for n in range(1, 7)]
        assert np.allclose(get_vectors(document), WHOLE.vectors, atol=1e-3)
        (exported,) = [document for document in snapshot.export() if document.id == "long"]
        assert (exported.text, exported.spans, exported.digest) == (TEXT, WHOLE.spans, WHOLE.digest)
        assert snapshot.count_chunks() == 8
        assert snapshot.find_by_digest([WHOLE.digest]) == {WHOLE.digest: "long"}
        assert [stored.text for stored in snapshot.iterate_vectors(["long"])] == TEXT.split("\n")


def test_every_part_is_found_with_its_own_text(long_store: Store) -> None:
    with open_snapshot(long_store) as snapshot:
        for line in TEXT.split("\n"):
            assert ("long", line) in find_texts(snapshot, line)
            near = snapshot.find_nearest(make_vector(line), 2)
            assert ("long", WHOLE.text.split("\n").index(line)) in locate(snapshot, near.ranked)
            assert line in {text.text for text in snapshot.load_chunk_texts(near.ranked.ids.tolist())}


def test_a_window_crosses_from_part_to_part(long_store: Store) -> None:
    with open_snapshot(long_store) as snapshot:
        chunks = snapshot.find_chunk_ids(["long"])["long"].tolist()
        for neighbours in range(6):
            windows = snapshot.load_windows(chunks, neighbours)
            for n, window in enumerate(windows):
                start = WHOLE.spans[max(n - neighbours, 0)].start
                end = WHOLE.spans[min(n + neighbours, 5)].end
                assert window == ChunkWindow(TEXT[start:end], start, end)


def test_parts_are_known_by_where_they_begin(long_store: Store) -> None:
    with open_snapshot(long_store) as snapshot:
        assert snapshot.load_text_part("long", len(PARTS[0])) == PARTS[1]
        assert snapshot.load_text_part("long", len(PARTS[0]) + len(PARTS[1])) == PARTS[2]
        assert snapshot.load_text_part("long", 1) is None
        assert snapshot.load_text_part("long", len(TEXT)) is None
        assert snapshot.load_text_part("other", 0) is None
        assert PARTS[0].startswith(snapshot.load_text_part("long", 0) or "none")


def test_the_rest_is_replaced_as_one(long_store: Store) -> None:
    new_parts = ["ferries sail\n", "at noon\n", "and at night"]
    kept = PARTS[0]

    def give_parts():
        for part in make_continuation("long", kept, *new_parts).parts:
            with open_snapshot(long_store) as snapshot:  # nobody sees it before all is there
                assert [document.text for document in snapshot.load_documents(["long"])] == [TEXT]
                assert find_texts(snapshot, "harbour") and not find_texts(snapshot, "noon")
            yield part

    with long_store.open_writer(COLLECTION) as writer:
        writer.commit(continuations=[Continuation("long", len(kept), give_parts(), "other")])
    with open_snapshot(long_store) as snapshot:
        (document,) = snapshot.load_documents(["long"])
        assert document.text == kept + "".join(new_parts)
        assert [chunk.chunk_index for chunk in document.chunks] == list(range(5))
        assert find_texts(snapshot, "noon") == [("long", "at noon")]
        assert not find_texts(snapshot, "harbour")
        assert find_texts(snapshot, "bank") == [("long", "bank")]
        assert snapshot.load_text_part("long", len(kept)) == new_parts[0]
        assert snapshot.find_stored_documents(["long"])["long"].digest == "other"


def test_a_document_and_what_follows_it_replace_another_as_one(long_store: Store) -> None:
    with long_store.open_writer(COLLECTION) as writer:
        writer.commit([make_first("mast\n")], continuations=[make_continuation("long", "mast\n", "sail\n", "rope")])
    with open_snapshot(long_store) as snapshot:
        assert [document.text for document in snapshot.load_documents(["long"])] == ["mast\nsail\nrope"]
        assert find_texts(snapshot, "sail") == [("long", "sail")]
        assert not find_texts(snapshot, "harbour")
        assert snapshot.load_text_part("long", len(PARTS[0])) is None


def test_a_text_may_be_cut_off(long_store: Store) -> None:
    with long_store.open_writer(COLLECTION) as writer:
        writer.commit(continuations=[Continuation("long", len(PARTS[0]), (), "shorter")])
    with open_snapshot(long_store) as snapshot:
        assert [document.text for document in snapshot.load_documents(["long"])] == [PARTS[0]]
        assert snapshot.count_chunks() == 4


def test_a_part_that_fails_leaves_all_as_it_was(long_store: Store) -> None:
    def give_parts():
        yield next(iter(make_continuation("long", PARTS[0], "new\n").parts))
        raise ValueError("the disk is gone")

    with long_store.open_writer(COLLECTION) as writer, pytest.raises(ValueError, match="the disk is gone"):
        writer.commit(continuations=[Continuation("long", len(PARTS[0]), give_parts(), "other")])
    with open_snapshot(long_store) as snapshot:
        assert [document.text for document in snapshot.load_documents(["long"])] == [TEXT]
        assert not find_texts(snapshot, "new")


def test_what_is_not_there_is_not_continued(long_store: Store) -> None:
    with long_store.open_writer(COLLECTION) as writer:
        writer.commit(continuations=[make_continuation("gone", "river\n", "bank")])
    with open_snapshot(long_store) as snapshot:
        assert snapshot.list_document_ids() == ["after", "before", "long"]


def test_deleting_takes_every_part(long_store: Store) -> None:
    with long_store.open_writer(COLLECTION) as writer:
        assert writer.delete_documents(["long"]) == 1
    with open_snapshot(long_store) as snapshot:
        assert snapshot.count_chunks() == 2
        assert find_texts(snapshot, "river ferry seals") == [("before", "river"), ("after", "ferry")]
    write(long_store, [make_document("long", "anew")], [make_file("long.txt")])
    with open_snapshot(long_store) as snapshot:
        assert [document.text for document in snapshot.load_documents(["long"])] == ["anew"]
        assert snapshot.load_text_part("long", len(PARTS[0])) is None
    long_store.drop_collection(COLLECTION)


def test_parts_may_wait_for_their_vectors(store: Store) -> None:
    write(store, [make_pending_document("long", "river\nbank\n", pending=[0, 1])])
    with store.open_writer(COLLECTION) as writer:
        writer.commit(continuations=[make_continuation("long", "river\nbank\n", "ferry\nharbour\n", pending=[1])])
    with open_snapshot(store) as snapshot:
        assert snapshot.info.pending_vectors == 3
        waiting = snapshot.load_pending_chunks(9)
        assert [(chunk.ordinal, chunk.text) for chunk in waiting] == [(3, "harbour"), (1, "bank"), (0, "river")]
        assert len(snapshot.find_nearest(make_vector("ferry"), 9).ranked) == 1
    with store.open_writer(COLLECTION) as writer:
        writer.attach_vectors({chunk.id: make_vector(chunk.text) for chunk in waiting if chunk.text})
    with open_snapshot(store) as snapshot:
        best = snapshot.find_nearest(make_vector("harbour"), 1)
        assert locate(snapshot, best.ranked) == [("long", 3)]


def test_a_replacement_has_every_part(long_store: Store, make_store: StoreMaker) -> None:
    replacement = long_store.get_replacement(COLLECTION)
    with open_snapshot(long_store) as snapshot:
        info = snapshot.info
    replacement.begin(replace(info.encoder, fingerprint="another"), info.precision)
    outdated = {document.id: document for document in replacement.list_pending()}
    assert (outdated["long"].text, outdated["long"].spans) == (TEXT, WHOLE.spans)
    assert replacement.count_pending_characters() == len(TEXT) + len("river") + len("ferry")
    with replacement.open_writer() as writer:
        for document in outdated.values():
            made = make_document(document.id, document.text, source=document.source, title=document.title)
            writer.commit([replace(made, digest=document.digest, preserved=document.preserved)])
    assert not replacement.list_pending()
    with long_store.open_writer(COLLECTION) as writer:
        writer.commit(continuations=[make_continuation("long", PARTS[0] + PARTS[1], "whales")])
    assert [document.id for document in replacement.list_pending()] == ["long"]
