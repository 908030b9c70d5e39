"""An import that is told to stop keeps what it has stored, and goes on when it is run again and skips what is there."""

from __future__ import annotations

import json
import shutil
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests import maintenance
from tests.checks import get_vectors
from tests.fakes import FakeEncoder, RecordingEncoder, StopAt
from vecsearch.indexing.progress import NullProgress

COUNT = 11


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        ("exchange.import_", "READ_DOCUMENTS", 3), ("indexing.batch_writer", "BATCH_TEXT_CHUNKS", 5),
        ("indexing.batch_writer", "BATCH_PROVIDED_VECTORS", 5), ("indexing.batch_writer", "BATCH_SECONDS", 600.0),
        ("indexing.vector_filler", "FILL_CHUNKS", 4), ("indexing.stages", "ENCODER_BATCH_SIZE", 2),
    ):  # fmt: skip
        monkeypatch.setattr(f"vecsearch.{module}.{name}", value)


def read_documents(folder: Path) -> dict[str, Any]:
    with vecsearch.open(folder, readonly=True) as collection:
        return {
            document.id: (document.text, document.metadata, get_vectors(document).tobytes())
            for document in collection.get(where={}, include_vectors=True)
        }


def make_export(folder: Path, suffix: str) -> Path:
    with vecsearch.open(folder / "exported.vec", model=FakeEncoder()) as collection:
        collection.add([f"a text of number{n}" for n in range(COUNT)], ids=[f"d{n}" for n in range(COUNT)])
        file = folder / f"all.{suffix}"
        collection.export_documents(file)
    return file


def make_plain_lines(folder: Path) -> Path:
    make_export(folder, "jsonl")
    lines = [{"id": f"d{n}", "text": f"a text of number{n}"} for n in range(COUNT)]
    (folder / "plain.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*lines[:5], {"id": 5.5}, *lines[5:]]))
    return folder / "plain.jsonl"


@pytest.mark.parametrize("kind", ["plain", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("jsonl", "parquet"))])
def test_an_import_can_be_stopped_anywhere_and_goes_on(tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    file = make_plain_lines(tmp_path) if kind == "plain" else make_export(tmp_path, kind)
    expected, sizes = read_documents(tmp_path / "exported.vec"), set()
    for number in count(1):
        folder, first, second = tmp_path / f"{number}.vec", RecordingEncoder(), RecordingEncoder()
        with vecsearch.open(folder, model=first) as collection:
            report = collection.import_documents(file, should_stop=StopAt(number))
            assert report.to_dict()["stopped"] is report.stopped
            if not report.stopped:
                break
            assert report.added == report.documents == len(collection)
            assert len(report.failed) <= (kind == "plain")
            sizes.add(report.added)
        if report.documents:
            now = read_documents(folder)
            assert all(now[key][:2] == expected[key][:2] for key in now)
            findings = maintenance.check(folder, model=FakeEncoder())
            assert not [finding for finding in findings if finding.severity is vecsearch.Severity.ERROR]
        with vecsearch.open(folder, model=second) as collection:
            rest = collection.import_documents(file, on_conflict="skip")
        assert (rest.stopped, rest.skipped, rest.added) == (False, report.added, COUNT - report.added)
        assert read_documents(folder) == expected
        texts = first.texts + second.texts
        assert len(texts) == len(set(texts)) == (COUNT if kind == "plain" else 0)
        shutil.rmtree(folder)
    assert read_documents(folder) == expected
    assert {0, COUNT} < sizes or kind != "plain"
    assert len(sizes) > 3


def test_a_stopped_look_for_ids_that_are_there_imports_nothing(tmp_path: Path) -> None:
    file = make_export(tmp_path, "jsonl")
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add(["another text"], ids=["other"])
        for number in range(1, COUNT + 1):
            report = collection.import_documents(file, should_stop=StopAt(number))
            assert (report.stopped, report.added, report.failed, list(collection)) == (True, 0, (), ["other"])
        assert collection.import_documents(file).added == COUNT


def test_a_thread_stops_an_import(tmp_path: Path) -> None:
    file, reached, stop = make_plain_lines(tmp_path), threading.Event(), threading.Event()

    class WaitingProgress(NullProgress):
        def advance(self, amount: float, chunks: int) -> None:
            if chunks:
                reached.set()
                stop.wait()

    def stop_when_reached() -> None:
        reached.wait()
        stop.set()

    thread = threading.Thread(target=stop_when_reached)
    thread.start()
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        report = collection.import_documents(file, progress=WaitingProgress(), should_stop=stop.is_set)
        thread.join()
        assert report.stopped
        assert 0 < report.added < COUNT
        assert collection.import_documents(file, on_conflict="skip").documents == COUNT
    assert read_documents(tmp_path / "x.vec") == read_documents(tmp_path / "exported.vec")
