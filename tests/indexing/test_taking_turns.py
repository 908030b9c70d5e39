"""Runs take turns at a database: each batch looks again at what others did before it writes anything."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import vecsearch
from tests.fakes import FakeEncoder
from vecsearch.indexing import batch_writer, vector_filler

MODEL = FakeEncoder(1)


class InterruptingEncoder(FakeEncoder):
    """A model that lets another writer in while the sixth text is chunked, or the second batch is encoded."""

    def __init__(self, seed: int, act: Callable[[], object], *, at: str = "texts") -> None:
        super().__init__(seed)
        self._act, self._at, self._batches, self._texts = act, at, 0, set[str]()

    def token_spans(self, text):
        if self._at == "texts" and text not in self._texts:
            self._texts |= {text}
            if len(self._texts) == 6:
                self._act()
        return super().token_spans(text)

    def encode_documents(self, texts):
        self._batches += 1
        if self._at == "vectors" and self._batches == 2:
            self._act()
        return super().encode_documents(texts)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Write twenty files, each a batch of its own."""
    (tmp_path / "files").mkdir()
    for n in range(20):
        (tmp_path / f"files/{n:02}.txt").write_text(f"a note about the séa, number {n}", encoding="utf-8")
    return tmp_path / "files"


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(batch_writer, "BATCH_TEXT_CHUNKS", 4)
    monkeypatch.setattr(vector_filler, "FILL_CHUNKS", 4)
    with vecsearch.open(tmp_path / "x.vec", model=MODEL) as collection:
        collection.add(["an old note"], ids=["old"])
    return tmp_path / "x.vec"


def drop(db: Path) -> None:
    with vecsearch.connect(db) as database:
        database.delete_collection("default")


def drop_and_create(db: Path) -> None:
    drop(db)
    with vecsearch.open(db, model=MODEL) as collection:
        collection.add(["a new note"], ids=["new"])


def rename(db: Path) -> None:
    with vecsearch.connect(db) as database:
        database.rename_collection("default", "other")


def reembed(db: Path) -> None:
    with vecsearch.open(db) as collection:
        collection.reembed(FakeEncoder(2))


def restore(db: Path) -> None:
    vecsearch.restore(db.parent / "backup.zip", db, replace=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop, "was dropped or renamed while this run wrote to it"),
        (rename, "was dropped or renamed while this run wrote to it"),
        (drop_and_create, "was dropped and created again, or restored from a backup, while this run wrote to it"),
        (reembed, "was embedded again by the model fake-2"),
        (restore, "was dropped and created again, or restored from a backup, while this run wrote to it"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_run_ends_when_its_collection_is_no_longer_the_one_it_began_with(db, files, change, message):
    with vecsearch.connect(db) as database:
        database.backup(db.parent / "backup.zip")
    with (
        vecsearch.open(db, model=InterruptingEncoder(1, lambda: change(db))) as collection,
        pytest.raises(vecsearch.CollectionChangedError, match=message),
    ):
        collection.index([files])
    with vecsearch.connect(db) as database:
        assert all(finding.severity is not vecsearch.Severity.ERROR for finding in database.check(model=MODEL))


@pytest.mark.parametrize("change", [drop, rename, drop_and_create, reembed, restore])
def test_a_run_that_makes_vectors_ends_when_its_collection_is_no_longer_the_one_it_began_with(db, files, change):
    with vecsearch.connect(db) as database:
        database.backup(db.parent / "backup.zip")
    with (
        vecsearch.open(db, model=InterruptingEncoder(1, lambda: change(db), at="vectors")) as collection,
        pytest.raises(vecsearch.CollectionChangedError, match="while its vectors were made"),
    ):
        collection.index([files])
    with vecsearch.connect(db) as database:
        assert all(finding.severity is not vecsearch.Severity.ERROR for finding in database.check(model=MODEL))


def test_two_runs_take_turns_and_both_complete(db, files):
    """The second begins and ends while the first reads: it need not wait for all of it."""
    other = files.parent / "more"
    other.mkdir()
    (other / "one.txt").write_text("a note of the other run")

    def index_other() -> None:
        with vecsearch.open(db, model=FakeEncoder(1), lock_timeout=5) as collection:
            assert collection.index([other]).added == 1

    with vecsearch.open(db, model=InterruptingEncoder(1, index_other)) as collection:
        assert collection.index([files]).added == 20
        assert len(collection) == 22


def test_an_id_that_another_source_takes_meanwhile_is_reported_and_stays_theirs(db, files):
    def take() -> None:
        with vecsearch.open(db, model=FakeEncoder(1)) as collection:
            collection.add(["mine"], ids=["files/19.txt"])

    with vecsearch.open(db, model=InterruptingEncoder(1, take)) as collection:
        report = collection.index([files])
        assert ["the id 'files/19.txt' is taken" in failure.error for failure in report.failed] == [True]
        assert collection.get("files/19.txt")[0].text == "mine"


def test_what_came_back_meanwhile_is_not_removed(db, files):
    with vecsearch.open(db, model=MODEL) as collection:
        collection.index([files])
        (files / "00.txt").unlink()
    for n in range(30, 40):
        (files / f"{n}.txt").write_text(f"a new fïle, so that something is chunked, number {n}", encoding="utf-8")
    text = "it is there again"
    with vecsearch.open(db, model=InterruptingEncoder(1, lambda: (files / "00.txt").write_text(text))) as collection:
        report = collection.index([files])
        assert (report.removed, "files/00.txt" in collection) == (0, True)


def test_a_run_that_waits_says_for_whom(db, files, caplog):
    caplog.set_level(logging.INFO, logger="vecsearch")
    held_event, stop_event = threading.Event(), threading.Event()

    def hold() -> None:
        with vecsearch.open(db, model=MODEL) as collection, collection._store.open_writer("default"):
            held_event.set()
            while not any("waiting for process" in record.getMessage() for record in caplog.records):
                stop_event.wait(0.05)

    holder = threading.Thread(target=hold)
    holder.start()
    held_event.wait()
    with vecsearch.open(db, model=MODEL) as collection:
        assert collection.index([files]).added == 20
    holder.join()
