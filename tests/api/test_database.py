"""`vecsearch.connect`: a database and its collections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import vecsearch


@pytest.fixture
def database(tmp_path: Path) -> Iterator[vecsearch.Database]:
    with vecsearch.connect(tmp_path / "notes.vec") as database:
        yield database


def test_an_empty_collection_keeps_its_model_and_metadata(database: vecsearch.Database, tmp_path: Path) -> None:
    created = database.create_collection("talks", metadata={"owner": "Ada", "years": [2024, 2025]}, stemmer="de")
    assert len(created) == 0
    assert database.collections() == ["talks"]
    with vecsearch.open(tmp_path / "notes.vec", collection="talks", readonly=True) as talks:
        assert (talks.model, talks.dimension) == ("all-MiniLM-L6-v2", 384)
        assert talks.metadata == {"owner": "Ada", "years": [2024, 2025]}
        assert talks.search("anything") == []
        assert talks.status()["stemmer"] == "de"


def test_a_name_that_is_taken_is_refused(database: vecsearch.Database) -> None:
    database.create_collection("talks")
    with pytest.raises(vecsearch.InputError, match="already"):
        database.create_collection("talks")


def test_collections_are_listed_renamed_and_deleted(database: vecsearch.Database) -> None:
    for name in ("b", "a"):
        database.collection(name).add([name], ids=[name])
    database.rename_collection("a", "c")
    assert database.collections() == ["b", "c"]
    assert list(database.collection("c")) == ["a"]
    with pytest.raises(vecsearch.InputError, match="already"):
        database.rename_collection("c", "b")
    database.delete_collection("b")
    assert database.collections() == ["c"]
    with pytest.raises(vecsearch.CollectionNotFoundError, match="no collection named 'b'"):
        database.delete_collection("b")
    with pytest.raises(vecsearch.CollectionNotFoundError, match="no collection named 'b'"):
        database.status("b")


def test_closing_a_collection_of_a_database_leaves_the_database_open(database: vecsearch.Database) -> None:
    with database.collection("a") as collection:
        collection.add(["text"])
    assert [entry["documents"] for entry in database.status()["collections"]] == [1]


def test_a_backup_is_restored_elsewhere(database: vecsearch.Database, tmp_path: Path) -> None:
    database.collection("a").add(["text"], ids=["t"])
    database.backup(tmp_path / "notes.backup")
    collections = vecsearch.restore(tmp_path / "notes.backup", tmp_path / "copy.vec")
    assert [entry["name"] for entry in collections["collections"]] == ["a"]
    with vecsearch.connect(tmp_path / "copy.vec", readonly=True) as copy:
        assert "t" in copy.collection("a")
        assert copy.check() == []
        assert copy.readonly
        assert copy.path == tmp_path / "copy.vec"


def test_connect_without_create_makes_nothing(tmp_path: Path) -> None:
    for options in ({"create": False}, {"readonly": True}):
        with pytest.raises(vecsearch.NotADatabaseError, match=r"none\.vec"):
            vecsearch.connect(tmp_path / "none.vec", **options)
    assert not (tmp_path / "none.vec").exists()


@pytest.mark.parametrize("seconds", ["30", None, float("nan"), float("inf"), -1, True], ids=repr)
@pytest.mark.parametrize("function", [vecsearch.open, vecsearch.connect])
def test_a_lock_timeout_that_is_no_number_of_seconds_is_refused_at_once(
    function: Callable[..., Any], seconds: Any, tmp_path: Path
) -> None:
    with pytest.raises(vecsearch.InputError, match="lock_timeout must be a number of seconds"):
        function(tmp_path / "notes.vec", lock_timeout=seconds)
    assert not (tmp_path / "notes.vec").exists()


ASKING = {
    "search": lambda collection: collection.search("text"),
    "lexical search": lambda collection: collection.search("text", mode="lexical"),
    "search by vector": lambda collection: collection.search(np.ones(384)),
    "similar": lambda collection: collection.similar(text="text"),
    "recommend": lambda collection: collection.recommend([{"text": "text"}]),
    "context": lambda collection: collection.context("text"),
    "get": lambda collection: collection.get(["a"]),
    "get by filter": lambda collection: collection.get(where={"lang": "en"}),
    "export": lambda collection: collection.export_documents(collection.path / "out.jsonl"),
    "status": lambda collection: collection.status(),
    "reembed": lambda collection: collection.reembed("all-MiniLM-L6-v2"),
}


@pytest.mark.parametrize("ask", ASKING.values(), ids=ASKING)
def test_a_collection_that_is_not_there_answers_nothing(database: vecsearch.Database, ask: Callable[..., Any]) -> None:
    database.create_collection("other")
    with pytest.raises(vecsearch.CollectionNotFoundError, match=r"no collection named 'absent' .*other"):
        ask(database.collection("absent"))


def test_a_collection_that_is_not_there_holds_nothing(database: vecsearch.Database) -> None:
    absent = database.collection("absent")
    assert (len(absent), absent.count(), absent.count({"lang": "en"})) == (0, 0, 0)
    assert "a" not in absent
    assert list(absent) == []
    assert absent
    assert (absent.list_documents(), absent.list_sources()) == ([], [])
    with pytest.raises(vecsearch.InputError, match="no document with id 'a'"):
        absent.delete(["a"])


def test_a_collection_counts_and_iterates_like_a_container_of_ids(database: vecsearch.Database) -> None:
    notes = database.collection("notes")
    notes.add(["two", "one"], ids=["b", "a"])
    assert len(notes) == 2
    assert list(notes) == ["a", "b"]
    assert "a" in notes
    assert "c" not in notes
    assert 7 not in notes
    assert "\ud800" not in notes


def test_upsert_adds_what_is_new_and_replaces_what_is_there(database: vecsearch.Database) -> None:
    notes = database.collection("notes")
    notes.add(["old"], ids=["a"])
    assert notes.upsert(["new", "other"], ids=["a", "b"]) == ["a", "b"]
    assert [document.text for document in notes.get(["a", "b"])] == ["new", "other"]


def test_vectors_come_out_when_asked_for_and_are_those_of_embed(database: vecsearch.Database) -> None:
    notes = database.collection("notes", precision="float32")
    notes.add(["a heron", "a runway"], ids=["a", "b"])
    assert [document.vectors for document in notes.get(["a", "b"])] == [None, None]
    stored = [document.vectors for document in notes.get(["a", "b"], include_vectors=True)]
    vectors = notes.embed(["a heron", "a runway"])
    assert vectors.shape == (2, notes.dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert np.vstack([rows for rows in stored if rows is not None]) == pytest.approx(vectors, abs=1e-4)
    assert notes.embed([]).shape == (0, notes.dimension)
    with pytest.raises(vecsearch.InputError, match="a list of texts"):
        notes.embed("a heron")


def test_numpy_s_whole_numbers_are_whole_numbers(database: vecsearch.Database) -> None:
    notes = database.collection("notes")
    notes.add(["one", "two", "three"])
    numbers: dict[str, Any] = {"limit": np.int64(2), "window": np.int8(1), "mmr": np.float32(0.5)}
    assert len(notes.search("one", **numbers)) == 2
    page: dict[str, Any] = {"limit": np.int32(1), "offset": np.uint8(1)}
    assert len(notes.list_documents(**page)) == 1
    hundred: Any = np.int64(100)
    assert notes.context("one", max_tokens=hundred).passages
    argument: Any
    for argument in (True, 1.0, "1", None):
        with pytest.raises(vecsearch.InputError, match="limit must be a whole number"):
            notes.search("one", limit=argument)
    with pytest.raises(vecsearch.InputError, match="max_bytes must be a whole number"):
        notes.index(database.path, max_bytes="1")  # type: ignore[arg-type]


def test_any_mapping_is_metadata(database: vecsearch.Database) -> None:
    notes = database.collection("notes")
    nested = MappingProxyType({"where": MappingProxyType({"city": "Bern", "at": (46.9, 7.4)}), "tags": range(2)})
    notes.add(["text"], ids=["a"], metadatas=[nested])
    assert notes.get("a")[0].metadata == {"where": {"city": "Bern", "at": [46.9, 7.4]}, "tags": [0, 1]}
    document = notes.update("a", metadata=MappingProxyType({"tags": None, "more": MappingProxyType({"n": 1})}))
    assert document.metadata == {"where": {"city": "Bern", "at": [46.9, 7.4]}, "more": {"n": 1}}
    created = database.create_collection("other", metadata=MappingProxyType({"of": MappingProxyType({"me": True})}))
    assert created.metadata == {"of": {"me": True}}
    argument: Any
    for argument in (["list"], "text", 7):
        with pytest.raises(vecsearch.InputError, match="metadata must be a mapping"):
            notes.add(["text"], metadatas=[argument])
        with pytest.raises(vecsearch.InputError, match="metadata must be a mapping"):
            notes.update("a", metadata=argument)


def test_a_mapping_inside_itself_is_refused(database: vecsearch.Database) -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless
    with pytest.raises(vecsearch.InputError, match="nested too deeply"):
        database.collection("notes").add(["text"], metadatas=[endless])


class RewritingEncoder:
    """The real encoder, which lets another process write whenever a query is encoded."""

    def __init__(self, encoder: vecsearch.Encoder, write: Callable[[], object]) -> None:
        self._encoder, self._write = encoder, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_queries(self, texts: list[str]) -> Any:
        self._write()
        return self._encoder.encode_queries(texts)


def test_a_search_sees_what_was_written_while_its_model_worked(tmp_path: Path, encoder: vecsearch.Encoder) -> None:
    with vecsearch.open(tmp_path / "notes.vec") as writer:
        writer.add(["a heron"], ids=["a"])
        rewriting = RewritingEncoder(encoder, lambda: writer.upsert(["a second heron"], ids=["b"]))
        with vecsearch.open(tmp_path / "notes.vec", model=rewriting, readonly=True) as reader:  # type: ignore[arg-type]
            assert {hit.id for hit in reader.search("heron")} == {"a", "b"}


def test_windows_is_refused_with_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(vecsearch.UnavailableError, match="Linux and macOS"):
        vecsearch.open(tmp_path / "notes.vec")


def test_a_star_import_leaves_open_alone() -> None:
    names: dict[str, Any] = {}
    exec("from vecsearch import *", names)
    assert "connect" in names
    assert "open" not in names
