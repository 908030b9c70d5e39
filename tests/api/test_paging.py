"""Lists come page by page: in either order, under a filter, while others write."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vecsearch
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder


@pytest.fixture
def numbers(tmp_path: Path) -> Iterator[vecsearch.Collection]:
    """Documents 9 to 0, added in this order."""
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add(
            [f"number {n}" for n in range(9, -1, -1)],
            ids=[str(n) for n in range(9, -1, -1)],
            metadatas=[{"odd": n % 2 == 1} for n in range(9, -1, -1)],
        )
        yield collection


def list_ids(documents: list[vecsearch.DocumentSummary] | list[vecsearch.Document]) -> list[str]:
    return [document.id for document in documents]


def read_pages(collection: vecsearch.Collection, **options: Any) -> list[str]:
    """Return the ids of all pages, one after the other."""
    ids: list[str] = []
    while page := collection.list_documents(after=ids[-1] if ids else None, **options):
        ids += list_ids(page)
    return ids


def test_documents_are_listed_by_id_or_as_they_were_added(numbers: vecsearch.Collection) -> None:
    numbers.upsert(["five again"], ids=["5"])  # keeps its place
    numbers.delete("9")
    numbers.add(["nine again"], ids=["9"], metadatas=[{"odd": True}])
    added = ["8", "7", "6", "5", "4", "3", "2", "1", "0", "9"]
    assert list_ids(numbers.list_documents()) == sorted(added) and list_ids(numbers.list_documents(order="added")) == added
    for limit in (1, 3, 10):
        assert read_pages(numbers, limit=limit) == sorted(added)
        assert read_pages(numbers, limit=limit, order="added") == added
        assert read_pages(numbers, limit=limit, order="added", where={"odd": True}) == ["7", "3", "1", "9"]
    assert list_ids(numbers.list_documents(where={"odd": False}, limit=2, offset=1)) == ["2", "4"]
    assert list_ids(numbers.get(where={"odd": True}, limit=2, after="1")) == ["3", "7"]
    assert list_ids(numbers.get(where={"odd": True}, order="added")) == ["7", "3", "1", "9"]
    assert list_ids(numbers.get(limit=3, order="added", after="1")) == ["0", "9"]


def test_documents_of_files_are_listed(tmp_path: Path, numbers: vecsearch.Collection) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.txt").write_text(f"text {name}")
    numbers.index([tmp_path / "in"])
    ids = [f"in/{name}.txt" for name in "abc"]
    assert list_ids(numbers.list_documents(source=tmp_path / "in", limit=2)) == ids[:2]
    assert list_ids(numbers.list_documents(source=tmp_path / "in", after=ids[1])) == ids[2:]
    assert list_ids(numbers.get(source=tmp_path / "in", limit=1)) == ids[:1]
    assert (numbers.count(source=tmp_path / "in"), numbers.count({"odd": True}, source=tmp_path / "in")) == (3, 0)


def test_what_no_page_can_follow_is_said(numbers: vecsearch.Collection) -> None:
    assert list_ids(numbers.list_documents(after="55")) == ["6", "7", "8", "9"]  # by id it need not be there
    with pytest.raises(vecsearch.DocumentNotFoundError, match="no document with id '55'"):
        numbers.list_documents(after="55", order="added")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"after": 5}, "after must be the id of a document, got 5"), ({"order": "size"}, "order must be one of id, added"),
        ({"limit": 0}, "limit"), ({"offset": -1}, "offset"),
    ]  # fmt: skip
    for options, message in wrong:
        with pytest.raises(vecsearch.InputError, match=message):
            numbers.list_documents(**options)
    with pytest.raises(vecsearch.UsageError, match="ids are a page already"):
        numbers.get(["1"], limit=1)


def test_ids_come_in_the_order_that_is_given_and_in_no_other(
    numbers: vecsearch.Collection, shell: Callable[..., CommandResult]
) -> None:
    assert list_ids(numbers.get(["3", "1", "2"])) == ["3", "1", "2"]
    for order in ("added", "id"):
        for ids in (["3"], ["nope"], "3", []):
            with pytest.raises(vecsearch.UsageError, match="ids are a page already, in the order that is given"):
                numbers.get(ids, order=order)
    selections: list[dict[str, Any]] = [{"ids": ["3"]}, {"where": {"odd": True}}, {"source": "."}, {"limit": 3}]
    for selection in selections:
        with pytest.raises(vecsearch.InputError, match="order must be one of id, added, got 'bogus'"):
            numbers.get(**selection, order="bogus")  # type: ignore[arg-type]
    result = shell("get", "3", "--order", "added", "--db", numbers.path)
    assert (result.status, result.out) == (2, "")
    assert "order go with where or source" in result.err
    result = shell("--json", "get", "--where", "odd=true", "--order", "added", "--db", numbers.path)
    assert [document["id"] for document in json.loads(result.out)["documents"]] == ["9", "7", "5", "3", "1"]
    result = shell("--json", "get", "3", "1", "--db", numbers.path)
    assert [document["id"] for document in json.loads(result.out)["documents"]] == ["3", "1"]


keys = st.sampled_from([f"{n:02}" for n in range(30)])
writes = st.lists(st.tuples(st.sampled_from(["add", "delete"]), keys), max_size=12)


@settings(max_examples=30, deadline=None)
@given(st.sets(keys, min_size=1), st.lists(writes, max_size=6), st.integers(1, 5), st.booleans())
def test_what_was_there_throughout_comes_once(
    tmp_path_factory: pytest.TempPathFactory, first: set[str], between: list[list[tuple[str, str]]], limit: int, filtered: bool
) -> None:
    """Writes come between the pages, from another handle."""
    folder = tmp_path_factory.mktemp("paging") / "x.vec"
    with vecsearch.open(folder, model=FakeEncoder()) as writer, vecsearch.open(folder, model=FakeEncoder()) as reader:
        writer.add(sorted(first), ids=sorted(first), metadatas=[{"n": 1}] * len(first))
        there, throughout = set(first), set(first)
        seen: list[str] = []
        where = {"n": 1} if filtered else None
        while page := reader.list_documents(limit=limit, after=seen[-1] if seen else None, where=where):
            seen += list_ids(page)
            for what, key in between.pop() if between else ():
                if what == "add":
                    writer.upsert([key], ids=[key], metadatas=[{"n": 1}])
                    there.add(key)
                elif key in there:
                    writer.delete(key)
                    there.discard(key)
                    throughout.discard(key)
        assert len(seen) == len(set(seen)) and throughout <= set(seen)


def test_it_holds_while_a_thread_writes(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        kept = [f"kept {n:03}" for n in range(200)]
        collection.add(kept, ids=kept)
        stop = Event()

        def write() -> None:
            draw = random.Random(1)
            with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as other:
                while not stop.is_set():
                    key = f"kept {draw.randrange(200):03} and more"
                    other.upsert([key], ids=[key])
                    other.delete([key], missing="skip")

        writer = Thread(target=write)
        writer.start()
        try:
            for order in ("id", "id"):
                assert [key for key in read_pages(collection, limit=7, order=order) if key in kept] == kept
        finally:
            stop.set()
            writer.join()


def test_the_shell_pages(numbers: vecsearch.Collection, shell: Callable[..., CommandResult]) -> None:
    answer = json.loads(shell("ls", "--where", "odd=true", "-n", 2, "--after", "1", "--json", "--db", numbers.path).out)
    assert ([document["id"] for document in answer["documents"]], answer["total"]) == (["3", "5"], 5)
    answer = json.loads(shell("get", "--where", "odd=true", "-n", 2, "--order", "added", "--json", "--db", numbers.path).out)
    assert [document["id"] for document in answer["documents"]] == ["9", "7"]
