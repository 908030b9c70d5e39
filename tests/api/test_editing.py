"""Documents are changed, left out and told apart by id, through the Python API and the shell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests.checks import is_sound
from tests.conftest import CommandResult, CountingEncoder
from tests.fakes import FakeEncoder
from vecsearch.core.types import OnConflict


@pytest.fixture
def notes(tmp_path: Path, counting_encoder: CountingEncoder) -> Iterator[vecsearch.Collection]:
    with vecsearch.open(tmp_path / "notes.vec", model=counting_encoder) as collection:
        collection.add(
            ["one", "two", "three"],
            ids=["1", "2", "3"],
            titles=["A", None, None],
            metadatas=[{"n": 1, "tag": "x"}, {"n": 2}, None],
        )
        counting_encoder.documents.clear()
        yield collection


def test_add_says_what_became_of_each_document(notes: vecsearch.Collection) -> None:
    for policy, counts in ((OnConflict.SKIP, (1, 0, 2)), (OnConflict.REPLACE, (0, 3, 0))):
        report = notes.add(["2", "3", "4"], ids=["2", "3", "4"], on_conflict=policy)
        assert (report, report.added, report.replaced, report.skipped) == (["2", "3", "4"], *counts)
    report = notes.add(["x"], vectors=[np.eye(384)[0]])
    assert (len(report), report.added, report.replaced, report.skipped) == (1, 1, 0, 0)
    assert (notes.add([]).added, notes.upsert(["y"], ids=["1"]).replaced) == (0, 1)


def test_ids_that_are_taken_or_not_there_are_named(notes: vecsearch.Collection) -> None:
    with pytest.raises(vecsearch.DocumentExistsError, match=r"the ids '3', '1' are there already") as taken:
        notes.add(["a", "b", "c"], ids=["3", "new", "1"])
    assert taken.value.ids == ("3", "1")
    for ask in (notes.get, notes.delete, lambda ids: notes.update_many(ids, metadata={"a": 1})):
        with pytest.raises(vecsearch.DocumentNotFoundError, match=r"no document with ids 'x', 'y' in collection") as unknown:
            ask(["1", "x", "y"])
        assert unknown.value.ids == ("x", "y")
    assert list(notes) == ["1", "2", "3"] and notes.get("1")[0].metadata == {"n": 1, "tag": "x"}
    impossible: list[Any] = [7, None, "half \ud800"]
    with pytest.raises(vecsearch.DocumentNotFoundError) as unknown:
        notes.get(impossible)
    assert unknown.value.ids == tuple(impossible)


def test_ids_that_are_not_there_are_left_out_on_request(notes: vecsearch.Collection) -> None:
    some: list[Any] = ["3", "x", 7, "half \ud800", "1", "3"]
    assert [document.id for document in notes.get(some, missing="skip")] == ["3", "1"]
    assert notes.get("x", missing="skip") == []
    assert notes.delete(some, missing="skip", dry_run=True) == ["3", "1"]
    assert notes.update_many(["3", "x"], metadatas=[{"a": 1}, {"a": 2}], missing="skip") == ["3"]
    assert notes.delete(some, missing="skip") == ["3", "1"]
    assert notes.delete(some, missing="skip") == []
    assert list(notes) == ["2"]
    with pytest.raises(vecsearch.InputError, match="missing must be one of error, skip, got 'ignore'"):
        notes.get("1", missing="ignore")  # type: ignore[arg-type]


def test_many_are_updated_together(notes: vecsearch.Collection, counting_encoder: CountingEncoder) -> None:
    changed = notes.update_many(
        ["3", "1", "2"], texts=["drei", None, None], titles=[None, "B", None], metadatas=[{"n": 3}, {"tag": None}, None]
    )
    assert changed == ["3", "1", "2"]
    documents = {document.id: document for document in notes.get(["1", "2", "3"])}
    assert [(document.text, document.title, document.metadata) for document in documents.values()] == [
        ("one", "B", {"n": 1}), ("two", None, {"n": 2}), ("drei", None, {"n": 3}),
    ]  # fmt: skip
    assert sorted(counting_encoder.documents) == ["B\none", "drei"]
    assert notes.update_many(["1", "2"], metadata={"seen": True}) == ["1", "2"]
    assert [document.metadata for document in notes.get(["1", "2"])] == [{"n": 1, "seen": True}, {"n": 2, "seen": True}]
    assert len(counting_encoder.documents) == 2 and is_sound(notes.path)


def test_what_a_filter_selects_is_updated(notes: vecsearch.Collection, counting_encoder: CountingEncoder) -> None:
    assert notes.update_many(where={"n": {"$gte": 1}}, metadata={"n": None, "old": True}) == ["1", "2"]
    assert [document.metadata for document in notes.get(["1", "2", "3"])] == [{"tag": "x", "old": True}, {"old": True}, {}]
    assert notes.count({"n": {"$exists": True}}) == 0 == len(counting_encoder.documents)
    assert notes.update_many(where={"n": 1}, metadata={"a": 1}) == []


def test_vectors_are_replaced_without_a_model(notes: vecsearch.Collection, counting_encoder: CountingEncoder) -> None:
    rows = np.eye(384, dtype=np.float32)[:2]
    assert notes.update_many(["2", "1"], vectors=rows, metadatas=[{"n": 22}, None]) == ["2", "1"]
    documents = notes.get(["2", "1"], include_vectors=True)
    assert np.array_equal(np.concatenate([document.vectors for document in documents]), rows)
    assert [(document.text, document.metadata) for document in documents] == [("two", {"n": 22}), ("one", {"n": 1, "tag": "x"})]
    assert [hit.id for hit in notes.search(rows[0], limit=1)] == ["2"] and counting_encoder.documents == []
    with pytest.raises(vecsearch.DimensionMismatchError):
        notes.update_many(["1"], vectors=[[1.0, 0.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "ids or where"),
        ({"ids": ["1"], "where": {"n": 1}}, "ids or where"),
        ({"where": {"n": 1}, "texts": ["a"]}, "texts go with ids"),
        ({"ids": ["1"], "metadata": {}, "metadatas": [{}]}, "not both"),
        ({"ids": ["1", "2"], "texts": ["a"]}, "texts must be a list of 2, one for each id"),
        ({"ids": ["1", "2"], "metadatas": {"a": 1}}, "metadatas must have an order, as a list has"),
        ({"ids": ["1", "1"]}, "the id '1' is given twice"),
        ({"ids": "1"}, "ids must be a list of texts, got one str"),
        ({"ids": ["1", "2"], "metadatas": [{"a": 1}, "b"]}, "metadata must be a mapping"),
        ({"ids": ["1", "2"], "metadatas": [{"a": 1}, {"b": float("nan")}]}, "metadata must be JSON values"),
        ({"ids": ["1", "2"], "texts": ["a", ""]}, "neither text nor a title"),
        ({"ids": ["1", "2"], "vectors": [[1, 2, 3]]}, "vectors must have the shape|2 "),
    ],
)
def test_bad_input_changes_nothing(notes: vecsearch.Collection, arguments: dict[str, Any], message: str) -> None:
    before = notes.get(["1", "2", "3"])
    with pytest.raises(vecsearch.InputError, match=message):
        notes.update_many(**arguments)
    assert notes.get(["1", "2", "3"]) == before


def test_a_files_document_keeps_its_text_and_takes_metadata(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("from a file")
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.index([tmp_path / "a.txt"])
        collection.add(["from code"], ids=["b"])
        for change in ({"texts": ["x", "y"]}, {"titles": ["x", "y"]}, {"vectors": np.eye(32)[:2]}):
            with pytest.raises(vecsearch.InputError, match="belongs to the file"):
                collection.update_many(["b", "a.txt"], **change)
        assert collection.get("b")[0].text == "from code"
        assert collection.update_many(["b", "a.txt"], texts=["other", None], metadata={"seen": 1}) == ["b", "a.txt"]
        assert [document.metadata for document in collection.get(["a.txt", "b"])] == [{"seen": 1}] * 2
        assert collection.index([tmp_path / "a.txt"]).unchanged == 1


Model = dict[str, tuple[str, dict[str, Any]]]
keys = st.sampled_from(["a", "b", "c", "d"])
values = st.one_of(st.none(), st.integers(0, 3))
changes = st.fixed_dictionaries(
    {
        "text": st.one_of(st.none(), st.sampled_from(["rope", "sail"])),
        "metadata": st.dictionaries(st.sampled_from(["m", "n"]), values),
    }
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(keys, changes, min_size=1), min_size=1, max_size=4))
def test_updates_are_those_of_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, updates: list[dict[str, dict[str, Any]]]
) -> None:
    model: Model = {key: (key, {"n": 9}) for key in ("a", "b", "c")}
    with vecsearch.open(tmp_path_factory.mktemp("update") / "x.vec", model=FakeEncoder()) as collection:
        collection.add(list(model), ids=list(model), metadatas=[{"n": 9}] * len(model))
        for update in updates:
            ids = list(update)
            done = collection.update_many(
                ids,
                texts=[update[key]["text"] for key in ids],
                metadatas=[update[key]["metadata"] for key in ids],
                missing="skip",
            )
            assert done == [key for key in ids if key in model]
            for key in done:
                text, metadata = model[key]
                merged = {**metadata, **update[key]["metadata"]}
                model[key] = update[key]["text"] or text, {name: value for name, value in merged.items() if value is not None}
        assert {document.id: (document.text, dict(document.metadata)) for document in collection.get(list(model))} == model


def test_the_shell_leaves_out_what_is_not_there(notes: vecsearch.Collection, shell: Callable[..., CommandResult]) -> None:
    database = ("--db", str(notes.path))
    assert shell("get", "1", "x", *database).status == 1
    answer = shell("get", "1", "x", "--missing", "skip", "--json", *database)
    assert [document["id"] for document in json.loads(answer.out)["documents"]] == ["1"]
    assert shell("delete", "1", "x", "--missing", "skip", *database).status == 0
    assert list(notes) == ["2", "3"]
