"""How a collection is handled in Python: shown, closed, pickled, awaited."""

from __future__ import annotations

import asyncio
import inspect
import json
import multiprocessing
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch import AsyncCollection, Collection, Hit, Hits

ENCODER = FakeEncoder()
LONG = "a heron stands in the reeds at the edge of the water and waits for a fish to come by, for hours and hours"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handling") / "notes.vec"
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.add([LONG, "a <b>fence</b>"], ids=["heron", "fence"], titles=["Herons", None], metadatas=[{"year": 2024}, None])
    return folder


def test_hits_documents_and_contexts_show_themselves_in_short(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        hits = notes.search("heron water", limit=2, window=1, explain=True)
        (document,) = notes.get("heron", include_vectors=True)
        context = notes.context("heron water")
    assert (
        repr(hits[0])
        == f"Hit(id='heron', score={hits[0].score:.3f}, text='a heron stands in the reeds at the edge of the water and…')"
    )
    assert repr(hits) == f"Hits([\n  {hits[0]!r},\n  {hits[1]!r}\n])"
    assert repr(Hits()) == "Hits([])"
    assert (
        repr(document)
        == "Document(id='heron', title='Herons', chunks=1, text='a heron stands in the reeds at the edge of the water and…')"
    )
    html = hits._repr_html_()
    assert html.count("<tr>") == 3 and "&lt;b&gt;fence" in html and "<b>" not in html
    assert "metadata: year" in document._repr_html_()
    assert f"{context}" == context.to_markdown() == context._repr_markdown_()
    assert "reeds" in str(context) and "reeds" not in repr(context)


def test_hits_are_plain_values_and_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        hits = notes.search("heron water", window=1, explain=True)
    stored = json.loads(json.dumps(hits.to_dicts()))
    assert [hit["id"] for hit in stored] == ["heron", "fence"]
    assert stored[0]["metadata"] == {"year": 2024} and {"dense", "lexical"} <= stored[0]["explanation"]["components"].keys()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(vecsearch.UnavailableError, match="pip install pandas"):
        hits.to_pandas()


def test_hits_become_a_data_frame(folder: Path) -> None:
    pytest.importorskip("pandas")
    with vecsearch.open(folder, model=ENCODER) as notes:
        frame = notes.search("heron water").to_pandas()
    assert list(frame["id"]) == ["heron", "fence"] and frame["metadata"][0] == {"year": 2024}
    assert list(Hits().to_pandas().columns) == list(frame.columns)


CALLS: dict[str, tuple[Any, ...]] = {  # what a method takes that cannot do without arguments
    "add": ([],), "upsert": ([],), "context": ("a",), "embed": ([],), "export_documents": ("a.jsonl",), "facets": ("year",),
    "get": ("heron",), "import_documents": ("a.jsonl",), "index": ("nowhere",), "recommend": (["heron"],), "search": ("heron",),
    "set_metadata": ({},), "update": ("heron",), "delete": ("heron",), "senses": ("heron",),
    "same_sense": ("heron", "a heron", "the heron"),
    "add_dataframe": ({"text": ["a"]},), "forget_root": ("notes",), "like": ("ann", "heron"),
    "unlike": ("ann", "heron"), "forget_preferences": ("ann", "heron"), "get_profile": ("ann",), "delete_profile": ("ann",),
    "stop_ignoring": ("heron",), "tune": ([("heron", "heron")],),
}  # fmt: skip
KEYWORDS: dict[str, dict[str, Any]] = {"similar": {"id": "heron"}, "update_many": {"ids": ["heron"]}, "upsert": {"ids": []}}
HARMLESS = {"close", "name", "path"}  # of one that is closed


def list_public_names(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def use_member(collection: Collection, name: str) -> Any:
    member = getattr(collection, name)
    return member(*CALLS.get(name, ()), **KEYWORDS.get(name, {})) if callable(member) else member


@pytest.mark.parametrize("close", ["collection", "its database", "one of a database"])
def test_what_is_closed_answers_nothing(folder: Path, close: str) -> None:
    database = vecsearch.connect(folder)
    notes = vecsearch.open(folder, model=ENCODER) if close == "collection" else database.collection("default", model=ENCODER)
    assert len(notes) == 2
    closed: Any = database if close == "its database" else notes
    closed.close()
    closed.close()
    for name in list_public_names(Collection) - HARMLESS:
        with pytest.raises(vecsearch.DatabaseClosedError, match=r"closed; open it again: vecsearch\.open\("):
            use_member(notes, name)
    uses: list[Callable[[], object]] = [
        lambda: len(notes),
        lambda: "heron" in notes,
        lambda: list(notes),
        lambda: pickle.dumps(notes),
    ]
    for use in uses:
        with pytest.raises(vecsearch.DatabaseClosedError):
            use()
    assert (notes.path, bool(notes)) == (folder, True) and "default" in repr(notes)
    if close != "its database":
        assert database.collections() == ["default"]
    database.close()
    with pytest.raises(vecsearch.DatabaseClosedError):
        database.collections()


def test_a_pickled_collection_is_opened_again(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER, readonly=True, lock_timeout=3) as notes:
        copy = pickle.loads(pickle.dumps(notes))
    with copy:  # the first is closed by now
        assert copy.search("heron water")[0].id == "heron"
        with pytest.raises(vecsearch.ReadOnlyError):
            copy.delete("heron")
        assert copy._store.database.timeout == 3
    with vecsearch.connect(folder) as database, pickle.loads(pickle.dumps(database.collection("new", model=ENCODER))) as new:
        assert (new.name, len(new), new.model) == ("new", 0, ENCODER.name)
    with vecsearch.open(folder.with_name("gone.vec"), model=ENCODER) as gone:
        pickled = pickle.dumps(gone)
    shutil.rmtree(gone.path)
    with pytest.raises(vecsearch.NotADatabaseError):  # and none is made
        pickle.loads(pickled)


def count_in_child(notes: Collection) -> tuple[int, list[str]]:
    return len(notes), [hit.id for hit in notes.search("fence", mode="lexical")]


def test_a_spawned_process_uses_the_collection_that_it_is_given(folder: Path) -> None:
    with vecsearch.open(folder) as notes, multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(count_in_child, (notes,)) == (2, ["fence"])


def test_the_twin_for_asyncio_has_the_same_methods_with_the_same_arguments() -> None:
    assert list_public_names(AsyncCollection) == list_public_names(Collection) | {
        "name"
    }  # which a Collection has as an attribute
    for name in list_public_names(Collection):
        own, twin = getattr(Collection, name, None), getattr(AsyncCollection, name, None)
        if callable(own):
            assert inspect.iscoroutinefunction(twin), name
            assert inspect.signature(twin) == inspect.signature(own), name
            assert inspect.getdoc(twin) == inspect.getdoc(own), name
    assert inspect.signature(vecsearch.open_async) == inspect.signature(vecsearch.open)
    assert {"limit", "where", "mode"} <= set(inspect.signature(AsyncCollection.search).parameters)


def test_a_collection_is_awaited(folder: Path) -> None:
    async def use() -> list[Any]:
        async with vecsearch.open_async(folder, model=ENCODER, readonly=True) as notes:
            several = await asyncio.gather(*(notes.search("heron water", limit=1) for _ in range(4)), notes.count())
            assert [id async for id in notes] == ["fence", "heron"]
            assert (await notes.dimension, notes.name, notes.path) == (ENCODER.dimension, "default", folder)
            with pytest.raises(vecsearch.DocumentNotFoundError):
                await notes.get("nobody")
        with pytest.raises(vecsearch.DatabaseClosedError):
            await notes.count()
        again = await vecsearch.open_async(folder, model=ENCODER)
        await again.close()
        return several

    *answers, count = asyncio.run(use())
    assert [answer[0].id for answer in answers] == ["heron"] * 4 and isinstance(answers[0][0], Hit)
    assert count == 2
