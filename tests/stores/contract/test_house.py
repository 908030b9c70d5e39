"""The real API, search engine, pipeline and exchange run on each store, and give what they give on the one in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeEncoder
from tests.stores.contract.conftest import StoreMaker
from tests.stores.memory import MemoryStore
from vecsearch.api.collection import Collection
from vecsearch.core.errors import CollectionNotFoundError, InputError
from vecsearch.core.results import Hits
from vecsearch.core.types import CollectionSpec
from vecsearch.stores.base import Store

ENCODER = FakeEncoder(dimension=48)
TOPICS = ["the river bank in spring", "a savings bank", "fashion models", "training a model", "bats at dusk", "cricket bats"]


def open_collection(store: Store, encoder: FakeEncoder = ENCODER, name: str = "notes") -> Collection:
    return Collection(store, name, model=encoder, spec=CollectionSpec(stemmer="en"), closes_store=False)


def write_files(folder: Path) -> None:
    for n, topic in enumerate(TOPICS):
        lines = [f"{topic}, note {n} of line {line} about {TOPICS[(n + line) % 6]}" for line in range(12)]
        (folder / f"{n}.txt").write_text("\n\n".join(lines))
    (folder / "rows.jsonl").write_text('{"id": "row", "text": "an evening of bats", "n": 3}\n{"text": "a loan of a bank"}\n')


def fill(collection: Collection, folder: Path) -> None:
    """Add, replace, change, delete, from code and from files."""
    collection.add(
        [f"{TOPICS[n % 6]} {n // 6}" for n in range(70)], ids=[f"d{n:02}" for n in range(70)],
        metadatas=[{"n": n, "even": n % 2 == 0} for n in range(70)],
    )  # fmt: skip
    collection.add(
        [f"brought {n}" for n in range(5)], ids=[f"v{n}" for n in range(5)], vectors=ENCODER.encode_queries(TOPICS[:5])
    )
    report = collection.index(folder)
    assert (report.added, report.failed) == (8, ())
    (folder / "1.txt").write_text("a savings bank, and nothing else")
    (folder / "2.txt").unlink()
    report = collection.index(folder)
    assert (report.updated, report.removed, report.unchanged) == (1, 1, 6)
    collection.update("d03", metadata={"n": 99})
    collection.upsert(["bats and bats"], ids=["d04"])
    collection.delete(where={"n": {"$gte": 30, "$lt": 35}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    write_files(path)
    return path


@pytest.fixture
def memory_collection(folder: Path, tmp_path: Path) -> Collection:
    """Make the same collection in memory."""
    collection = open_collection(MemoryStore(tmp_path))
    fill(collection, folder)
    write_files(folder)
    return collection


SEARCHES: dict[str, Callable[[Collection], Hits]] = {
    "hybrid": lambda collection: collection.search("bats at a bank", limit=20),
    "dense": lambda collection: collection.search("bats at a bank", limit=20, mode="dense"),
    "lexical": lambda collection: collection.search('"savings bank" mod*', limit=20, mode="lexical"),
    "rrf": lambda collection: collection.search("training models", fusion="rrf"),
    "where": lambda collection: collection.search("a model", where={"$or": [{"n": {"$lt": 9}}, {"even": True}]}, limit=9),
    "chunks": lambda collection: collection.search("spring river", group_by=None, limit=30, window=1),
    "dedupe": lambda collection: collection.search("bats", dedupe=True),
    "mmr": lambda collection: collection.search("bats", mmr=0.3),
    "explain": lambda collection: collection.search("cricket at dusk", explain=True),
    "similar": lambda collection: collection.similar(id="d07", limit=12),
    "recommend": lambda collection: collection.recommend(["d07", "d01"], negative=["d02"], limit=7),
    "noise floor": lambda collection: collection.search("river", min_similarity="auto", limit=30),
}


def show(hits: Hits) -> list[Any]:
    assert hits
    return [
        (
            hit.id,
            hit.chunk_index,
            round(hit.score, 3),
            hit.text,
            hit.source,
            hit.metadata,
            hit.location,
            hit.group_size,
            hit.window,
        )
        for hit in hits
    ]


def test_every_answer_is_the_same_on_every_store(store: Store, folder: Path, memory_collection: Collection) -> None:
    collection = open_collection(store)
    fill(collection, folder)
    assert collection.count() == memory_collection.count() and list(collection) == list(memory_collection)
    assert collection.get(list(collection)) == memory_collection.get(list(memory_collection))
    for name, search in SEARCHES.items():
        assert show(search(collection)) == show(search(memory_collection)), name


def test_new_vectors_by_another_model(store: Store, folder: Path) -> None:
    collection = open_collection(store)
    fill(collection, folder)
    before = collection.get(list(collection))
    other = FakeEncoder(salt=1, dimension=24)
    report = collection.reembed(other)
    assert report.switched and report.documents == len(before)
    collection = open_collection(store, other)
    assert collection.get(list(collection)) == before and collection.dimension == 24
    assert collection.search("cricket bats 0", mode="dense")[0].similarity == pytest.approx(1.0, abs=1e-3)
    assert collection.index(folder).unchanged == 7


def test_it_moves_from_store_to_store(store: Store, folder: Path, tmp_path: Path) -> None:
    collection, file = open_collection(store), tmp_path / "export.jsonl"
    fill(collection, folder)
    collection.export_documents(file)
    other = open_collection(MemoryStore(tmp_path))
    report = other.import_documents(file)
    assert (report.added, report.failed) == (collection.count(), ())
    assert show(other.search("bats at a bank", limit=20)) == show(collection.search("bats at a bank", limit=20))


def test_the_indexes_can_be_tidied_and_stemmed_again(make_store: StoreMaker, folder: Path) -> None:
    collection = open_collection(make_store())
    fill(collection, folder)
    before = show(collection.search("bats at a bank", limit=20))
    collection.optimize()
    assert show(collection.search("bats at a bank", limit=20)) == before
    collection.optimize(full=True, stemmer="none")
    second_collection = Collection(make_store(), "notes", model=ENCODER, spec=CollectionSpec(), closes_store=False)
    assert second_collection.count() == collection.count()
    assert not second_collection.search("model", mode="lexical", where={"n": 2})  # "fashion models": without its stem


def test_a_collection_that_is_not_there(store: Store) -> None:
    collection = open_collection(store)
    assert (len(collection), "a" in collection, list(collection)) == (0, False, [])
    with pytest.raises(CollectionNotFoundError, match="notes"):
        collection.search("river")
    collection.add(["river"], ids=["a"])
    with pytest.raises(InputError, match="'a'"):
        collection.add(["bank"], ids=["a"])
    assert [document.text for document in collection.get(["a"])] == ["river"]
