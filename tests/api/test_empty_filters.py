"""A filter with a part that says nothing, as an empty variable makes one, never changes or deletes all documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder

SOURCE_EMPTY = r"\$source is empty; for the current folder"


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[vecsearch.Collection]:
    """Documents of the current folder, and others."""
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "a.txt").write_text("a heron of the folder")
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.index([folder])
        collection.add(["a heron", "a crane"], ids=["1", "2"], metadatas=[{"k": "word", "n": 1}, {"n": 2}])
        yield collection


@pytest.mark.parametrize("where", [
    {"$source": ""}, {"$source": {"$eq": ""}}, {"$source": {"$in": ["a", ""]}}, {"$source": {"$ne": ""}},
    {"$not": {"$source": {"$nin": [""]}}}, {"$or": [{"k": "word"}, {"$source": np.str_("")}]},
])  # fmt: skip
def test_an_empty_source_is_not_the_current_folder(notes: vecsearch.Collection, where: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: notes.delete(where=where), lambda: notes.delete(where=where, dry_run=True), lambda: notes.count(where),
        lambda: notes.get(where=where), lambda: notes.search("heron", where=where),
        lambda: notes.update_many(where=where, metadata={"n": 0}),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(vecsearch.FilterError, match=SOURCE_EMPTY):
            call()
    assert notes.count({"$source": "."}) == 1


EMPTY: list[Callable[[], Any]] = [
    lambda: {"k": {"$nin": []}}, lambda: {"$id": {"$nin": ()}}, lambda: {"$not": {"k": {"$in": []}}},
    lambda: {"k": {"$nin": iter([])}}, lambda: {"k": {"$not": {"$in": set()}}}, lambda: {"$not": {"$not": {"k": {"$nin": []}}}},
    lambda: {"$text": ""}, lambda: {"$text": {"$contains": ""}}, lambda: {"$text": {"$not_contains": ""}},
    lambda: {"$id": {"$contains": ""}}, lambda: {"k": {"$icontains": ""}}, lambda: {"$source": {"$contains": ""}},
    lambda: {"$text": {"$regex": ""}}, lambda: {"$id": {"$regex": "^"}}, lambda: {"$id": {"$regex": "(?i)"}},
    lambda: {"k": {"$not_regex": ""}}, lambda: {"$id": {"$gte": ""}}, lambda: {"$id": {"$gt": ""}}, lambda: {"k": {"$gte": ""}},
    lambda: {"$id": {"$ne": ""}}, lambda: {"$id": {"$nin": [""]}}, lambda: {"$id": {"$exists": True}},
    lambda: {"n": 1, "k": {"$nin": []}}, lambda: {"$or": [{"n": 1}, {"$and": [{"$text": ""}, {"n": 2}]}]},
    lambda: {"$not": {"$and": [{"n": 1}, {"$or": [{"k": {"$in": []}}, {"$id": ""}]}]}},
    lambda: {"n": {"$gte": 1, "$nin": np.array([])}},
]  # fmt: skip


@pytest.mark.parametrize("make", EMPTY)
def test_a_part_that_says_nothing_deletes_and_changes_nothing(notes: vecsearch.Collection, make: Callable[[], Any]) -> None:
    before = {document.id: document.metadata for document in notes.get(limit=9)}
    for dry_run in (True, False):
        with pytest.raises(vecsearch.FilterError, match=r"where: .* says nothing, .*delete_all\(\)"):
            notes.delete(where=make(), dry_run=dry_run)
    with pytest.raises(vecsearch.FilterError, match="says nothing"):
        notes.update_many(where=make(), metadata={"n": 0})
    assert {document.id: document.metadata for document in notes.get(limit=9)} == before
    assert notes.count(make()) <= 3  # asking is harmless


@pytest.mark.parametrize(("where", "ids"), [
    ({"k": {"$in": []}}, []), ({"$id": ""}, []), ({"$or": [{"k": {"$in": []}}, {"n": 2}]}, ["2"]),
    ({"k": {"$ne": ""}}, ["1", "2", "files/a.txt"]), ({"k": {"$nin": [""]}}, ["1", "2", "files/a.txt"]),
    ({"k": {"$gt": ""}}, ["1"]), ({"k": ""}, []),
    ({"$text": {"$regex": "^$"}}, []), ({"$not": {"n": 1, "k": {"$in": ["word"]}}}, ["2", "files/a.txt"]),
    ({"k": {"$exists": True}}, ["1"]), ({"$text": {"$regex": "^a h.*"}}, ["1", "files/a.txt"]),
])  # fmt: skip
def test_what_says_something_still_does(notes: vecsearch.Collection, where: Any, ids: list[str]) -> None:
    assert sorted(notes.delete(where=where, dry_run=True)) == ids
    if "files/a.txt" not in ids:
        assert sorted(notes.delete(where=where)) == ids


def test_an_iterator_in_a_filter_is_read_once(notes: vecsearch.Collection) -> None:
    assert notes.update_many(where={"n": {"$in": iter([1])}}, metadata={"m": 1}) == ["1"]
    assert notes.delete(where={"$id": {"$nin": (key for key in ["2", "files/a.txt"])}}) == ["1"]


def test_the_shell_refuses_them_too(notes: vecsearch.Collection, shell: Callable[..., CommandResult]) -> None:
    for expression, message in (
        ("$source=", "$source is empty"), ("$text=", "empty $contains on $text says nothing"), ("$id!=", "says nothing"),
        ('{"k": {"$nin": []}}', "such as an empty list says nothing"),
    ):  # fmt: skip
        for options in ([], ["--dry-run"]):
            result = shell("delete", "--where", expression, *options, "--db", notes.path)
            assert (result.status, result.out) == (2, ""), expression
            assert message in result.err
    assert len(json.loads(shell("--json", "ls", "--db", notes.path).out)["documents"]) == 3


class Table:
    """As a DataFrame is: two dimensions, and iteration gives the names of its columns."""

    shape = (2, 1)

    def __iter__(self) -> Iterator[str]:
        return iter(["word"])


@pytest.mark.parametrize("table", [Table(), np.array([["word"]])])
def test_a_table_is_no_list_of_values(notes: vecsearch.Collection, table: Any) -> None:
    for operator in ("$in", "$nin"):
        with pytest.raises(vecsearch.FilterError, match=r"\$in and \$nin on 'k' take one column, got a table of the shape"):
            notes.count({"k": {operator: table}})
