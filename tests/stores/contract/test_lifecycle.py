"""In every state that a collection can be in, the answers are those of brute force over what was stored."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.stores.contract.conftest import StoreMaker
from tests.stores.contract.documents import (
    COLLECTION,
    OTHER_SPEC,
    SPEC,
    Place,
    find_chunk,
    locate,
    make_document,
    make_vector,
    open_snapshot,
    parse,
    round_vectors,
    write,
)
from vecsearch.core.filters import Compare, Comparison
from vecsearch.core.types import Precision
from vecsearch.stores.base import NewDocument, Store

WORDS = ["river", "bank", "spring", "model", "bat", "dusk", "cricket", "loan"]
QUERIES = ["river bank", "bat", "a model of spring", "nowhere"]
FILTERS = {
    "none": (None, lambda document: True),
    "third": (Compare("third", Comparison.EQUAL, True), lambda document: document.metadata["third"]),
    "one": (Compare("number", Comparison.EQUAL, 77), lambda document: document.metadata["number"] == 77),
}


@dataclass
class Oracle:
    """What the collection should hold, in the order of its chunks."""

    make_store: StoreMaker
    store: Store
    documents: dict[str, NewDocument] = field(default_factory=dict)

    def write(self, documents: Sequence[NewDocument]) -> None:
        write(self.store, documents)
        for document in documents:  # new chunks are stored after all others
            self.documents.pop(document.id, None)
            self.documents[document.id] = document

    def delete(self, ids: Sequence[str]) -> None:
        with self.store.open_writer(COLLECTION) as writer:
            assert writer.delete_documents(ids) == len(ids)
        for id in ids:
            del self.documents[id]

    def list_chunks(self) -> list[tuple[Place, NewDocument]]:
        return [((document.id, n), document) for document in self.documents.values() for n in range(len(document.spans))]


def make_documents(numbers: range, *, version: str = "") -> list[NewDocument]:
    """Make texts of a few words, some of which are equal, so that scores tie."""
    documents = []
    for n in numbers:
        lines = [f"{WORDS[n % 8]} {WORDS[n // 2 % 8]} {version}".strip(), f"{WORDS[n % 3]} bat {'dusk ' * (n % 3)}".strip()]
        text = "\n".join(lines[: 1 + n % 2])
        documents.append(make_document(f"d{n:03}", text, metadata={"number": n, "third": n % 3 == 0}))
    return documents


# -- the states


def write_documents(oracle: Oracle) -> None:
    oracle.write(make_documents(range(60)))


def add_documents(oracle: Oracle) -> None:
    write_documents(oracle)
    for first in range(60, 90, 10):
        oracle.write(make_documents(range(first, first + 10)))


def update_documents(oracle: Oracle) -> None:
    add_documents(oracle)
    oracle.write(make_documents(range(5, 25), version="loan"))


def delete_documents(oracle: Oracle) -> None:
    update_documents(oracle)
    oracle.delete([f"d{n:03}" for n in (*range(10, 40), 88)])


def add_documents_again(oracle: Oracle) -> None:
    delete_documents(oracle)
    oracle.write(make_documents(range(20, 30)))


def delete_everything(oracle: Oracle) -> None:
    add_documents(oracle)
    oracle.delete(list(oracle.documents))


def optimize(oracle: Oracle) -> None:
    add_documents_again(oracle)
    with oracle.store.open_writer(COLLECTION) as writer:
        writer.optimize()


def optimize_in_full(oracle: Oracle) -> None:
    add_documents_again(oracle)
    with oracle.store.open_writer(COLLECTION) as writer:
        writer.optimize(full=True)


def refresh_then_delete(oracle: Oracle) -> None:
    add_documents(oracle)
    with oracle.store.open_writer(COLLECTION) as writer:
        writer.refresh_indexes()
    oracle.delete([f"d{n:03}" for n in range(0, 50, 3)])


def reopen_store(oracle: Oracle) -> None:
    add_documents_again(oracle)
    oracle.store = oracle.make_store()


def rename_and_rename_back(oracle: Oracle) -> None:
    delete_documents(oracle)
    oracle.store.rename_collection(COLLECTION, "elsewhere")
    oracle.store.rename_collection("elsewhere", COLLECTION)


def replace_vectors(oracle: Oracle) -> None:
    """Make the vectors anew, in single precision and another order, which the chunks then have too."""
    delete_documents(oracle)
    replacement = oracle.store.get_replacement(COLLECTION)
    replacement.begin(SPEC, Precision.FLOAT32)
    with replacement.open_writer() as writer:
        pending = {document.id: document for document in replacement.list_pending()}
        writer.commit(
            [
                make_document(id, document.text, preserved=document.preserved)
                for id, document in sorted(pending.items(), reverse=True)
            ]
        )
        replacement.swap()
    oracle.documents = dict(sorted(oracle.documents.items(), reverse=True))


STATES = [
    write_documents, add_documents, update_documents, delete_documents, add_documents_again, delete_everything, optimize,
    optimize_in_full, refresh_then_delete, reopen_store, rename_and_rename_back, replace_vectors,
]  # fmt: skip


# -- brute force


def rank(scores: dict[Place, float], order: Sequence[Place]) -> list[tuple[Place, float]]:
    """Rank best first, those of equal scores (but for rounding) in the order in which they are stored."""
    numbers = {place: n for n, place in enumerate(order)}
    return sorted(scores.items(), key=lambda item: (-round(item[1], 6), numbers[item[0]]))


def compute_cosines(oracle: Oracle, query: np.ndarray, keep: Callable[[NewDocument], bool]) -> dict[Place, float]:
    return {
        place: float(round_vectors(document.vectors)[place[1]] @ query)
        for place, document in oracle.list_chunks()
        if keep(document)
    }


def compute_bm25(oracle: Oracle, query: str, keep: Callable[[NewDocument], bool]) -> dict[Place, float]:
    """Compute Robertson's formula over every chunk."""
    chunks = oracle.list_chunks()
    bags = {place: Counter(document.text.split("\n")[place[1]].split()) for place, document in chunks}
    mean = sum(bag.total() for bag in bags.values()) / max(1, len(bags))
    scores: dict[Place, float] = {}
    for word in set(query.split()) - {"a", "of"}:
        holders = [place for place, bag in bags.items() if bag[word]]
        idf = math.log(1 + (len(bags) - len(holders) + 0.5) / (len(holders) + 0.5))
        for place, document in chunks:
            count, length = bags[place][word], bags[place].total()
            if count and keep(document):
                scores[place] = scores.get(place, 0.0) + idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))
    return scores


