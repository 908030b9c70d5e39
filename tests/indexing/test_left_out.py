"""What others store between a plan and its commit is never lost, and what is left out for it is not forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.encoders import registry
from vecsearch.stores.sqlite.store import SQLiteStore

OLD, NEW = FakeEncoder(1), FakeEncoder(2, dimension=24)


class InterruptionError(Exception):
    """Ends a run in the middle."""


class Acting(FakeEncoder):
    """A model that does something once, when it has encoded so many texts."""

    def __init__(self, seed: int, act: Callable[[], None], *, after: int = 0, dimension: int = 32) -> None:
        super().__init__(seed, dimension=dimension)
        self._act: Callable[[], None] | None = act
        self._left = after

    def encode_documents(self, texts):
        self._left -= len(texts)
        if self._left < 0 and self._act is not None:
            act, self._act = self._act, None
            act()
        return super().encode_documents(texts)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "r.jsonl").write_text(json.dumps({"id": "X", "text": "text of the file"}) + "\n")
    return tmp_path / "r.jsonl"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    with vecsearch.open(tmp_path / "x.vec", model=OLD) as collection:
        collection.add(["seed"], ids=["s"])
    return tmp_path / "x.vec"


def text_of_x(db: Path) -> str:
    with vecsearch.open(db, model=OLD) as collection:
        return collection.get(["X"])[0].text


def store_x(db: Path) -> None:
    with vecsearch.open(db, model=OLD) as other:
        other.add(["precious"], ids=["X"])


def test_a_reembedding_that_goes_on_takes_what_came_from_a_file_over_what_came_from_code(tmp_path, file):
    db = tmp_path / "x.vec"
    with vecsearch.open(db, model=OLD) as collection:
        collection.add(["text from code"], ids=["X"])
        collection.add([f"filler {n}" for n in range(1500)])

    def interrupt() -> None:
        raise InterruptionError

    with vecsearch.open(db) as collection, pytest.raises(InterruptionError, match=r"^$"):
        collection.reembed(Acting(2, interrupt, after=1400, dimension=24))
    with vecsearch.open(db, model=OLD) as collection:
        collection.delete(["X"])
        collection.index([file])
    with vecsearch.open(db) as collection:
        collection.reembed(NEW)
        (document,) = collection.get(["X"])
    assert (document.text, document.source) == ("text of the file", str(file))


def test_a_document_that_was_left_out_is_stored_when_its_id_is_free_again(db, file):
    with vecsearch.open(db, model=Acting(1, lambda: store_x(db))) as collection:
        report = collection.index([file])
        assert (report.added, len(report.failed)) == (0, 1)
        assert [source.error is None for source in collection.list_sources()] == [False]
    with vecsearch.open(db, model=OLD) as collection:
        collection.delete(["X"])
        assert collection.index([file]).added == 1
    assert text_of_x(db) == "text of the file"


@pytest.mark.parametrize("policy", ["skip", "error", "replace"])
def test_an_import_overwrites_what_came_meanwhile_only_where_it_was_told_to(db, file, policy):
    with vecsearch.open(db, model=Acting(1, lambda: store_x(db))) as collection:
        report = collection.import_documents(file, on_conflict=policy)
    assert text_of_x(db) == ("text of the file" if policy == "replace" else "precious")
    assert (report.skipped, len(report.failed)) == {"skip": (1, 0), "error": (0, 1), "replace": (0, 0)}[policy]
    assert report.added == (policy == "replace")


@pytest.mark.parametrize("options", [{"mode": "dense"}, {"mode": "hybrid"}, {"explain": True}])
def test_no_snapshot_is_held_while_a_model_is_loaded_whatever_was_asked_before(db, monkeypatch, options):
    opened, held = 0, []
    open_snapshot = SQLiteStore.open_snapshot

    @contextmanager
    def count(self: SQLiteStore, name: str) -> Iterator[object]:
        nonlocal opened
        with open_snapshot(self, name) as snapshot:
            opened += 1
            try:
                yield snapshot
            finally:
                opened -= 1

    def load(*_args: object, **_options: object) -> FakeEncoder:
        held.append(opened)
        return OLD

    with vecsearch.open(db) as collection:
        monkeypatch.setattr(SQLiteStore, "open_snapshot", count)
        monkeypatch.setattr(registry, "load_matching", load)
        collection.search("seed", mode="lexical")
        collection.search("seed", **options)
    assert held
    assert set(held) == {0}


def test_vectors_are_not_mixed_where_another_run_creates_the_collection_meanwhile(tmp_path, file):
    db = tmp_path / "new.vec"

    def create() -> None:
        with vecsearch.open(db, model=FakeEncoder(3)) as other:
            other.add(["theirs"], ids=["theirs"])

    with (
        vecsearch.open(db, model=Acting(1, create)) as collection,
        pytest.raises(vecsearch.CollectionChangedError, match="was created with the model fake-3"),
    ):
        collection.index([file])
    with vecsearch.open(db) as collection:
        assert list(collection) == ["theirs"]
