"""Texts without a vector, vectors without a text, and payloads, through every door of the Python API and the shell."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests.checks import get_vectors, is_sound
from tests.conftest import CommandResult, CountingEncoder
from tests.fakes import FakeEncoder
from vecsearch.core.types import AnyMode

ENCODER = FakeEncoder()
EYE = np.eye(32, dtype=np.float32)


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[vecsearch.Collection]:
    """Give documents with both, with text alone and with a vector alone, beside an encoded one."""
    with vecsearch.open(tmp_path / "mixed.vec", model=ENCODER) as collection:
        collection.add(["a gull over the buoy"], ids=["made"])
        collection.add(
            ["a gull of its own", "a gull without", None], ids=["both", "bare", "mute"], vectors=[EYE[0], None, EYE[1]],
            metadatas=[{"n": 1}, {"n": 2}, {"n": 3}], payloads=[None, {"raw": [1, None]}, "a payload"],
        )  # fmt: skip
        yield collection


def list_ids(hits: vecsearch.Hits) -> list[str]:
    return [hit.id for hit in hits]


def test_each_is_found_by_what_it_has(mixed: vecsearch.Collection) -> None:
    assert sorted(list_ids(mixed.search("gull", mode="lexical"))) == ["bare", "both", "made"]
    assert sorted(list_ids(mixed.search("gull", mode="dense"))) == ["both", "made", "mute"]
    assert sorted(list_ids(mixed.search("gull"))) == ["bare", "both", "made", "mute"]
    assert list_ids(mixed.search(EYE[1], limit=1)) == ["mute"]
    assert list_ids(mixed.search(EYE[1], where={"n": 2})) == []
    assert list_ids(mixed.search("gull", where={"n": 2})) == ["bare"]
    assert [document.id for document in mixed.get(where={"n": {"$gte": 2}})] == ["bare", "mute"]
    assert [document.id for document in mixed.get(where={"$text": {"$contains": "without"}})] == ["bare"]
    assert list_ids(mixed.search("gull", vector=EYE[1]))[0] in ("mute", "bare", "both", "made")


def test_none_of_them_waits_for_a_vector(mixed: vecsearch.Collection) -> None:
    assert mixed.pending_vectors == mixed.search("gull").pending_vectors == 0
    assert mixed.fill_vectors().encoded == 0
    hits = {hit.id: hit for hit in mixed.search("gull", explain=True, window="document")}
    assert hits["bare"].similarity is None
    assert hits["mute"].similarity is not None
    assert (hits["mute"].text, hits["mute"].window) == ("", vecsearch.ChunkWindow("", 0, 0))
    assert mixed.count() == 4 and len(mixed) == 4


@pytest.mark.parametrize(
    "options",
    [{"dedupe": True}, {"group_by": "document"}, {"mmr": 0.5}, {"min_similarity": -1}, {"explain": True}, {"offset": 1}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_every_option_takes_them(mixed: vecsearch.Collection, mode: AnyMode, options: dict[str, Any]) -> None:
    if mode == "lexical" and "min_similarity" in options:
        pytest.skip("lexical mode has no similarities")
    hits = mixed.search("gull", mode=mode, **options)
    expected = (
        {"hybrid": 4, "dense": 3, "lexical": 3}[mode] - ("offset" in options) - (mode == "hybrid" and "min_similarity" in options)
    )
    assert expected - 1 <= len(hits) <= expected


def test_the_bundled_model_reranks_explains_and_packs_them(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "db") as collection:
        collection.add(["a gull over the buoy"], ids=["made"])
        collection.add(
            ["a gull without", None, ""], ids=["bare", "mute", "empty"], vectors=[None, np.eye(384)[0], np.eye(384)[1]]
        )
        for options in ({"rerank": True}, {"explain": True}, {"rerank": True, "explain": True}):
            hits = collection.search("a gull", **options)  # type: ignore[call-overload]
            assert sorted(list_ids(hits)) == ["bare", "empty", "made", "mute"]
            assert hits[0].id in ("made", "bare")
        packed = collection.context("a gull")
        assert {source.id for source in packed.sources} == {"made", "bare"}


def test_similar_says_which_document_has_no_vector(mixed: vecsearch.Collection) -> None:
    assert list_ids(mixed.similar(id="mute", limit=9)) != []
    for ask in (lambda: mixed.similar(id="bare"), lambda: mixed.recommend(["bare"])):
        with pytest.raises(vecsearch.InputError, match=r"the document 'bare' is stored without a vector.*add it again with one"):
            ask()


def test_vectors_come_back_with_zeros_for_none(mixed: vecsearch.Collection) -> None:
    vectors = {document.id: get_vectors(document) for document in mixed.get(list(mixed), include_vectors=True)}
    assert np.array_equal(vectors["mute"], EYE[1:2])
    assert np.array_equal(vectors["bare"], np.zeros((1, 32), np.float32))


def test_no_model_is_needed_for_them(tmp_path: Path, counting_encoder: CountingEncoder) -> None:
    with vecsearch.open(tmp_path / "db", model=counting_encoder) as collection:
        collection.add(None, vectors=np.eye(7)[:3], ids=["0", "1", "2"])  # of no model that is here
        collection.add(["a plain text"], ids=["text"], vectors=[None])
        assert counting_encoder.documents == []
        assert list_ids(collection.search("plain", mode="lexical")) == ["text"]
        assert list_ids(collection.search(np.eye(7)[2], limit=1)) == ["2"]
        assert collection.dimension == 7


def test_a_collection_may_begin_without_a_vector(tmp_path: Path) -> None:
    with vecsearch.open(tmp_path / "db", model=ENCODER) as collection:
        collection.add(["a buoy"], ids=["bare"], vectors=[None])
        assert collection.search("buoy", mode="dense") == []
        collection.add(["a buoy"], ids=["made"])
        assert list_ids(collection.search("buoy", mode="dense")) == ["made"]
        assert sorted(list_ids(collection.search("buoy"))) == ["bare", "made"]
    assert is_sound(tmp_path / "db")


COLUMNS: dict[str, Callable[[], Any]] = {
    "a list": lambda: [EYE[0], None, EYE[1].tolist()],
    "a tuple": lambda: (EYE[0].tolist(), None, EYE[1]),
    "an array of objects": lambda: np.array([EYE[0], None, EYE[1]], object),
    "an iterator": lambda: iter([EYE[0], None, EYE[1]]),
}


@pytest.mark.parametrize("make", COLUMNS.values(), ids=COLUMNS)
def test_any_column_may_leave_vectors_out(tmp_path: Path, make: Callable[[], Any]) -> None:
    with vecsearch.open(tmp_path / "db", model=ENCODER) as collection:
        collection.add(["a", "b", "c"], ids=["0", "1", "2"], vectors=make())
        rows = [get_vectors(document)[0] for document in collection.get(["0", "1", "2"], include_vectors=True)]
        assert np.array_equal(rows, [EYE[0], np.zeros(32), EYE[1]])


BAD: dict[str, tuple[Callable[[vecsearch.Collection], Any], str]] = {
    "zeros": (
        lambda c: c.add(["x"], vectors=[np.zeros(32)]),
        r"a vector is all zeros.*a document without a vector is given None",
    ),
    "zeros after none": (lambda c: c.add(["x", "y"], vectors=[None, np.zeros(32)]), r"all zeros \(row 1\)"),
    "NaN": (lambda c: c.add(["x", "y"], vectors=[EYE[0], np.full(32, np.nan)]), r"holds NaN or infinity \(row 1\)"),
    "a row that is short": (lambda c: c.add(["x", "y"], vectors=[EYE[0], EYE[0][:5]]), "vectors must be a matrix of numbers"),
    "another width": (lambda c: c.add(["x", "y"], vectors=[None, np.ones(5)]), "dimension"),
    "too few": (lambda c: c.add(["x", "y"], vectors=[EYE[0]]), r"a row for each of the 2 texts, got 1"),
    "nothing at all": (lambda c: c.add([None], vectors=[None]), "neither text nor a title$"),
    "a text of blanks": (lambda c: c.add([" "], vectors=[None]), "neither text nor a title$"),
    "no text": (lambda c: c.add([None]), "text of .* must be a string, got NoneType"),
    "no texts": (lambda c: c.add(None), "texts must be a list"),
    "a payload that is no JSON": (lambda c: c.add(["x"], payloads=[{1, 2}]), "payload must be JSON values"),
    "a payload with NaN": (lambda c: c.add(["x"], payloads=[[float("nan")]]), "payload must be JSON values"),
    "a key that is no string": (lambda c: c.add(["x"], payloads=[[{1: 2}]]), "payload must have string keys"),
    "half a character": (lambda c: c.add(["x"], payloads=["\ud800"]), "payload holds half a surrogate pair"),
    "a NUL": (lambda c: c.add(["x"], payloads=[{"a": ["\0"]}]), "payload holds a NUL"),
    "payloads too few": (lambda c: c.add(["x", "y"], payloads=[1]), "payloads must be a list of 2"),
    "a change to zeros": (lambda c: c.update_many(["made"], vectors=[np.zeros(32)]), "all zeros"),
    "a text taken away": (lambda c: c.update("made", text=" "), "neither text nor a title"),
    "payloads for a filter": (lambda c: c.update_many(where={"n": 1}, payloads=[1]), "payloads go with ids"),
}


@pytest.mark.parametrize(("attempt", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named_and_stores_nothing(mixed: vecsearch.Collection, attempt: Any, message: str) -> None:
    before = [mixed.get(list(mixed)), list_ids(mixed.search("gull"))]
    with pytest.raises(vecsearch.VecsearchError, match=message):
        attempt(mixed)
    assert [mixed.get(list(mixed)), list_ids(mixed.search("gull"))] == before


# -- changing


def test_payloads_are_changed_alone_and_kept_by_other_changes(mixed: vecsearch.Collection) -> None:
    assert mixed.update("bare", payload=[1]).payload == [1]
    mixed.update("bare", metadata={"n": 9})
    mixed.update("bare", text="a gull still without")
    mixed.update_many(["made", "both", "mute"], payloads=[False, None, {"new": True}])
    payloads = {document.id: document.payload for document in mixed.get(list(mixed))}
    assert payloads == {"made": False, "both": None, "bare": [1], "mute": {"new": True}}
    assert {hit.id: hit.payload for hit in mixed.search("gull")} == payloads
    mixed.upsert(["another"], ids=["bare"])
    assert mixed.get("bare")[0].payload is None


def test_a_document_without_a_vector_stays_so_until_it_gets_one(mixed: vecsearch.Collection) -> None:
    mixed.update("bare", text="a tern instead", title="T", metadata={"n": 5})
    assert list_ids(mixed.search("tern", mode="lexical")) == ["bare"]
    assert "bare" not in list_ids(mixed.search("tern", mode="dense"))
    mixed.update_many(["bare", "mute"], texts=[None, "a word at last"], vectors=[EYE[5], None])
    assert list_ids(mixed.search(EYE[5], limit=1)) == ["bare"]
    assert mixed.search(EYE[5], limit=1)[0].similarity == 1.0
    assert list_ids(mixed.search("word", mode="lexical")) == ["mute"]
    assert is_sound(mixed._store.location)


def test_a_vector_without_a_text_keeps_its_vector_where_that_is_not_changed(mixed: vecsearch.Collection) -> None:
    mixed.update("mute", metadata={"n": 4}, payload={"p": 1})
    assert mixed.search(EYE[1], limit=1)[0].metadata == {"n": 4}
    mixed.update_many(["mute"], vectors=[EYE[2]])
    assert [list_ids(mixed.search(EYE[n], limit=1)) == ["mute"] for n in (1, 2)] == [False, True]


# -- moving


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "all.parquet"])
def test_an_export_brings_all_of_it_back(mixed: vecsearch.Collection, tmp_path: Path, name: str) -> None:
    mixed.export_documents(tmp_path / name)
    with vecsearch.open(tmp_path / "copy.vec", model=ENCODER) as copy:
        report = copy.import_documents(tmp_path / name)
        assert (report.added, report.failed, report.pending_vectors) == (4, (), 0)
        ours, theirs = (of.get(["made", "both", "bare", "mute"], include_vectors=True) for of in (mixed, copy))
        assert ours == theirs
        assert all(np.array_equal(get_vectors(one), get_vectors(other)) for one, other in zip(ours, theirs, strict=True))
        assert list_ids(copy.search("gull")) == list_ids(mixed.search("gull"))
        (tmp_path / "again").mkdir()
        copy.export_documents(tmp_path / "again" / name)
    assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert is_sound(tmp_path / "copy.vec")


def test_another_model_takes_what_it_can(mixed: vecsearch.Collection, tmp_path: Path) -> None:
    mixed.export_documents(tmp_path / "all.jsonl")
    with vecsearch.open(tmp_path / "other.vec", model=FakeEncoder(salt=1)) as other:
        other.add(["first"], ids=["first"])
        with pytest.warns(vecsearch.VecsearchWarning, match="encoded again"):
            report = other.import_documents(tmp_path / "all.jsonl")
        assert [failure.error for failure in report.failed] == [
            "line 5: it is a vector without a text, which this collection's model cannot make again"
        ]
        assert {document.id: document.payload for document in other.get(list(other))} == {
            "first": None, "made": None, "both": None, "bare": {"raw": [1, None]},
        }  # fmt: skip
        assert "bare" not in list_ids(other.search("gull", mode="dense"))


def test_other_vectors_leave_out_what_has_none(mixed: vecsearch.Collection, tmp_path: Path) -> None:
    with pytest.raises(vecsearch.EncodingError, match=r"'mute' is a vector without a text.*give it a text.*reembed again"):
        mixed.reembed(FakeEncoder(salt=2))
    assert sorted(list_ids(mixed.search("gull", mode="dense"))) == ["both", "made", "mute"]
    mixed.update("mute", text="a text")
    payloads = {document.id: document.payload for document in mixed.get(list(mixed))}
    identifier = mixed.id
    assert mixed.reembed(FakeEncoder(salt=2)).switched
    assert {document.id: document.payload for document in mixed.get(list(mixed))} == payloads
    assert sorted(list_ids(mixed.search("gull", mode="dense"))) == ["both", "made", "mute"]
    assert sorted(list_ids(mixed.search("gull", mode="lexical"))) == ["bare", "both", "made"]
    assert mixed.id == identifier
    assert is_sound(tmp_path / "mixed.vec")


def test_a_backup_keeps_them(mixed: vecsearch.Collection, tmp_path: Path) -> None:
    expected = mixed.get(list(mixed))
    with vecsearch.connect(tmp_path / "mixed.vec") as database:
        database.backup(tmp_path / "mixed.backup")
        status = database.status()["collections"][0]
    assert (status["id"], status["vectorless_chunks"], status["pending_vectors"]) == (mixed.id, 1, 0)
    vecsearch.restore(tmp_path / "mixed.backup", tmp_path / "back.vec")
    with vecsearch.open(tmp_path / "back.vec", model=ENCODER) as back:
        assert back.get(list(back)) == expected
        assert back.id == mixed.id
        back.optimize(full=True)
        assert sorted(list_ids(back.search("gull", mode="dense"))) == ["both", "made", "mute"]
    assert is_sound(tmp_path / "back.vec")


# -- the collection itself


def test_a_collection_has_an_id_and_metadata_of_its_own(tmp_path: Path, shell: Callable[..., CommandResult]) -> None:
    folder = tmp_path / "db"
    with vecsearch.connect(folder) as database:
        absent = database.collection("absent", model=ENCODER)
        assert (absent.id, absent.metadata) == (None, {})
        with pytest.raises(vecsearch.CollectionNotFoundError):
            absent.set_metadata({"a": 1})
        notes = database.create_collection("notes", model=ENCODER, metadata={"topic": "sea"})
        identifier = notes.id
        notes.set_metadata({"topic": "air", "since": [1, {"n": None}]})
        for bad in ({"a": float("nan")}, {1: 2}, [1]):
            with pytest.raises(vecsearch.InputError):
                notes.set_metadata(bad)  # type: ignore[arg-type]
        database.rename_collection("notes", "birds")
        birds = database.collection("birds", model=ENCODER)
        assert (birds.id, birds.metadata) == (identifier, {"topic": "air", "since": [1, {"n": None}]})
    result = shell("collections", "describe", "birds", "--metadata", '{"topic": "cliffs"}', "--json", "--db", folder)
    assert json.loads(result.out) == {"name": "birds", "id": identifier, "metadata": {"topic": "cliffs"}}
    result = shell("collections", "describe", "birds", "--db", folder)
    assert result.out.split("\n")[:2] == [f"birds  {identifier}", '{"topic": "cliffs"}']
    assert shell("collections", "describe", "none", "--db", folder).status == 1


def test_the_shell_shows_payloads(mixed: vecsearch.Collection, shell: Callable[..., CommandResult]) -> None:
    folder = mixed._store.location
    documents = json.loads(shell("get", "bare", "made", "--json", "--db", folder).out)["documents"]
    assert [document.get("payload", "none") for document in documents] == [{"raw": [1, None]}, "none"]
    hits = json.loads(shell("search", "without", "--mode", "lexical", "--json", "--db", folder).out)["hits"]
    assert [hit["payload"] for hit in hits] == [{"raw": [1, None]}]
