"""The noise floor lies in the collection's row, follows what is written, and is never estimated by a search."""

from __future__ import annotations

import pickle
import sqlite3
from pathlib import Path

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores import noise_floor

TOPICS = ("bread dough oven", "tide harbour boat", "mountain snow ridge", "loan bank money", "violin string bow")


def make_texts(first: int, count: int) -> list[str]:
    return [f"{TOPICS[n % len(TOPICS)]} number{n} word{n * 7 % 31}" for n in range(first, first + count)]


def read_row(folder: Path) -> tuple[float | None, int, int]:
    with sqlite3.connect(folder / DATABASE_FILE) as connection:
        row = connection.execute("SELECT noise_floor, noise_floor_vectors, vectors_changed FROM collections").fetchone()
        return row[0], row[1], row[2]


def estimate(collection: vecsearch.Collection) -> float | None:
    with collection._open_snapshot() as snapshot:
        return noise_floor.estimate_noise_floor(snapshot)


def test_the_floor_is_estimated_again_when_a_fifth_of_the_vectors_are_others(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "f.vec", model=FakeEncoder()) as collection:
        collection.add(make_texts(0, 20), ids=[f"a{n}" for n in range(20)])
        assert read_row(collection.path) == (None, 20, 0)  # too few documents to know
        collection.add(make_texts(20, 80), ids=[f"b{n}" for n in range(80)])
        first = read_row(collection.path)
        assert first == (estimate(collection), 100, 0) and first[0] is not None and 0 < first[0] < 1

        collection.add(make_texts(100, 12), ids=[f"c{n}" for n in range(12)])
        collection.delete([f"c{n}" for n in range(4)])
        collection.update("a0", metadata={"kept": True})  # no vector is another
        assert read_row(collection.path) == (first[0], 100, 16)

        collection.add(
            ["quite another text"] * 3, ids=["b0", "b1", "b2"], on_conflict="replace"
        )  # replaced: three gone, three new
        assert read_row(collection.path)[1:] == (108, 0) and read_row(collection.path)[0] == estimate(collection)

        collection.delete([f"b{n}" for n in range(3, 40)])
        assert read_row(collection.path) == (estimate(collection), 71, 0)

        with sqlite3.connect(collection.path / DATABASE_FILE) as connection:  # as a migration leaves it
            connection.execute("UPDATE collections SET noise_floor = NULL, noise_floor_vectors = 0")
        known = estimate(collection)
        hits = collection.search("tide harbour boat", mode="dense", limit=71)
        assert hits.profile is not None and hits.profile.noise_floor == known
        assert read_row(collection.path)[1] == 0  # a search writes nothing
        collection.optimize()
        assert read_row(collection.path) == (known, 71, 0)


def test_hits_below_the_floor_are_weak_and_no_search_estimates_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vecsearch.open(tmp_path / "w.vec", model=FakeEncoder()) as collection:
        collection.add(make_texts(0, 10))
        assert {hit.weak for hit in collection.search("bread dough oven")} == {None}
        collection.add(make_texts(10, 90))
    monkeypatch.setattr(noise_floor, "estimate_noise_floor", lambda snapshot: pytest.fail("a search estimates the floor"))
    with vecsearch.open(tmp_path / "w.vec", model=FakeEncoder(), readonly=True) as collection:
        hits = collection.search("bread dough oven", limit=100, mode="dense")
        assert hits.profile is not None
        floor = hits.profile.noise_floor
        assert floor == read_row(collection.path)[0] and floor is not None
        assert [hit.weak for hit in hits] == [hit.similarity is not None and hit.similarity < floor for hit in hits]
        assert {hit.weak for hit in hits} == {True, False} and not hits.weak and hits.reason is None
        assert hits[0].to_dict()["weak"] is False
        auto = collection.search("bread dough oven", limit=100, mode="dense", min_similarity="auto")
        assert list(auto) == [hit for hit in hits if not hit.weak]

        nothing = collection.search("bread dough oven", limit=3, mode="dense", where={"$id": {"$in": [hits[-1].id]}})
        assert nothing.weak and [hit.weak for hit in nothing] == [True]
        assert {hit.weak for hit in collection.search("bread", mode="lexical")} == {None}
        copy = pickle.loads(pickle.dumps(hits))
        assert list(copy) == list(hits) and copy.profile == hits.profile and copy.reason is None
