"""Documents that others store between a plan and its commit are never lost; those left out for them are indexed later."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.documents.loaders.raw_file import RawFile
from vecsearch.encoders import registry
from vecsearch.indexing import batch_writer, read_files
from vecsearch.stores.sqlite.store import SQLiteStore

OLD, NEW = FakeEncoder(1, max_tokens=1), FakeEncoder(2, dimension=24, max_tokens=1)  # so that texts are counted


class InterruptionError(BaseException):
    """Ends a run in the middle."""


class ActingEncoder(FakeEncoder):
    """A model that runs an action once: when it has encoded so many texts, or, for none, when the first is chunked."""

    def __init__(self, seed: int, act: Callable[[], None], *, after: int = 0, dimension: int = 32) -> None:
        super().__init__(seed, dimension=dimension, max_tokens=1)
        self._act: Callable[[], None] | None = act
        self._left = after

    def token_spans(self, text):
        if not self._left:
            self._run_once()
        return super().token_spans(text)

    def encode_documents(self, texts):
        self._left -= len(texts)
        if self._left < 0:
            self._run_once()
        return super().encode_documents(texts)

    def _run_once(self) -> None:
        if self._act is not None:
            act, self._act = self._act, None
            act()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "r.jsonl").write_text(json.dumps({"id": "X", "text": "text of the file"}) + "\n")
    return tmp_path / "r.jsonl"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    with vecsearch.open(tmp_path / "x.vec", model=OLD) as collection:
        collection.add(["seed"], ids=["s"])
    return tmp_path / "x.vec"


def read_text_of_x(db: Path) -> str:
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
        collection.reembed(ActingEncoder(2, interrupt, after=1400, dimension=24))
    with vecsearch.open(db, model=OLD) as collection:
        collection.delete(["X"])
        collection.index([file])
    with vecsearch.open(db) as collection:
        collection.reembed(NEW)
        (document,) = collection.get(["X"])
    assert (document.text, document.source) == ("text of the file", str(file))


def test_a_document_that_was_left_out_is_stored_when_its_id_is_free_again(db, file):
    with vecsearch.open(db, model=ActingEncoder(1, lambda: store_x(db))) as collection:
        report = collection.index([file])
        assert (report.added, len(report.failed)) == (0, 1)
        assert [source.error is None for source in collection.list_sources()] == [False]
    with vecsearch.open(db, model=OLD) as collection:
        collection.delete(["X"])
        assert collection.index([file]).added == 1
    assert read_text_of_x(db) == "text of the file"


@pytest.mark.parametrize("policy", ["skip", "error", "replace"])
def test_an_import_overwrites_what_came_meanwhile_only_where_it_was_told_to(db, file, policy):
    with vecsearch.open(db, model=ActingEncoder(1, lambda: store_x(db))) as collection:
        report = collection.import_documents(file, on_conflict=policy)
    assert read_text_of_x(db) == ("text of the file" if policy == "replace" else "precious")
    assert (report.skipped, len(report.failed)) == {"skip": (1, 0), "error": (0, 1), "replace": (0, 0)}[policy]
    replaced_count = int(policy == "replace")
    assert (report.added, report.replaced, report.encoded, report.vectors_reused) == (0, replaced_count, replaced_count, 0)


def write_records(file: Path, **texts: str) -> None:
    """Write records, each with metadata that says the same as its text."""
    file.write_text("".join(json.dumps({"id": id, "text": text, "said": text}) + "\n" for id, text in texts.items()))


def test_metadata_is_never_given_to_what_another_run_stored_meanwhile(db, file):
    file.write_text("".join(json.dumps({"id": id, "text": id, "n": 1}) + "\n" for id in "XYZ"))
    with vecsearch.open(db, model=OLD) as collection:
        collection.index([file])
    lines = [{"id": "X", "text": "X", "n": 2}, {"id": "Y", "text": "another", "n": 1}, {"id": "Z", "text": "Z", "n": 2}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def take_x() -> None:
        with vecsearch.open(db, model=OLD) as other:
            other.delete(["X"])
            other.add(["precious"], ids=["X"], metadatas=[{"owner": "me"}])

    with vecsearch.open(db, model=ActingEncoder(1, take_x)) as collection:
        report = collection.index([file])
        assert (report.updated, len(report.failed)) == (2, 1)
        assert [document.metadata for document in collection.get(["X", "Z"])] == [{"owner": "me"}, {"n": 2}]
        collection.delete(["X"])
        assert collection.index([file]).added == 1
        assert [document.metadata for document in collection.get(["X"])] == [{"n": 2}]


def test_a_document_from_a_pipe_that_is_deleted_meanwhile_is_reported(tmp_path, db):
    pipe = tmp_path / "pipe.jsonl"
    write_records(pipe, X="one", Y="two")
    with vecsearch.open(db, model=OLD) as collection:
        collection._index_json_lines(RawFile("pipe", ".jsonl", pipe))
    pipe.write_text(json.dumps({"id": "X", "text": "one", "n": 1}) + "\n" + json.dumps({"id": "Y", "text": "other"}) + "\n")

    def delete_x() -> None:
        with vecsearch.open(db, model=OLD) as other:
            other.delete(["X"])

    with vecsearch.open(db, model=ActingEncoder(1, delete_x)) as collection:
        report = collection._index_json_lines(RawFile("pipe", ".jsonl", pipe))
        assert report.updated == 1
        assert ["'X' was deleted by another run" in failure.error for failure in report.failed] == [True]


@pytest.mark.parametrize("kind", ["unchanged", "relabelled"])
def test_a_file_is_read_again_where_another_run_deletes_one_of_its_documents_meanwhile(db, file, kind):
    write_records(file, X="one", Y="two")
    with vecsearch.open(db, model=OLD) as collection:
        collection.index([file])
    write_records(file, X="one", Y="three")
    if kind == "relabelled":
        file.write_text(file.read_text().replace('"said": "one"', '"said": "1"'))

    def delete_x() -> None:
        with vecsearch.open(db, model=OLD) as other:
            other.delete(["X"])

    with vecsearch.open(db, model=ActingEncoder(1, delete_x)) as collection:
        assert not collection.index([file]).failed
        assert "X" not in collection
        report = collection.index([file])
        assert (report.added, report.unchanged, "X" in collection) == (1, 1, True)
        assert collection.index([file]).unchanged == 2


def test_a_file_that_comes_back_within_the_run_keeps_its_documents(tmp_path, db):
    folder = tmp_path / "files"
    folder.mkdir()
    old, new = folder / "a.jsonl", folder / "b.jsonl"
    write_records(old, X="from a")
    with vecsearch.open(db, model=OLD) as collection:
        collection.index([folder])
    old.unlink()
    write_records(new, X="from b")
    with vecsearch.open(db, model=ActingEncoder(1, lambda: write_records(old, X="from a"))) as collection:
        report = collection.index([folder])
        assert [str(old.name) in failure.error for failure in report.failed] == [True]
        (document,) = collection.get(["X"])
        assert (document.text, document.source) == ("from a", old.as_posix())
        old.unlink()
        assert not collection.index([folder]).failed
        assert collection.get(["X"])[0].text == "from b"


def test_each_document_is_counted_once_where_two_runs_read_the_same_files(tmp_path, db, monkeypatch):
    monkeypatch.setattr(batch_writer, "BATCH_SECONDS", math.inf)  # one batch of one group, however slow the machine is
    monkeypatch.setattr(read_files, "GROUP_SECONDS", math.inf)
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(8):
        (folder / f"{n}.txt").write_text(f"text {n}")
    reports = []

    def index() -> None:
        with vecsearch.open(db, model=OLD) as other:
            reports.append(other.index([folder]))

    with vecsearch.open(db, model=ActingEncoder(1, index)) as collection:
        reports.append(collection.index([folder]))
        assert [(report.added, report.updated) for report in reports] == [(8, 0), (0, 8)]
        assert len(collection) == 9


@pytest.mark.parametrize("options", [{"mode": "dense"}, {"mode": "hybrid"}, {"explain": True}])
def test_no_snapshot_is_held_while_a_model_is_loaded_whatever_was_asked_before(db, monkeypatch, options):
    open_count, open_counts = 0, []
    open_snapshot = SQLiteStore.open_snapshot

    @contextmanager
    def count(self: SQLiteStore, name: str) -> Iterator[object]:
        nonlocal open_count
        with open_snapshot(self, name) as snapshot:
            open_count += 1
            try:
                yield snapshot
            finally:
                open_count -= 1

    def load(*_args: object, **_options: object) -> FakeEncoder:
        open_counts.append(open_count)
        return OLD

    with vecsearch.open(db) as collection:
        monkeypatch.setattr(SQLiteStore, "open_snapshot", count)
        monkeypatch.setattr(registry, "load_matching", load)
        collection.search("seed", mode="lexical")
        collection.search("seed", **options)
    assert open_counts
    assert set(open_counts) == {0}


def test_vectors_are_not_mixed_where_another_run_creates_the_collection_meanwhile(tmp_path, file):
    db = tmp_path / "new.vec"

    def create() -> None:
        with vecsearch.open(db, model=FakeEncoder(3)) as other:
            other.add(["theirs"], ids=["theirs"])

    with (
        vecsearch.open(db, model=ActingEncoder(1, create)) as collection,
        pytest.raises(vecsearch.CollectionChangedError, match="was created with the model fake-3"),
    ):
        collection.index([file])
    with vecsearch.open(db) as collection:
        assert list(collection) == ["theirs"]