@pytest.mark.parametrize("reach", STATES, ids=lambda reach: reach.__name__)
def test_answers_are_those_of_brute_force(reach: Callable[[Oracle], None], make_store: StoreMaker) -> None:
    oracle = Oracle(make_store, make_store())
    reach(oracle)
    order = [place for place, _ in oracle.list_chunks()]
    with open_snapshot(oracle.store) as snapshot:
        assert (snapshot.count_documents(), snapshot.count_chunks()) == (len(oracle.documents), len(order))
        for text in QUERIES:
            vector = make_vector(text)
            for where, keep in FILTERS.values():
                chunk_set = None if where is None else snapshot.select(where)
                for k in (1, 10, 500):
                    near = snapshot.find_nearest(vector, k, within=chunk_set)
                    expected = rank(compute_cosines(oracle, vector, keep), order)[:k]
                    assert_same_ranking(locate(snapshot, near.ranked), [hit.score for hit in near.ranked], expected, 1e-3)
                    lexical = snapshot.match(parse(text), k, within=chunk_set)
                    expected = rank(compute_bm25(oracle, text, keep), order)[:k]
                    assert_same_ranking(locate(snapshot, lexical.ranked), [hit.score for hit in lexical.ranked], expected, 1e-6)


def assert_same_ranking(places: list[Place], scores: list[float], expected: list[tuple[Place, float]], tolerance: float) -> None:
    assert places == [place for place, _ in expected]
    assert scores == pytest.approx([score for _, score in expected], abs=tolerance)


def test_numbers_of_chunks_are_never_used_again(make_store: StoreMaker, tmp_path: Path) -> None:
    """Nor after the newest were deleted, the store was opened again, or the collection dropped."""
    store, used_ids = make_store(), set[int]()
    for _ in range(3):
        write(store, [make_document("a", "river"), make_document("b", "bank")])
        with open_snapshot(store) as snapshot:
            numbers = {find_chunk(snapshot, "a"), find_chunk(snapshot, "b")}
        assert not numbers & used_ids
        used_ids |= numbers
        with store.open_writer(COLLECTION) as writer:
            writer.delete_documents(["a", "b"])
        store = make_store()
    store.drop_collection(COLLECTION)
    write(store, [make_document("a", "river")])
    with open_snapshot(store) as snapshot:
        assert find_chunk(snapshot, "a") not in used_ids


def test_collections_do_not_see_each_other(store: Store) -> None:
    write(store, [make_document("a", "river bank")])
    write(store, [make_document("b", "river loan"), make_document("c", "river")], collection="other")
    for collection, ids in ((COLLECTION, ["a"]), ("other", ["b", "c"])):
        with open_snapshot(store, collection) as snapshot:
            assert snapshot.list_document_ids() == ids
            assert {id for id, _ in locate(snapshot, snapshot.find_nearest(make_vector("river"), 9).ranked)} == set(ids)
            assert {id for id, _ in locate(snapshot, snapshot.match(parse("river"), 9).ranked)} == set(ids)
    with store.open_writer(COLLECTION) as writer:
        assert writer.delete_documents(["b"]) == 0
    store.drop_collection("other")
    with open_snapshot(store) as snapshot:
        assert snapshot.list_document_ids() == ["a"]


def test_a_collection_is_what_it_was_made_as(make_store: StoreMaker) -> None:
    store = make_store()
    assert store.list_collections() == []
    with store.open_snapshot(COLLECTION) as missing_snapshot, store.open_writer(COLLECTION) as writer:
        assert missing_snapshot is None and writer.info is None
        first_info = writer.ensure(OTHER_SPEC, precision=Precision.FLOAT32, stemmer="de", metadata={"made": "by a test"})
        second_info = writer.ensure(SPEC, precision=Precision.FLOAT16, stemmer="en")
    expected = (COLLECTION, OTHER_SPEC, Precision.FLOAT32, "de", {"made": "by a test"})
    for info in (first_info, second_info, *make_store().list_collections()):
        assert (info.name, info.encoder, info.precision, info.stemmer, dict(info.metadata)) == expected
        assert (info.identity, info.version) == (first_info.identity, first_info.version)


def test_what_this_program_wrote_needs_no_upgrade(make_store: StoreMaker) -> None:
    write(make_store(), [make_document("a", "river")])
    store = make_store()
    assert store.upgrade() is False
    with open_snapshot(store) as snapshot:
        assert snapshot.list_document_ids() == ["a"]
