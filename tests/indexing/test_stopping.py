"""A run that is told to stop: wherever that is, what is there is right, nothing is lost, and the next run goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests import maintenance
from tests.checks import get_vectors
from tests.fakes import FakeEncoder, RecordingEncoder, StopAt
from vecsearch.indexing.progress import NullProgress

LONG_LINES = 50


class HandingProgress(NullProgress):
    """Hands over to another thread, which stops the run, once so many chunks are found by their words, or have vectors."""

    def __init__(self, *, chunks: int = 0, vectors: int = 0) -> None:
        self._limits, self._found, self._filled = (chunks, vectors), 0, 0
        self._reached, self.stop = threading.Event(), threading.Event()

    def advance(self, amount: float, chunks: int) -> None:
        self._found += chunks
        self._hand_over()

    def advance_vectors(self, count: int) -> None:
        self._filled += count
        self._hand_over()

    def _hand_over(self) -> None:
        chunks, vectors = self._limits
        if 0 < chunks <= self._found or 0 < vectors <= self._filled:
            self._reached.set()
            self.stop.wait()

    def stop_when_reached(self) -> None:
        self._reached.wait()
        self.stop.set()


@pytest.fixture(autouse=True)
def parsers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Let everything be small, ask for no reason of time, and check that no parser stays behind."""
    for module, name, value in (
        ("indexing.batch_writer", "BATCH_TEXT_CHUNKS", 4), ("indexing.vector_filler", "FILL_CHUNKS", 4),
        ("indexing.vector_filler", "FILL_WINDOW", 9), ("indexing.stages", "ENCODER_BATCH_SIZE", 2),
        ("indexing.pipeline", "READ_DOCUMENTS", 3), ("indexing.read_files", "READ_DOCUMENTS", 3),
        ("indexing.long_documents", "PORTIONS_TOGETHER", 2), ("documents.parser_process", "_ASK_S", 600.0),
        ("indexing.batch_writer", "BATCH_SECONDS", 600.0), ("indexing.read_files", "GROUP_SECONDS", 600.0),
    ):  # fmt: skip
        monkeypatch.setattr(f"vecsearch.{module}.{name}", value)
    begun: list[subprocess.Popen[bytes]] = []

    class RecordingPopen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            begun.append(self)

    monkeypatch.setattr("vecsearch.documents.parser_process.subprocess.Popen", RecordingPopen)
    yield begun
    check_no_parser(begun)


def check_no_parser(begun: Sequence[subprocess.Popen[bytes]]) -> None:
    assert all(process.returncode is not None for process in begun)
    assert not [thread for thread in threading.enumerate() if thread.name == "vecsearch-parsing"]


def change_settings_of_parsers(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Run code in the parsing process as it begins."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))


@pytest.fixture
def short_portions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = "from vecsearch.core import settings\nsettings.STREAM_MIN_BYTES = 1_000\nsettings.PORTION_CHARACTERS = 300\n"
    change_settings_of_parsers(monkeypatch, tmp_path / "settings", code)


def read_documents(collection: vecsearch.Collection) -> dict[str, Any]:
    """Return all that it holds, with its vectors; a vector that waits is None."""
    documents = collection.get(where={}, include_vectors=True) if len(collection) else []
    return {
        document.id: (
            document.text, document.title, document.metadata, document.source,
            [(chunk.start, chunk.end) for chunk in document.chunks],
            [row.tobytes() if row.any() else None for row in get_vectors(document)],
        )
        for document in documents
    }  # fmt: skip


def read_sources(collection: vecsearch.Collection) -> list[Any]:
    return sorted((source.source, source.state, source.error) for source in collection.list_sources(limit=100))


def read_folder(folder: Path) -> dict[str, Any]:
    with vecsearch.open(folder, readonly=True) as collection:
        return read_documents(collection)


def check_sound(folder: Path) -> None:
    findings = maintenance.check(folder, model=FakeEncoder())
    assert [finding for finding in findings if finding.severity is vecsearch.Severity.ERROR] == []


# -- index


def write_files(folder: Path) -> None:
    folder.mkdir()
    for n in range(4):
        (folder / f"{n}.txt").write_text(f"the first text of number{n}")
    (folder / "gone.txt").write_text("a text that goes")
    (folder / "old name.txt").write_text("a text that is renamed")
    (folder / "rows.jsonl").write_text("".join(json.dumps({"id": f"row{n}", "text": f"row number{n}"}) + "\n" for n in range(5)))
    (folder / "bad.txt").write_text("a text that was good")


def change_files(folder: Path) -> None:
    for n in (1, 3):
        (folder / f"{n}.txt").write_text(f"the second text of number{n}, which is another")
    (folder / "gone.txt").unlink()
    (folder / "old name.txt").rename(folder / "a new name.txt")
    rows = [{"id": f"row{n}", "text": f"row number{n}" if n % 3 else f"a changed row{n}", "n": n} for n in range(1, 6)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "bad.txt").write_bytes("täglich, wörtlich".encode() + b"\xff" + "ö".encode())
    (folder / "inner").mkdir()
    (folder / "inner/new.txt").write_text("a new text below")


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nobody stops leaves, reports and encodes."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    sources: Sequence[Any]
    report: vecsearch.IndexReport
    texts: Sequence[str]


def measure_undisturbed(template: Path, files: Path) -> Undisturbed:
    """Run once over a copy of the database."""
    copy, encoder = template.with_name("undisturbed.vec"), RecordingEncoder()
    shutil.copytree(template, copy)
    with vecsearch.open(copy, model=encoder) as collection:
        before, report = read_documents(collection), collection.index(files)
        assert not report.stopped
        return Undisturbed(before, read_documents(collection), read_sources(collection), report, encoder.texts)


def check_stopped_anywhere(template: Path, files: Path, undisturbed: Undisturbed, begun: list[Any], points: range) -> int:
    """Stop a run at these of its questions in turn; returns how many there are."""
    for number in points:
        folder, encoder, should_stop = template.with_name(f"{number}.vec"), RecordingEncoder(), StopAt(number)
        shutil.copytree(template, folder)
        with vecsearch.open(folder, model=encoder) as collection:
            report = collection.index(files, should_stop=should_stop)
            check_no_parser(begun)
            if not report.stopped:
                assert number - points.step <= should_stop.questions < number
                assert read_documents(collection) == undisturbed.after
                return should_stop.questions
            assert should_stop.questions >= number
            check_what_is_there(collection, report, undisturbed)
            check_sound(folder)
            rest = collection.index(files)
            assert not rest.stopped
            assert (read_documents(collection), read_sources(collection)) == (undisturbed.after, undisturbed.sources)
        assert sorted(encoder.texts) == sorted(undisturbed.texts)  # none twice
        assert rest.failed == undisturbed.report.failed
        assert report.removed + rest.removed == undisturbed.report.removed
        assert report.added + rest.added == undisturbed.report.added
        shutil.rmtree(folder)
    raise AssertionError


def check_what_is_there(collection: vecsearch.Collection, report: vecsearch.IndexReport, undisturbed: Undisturbed) -> None:
    before, after, now = undisturbed.before, undisturbed.after, read_documents(collection)
    assert (report.documents, report.planned) == (len(now), None)
    assert report.pending_vectors == sum(row is None for *_, rows in now.values() for row in rows)
    assert set(report.failed) <= set(undisturbed.report.failed)
    assert before.keys() & after.keys() <= now.keys() <= before.keys() | after.keys()
    for key, (*said, rows) in now.items():
        states = [(said_then, rows_then) for *said_then, rows_then in (state[key] for state in (before, after) if key in state)]
        assert any(said == said_then and all(row in (None, then) for row, then in zip(rows, rows_then, strict=True))
                   for said_then, rows_then in states)  # fmt: skip


@pytest.fixture(params=[pytest.param(3, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)])
def points(request: pytest.FixtureRequest) -> range:
    """Number the questions at which a run is stopped: one in three, in `make test-slow` each."""
    return range(1, sys.maxsize, request.param)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Make a database without anything in it."""
    with vecsearch.open(tmp_path / "empty.vec"):
        return tmp_path / "empty.vec"


def test_a_first_run_can_be_stopped_anywhere_and_goes_on(empty: Path, tmp_path: Path, parsers: list[Any], points: range) -> None:
    write_files(tmp_path / "files")
    for name in ("2", "3", "gone", "old name", "bad"):
        (tmp_path / f"files/{name}.txt").unlink()
    undisturbed = measure_undisturbed(empty, tmp_path / "files")
    assert check_stopped_anywhere(empty, tmp_path / "files", undisturbed, parsers, points) > 20


def test_a_run_over_changed_files_can_be_stopped_anywhere_and_goes_on(tmp_path: Path, parsers: list[Any], points: range) -> None:
    template, files = tmp_path / "template.vec", tmp_path / "files"
    write_files(files)
    with vecsearch.open(template, model=FakeEncoder()) as collection:
        collection.index(files)
    change_files(files)
    undisturbed = measure_undisturbed(template, files)
    assert (undisturbed.report.removed, len(undisturbed.report.failed)) == (3, 1)
    assert check_stopped_anywhere(template, files, undisturbed, parsers, points) > 30


def make_long_text(word: str) -> str:
    return "".join(f"line number{n} of the long text: {word}{n}\n\n" for n in range(LONG_LINES))


@pytest.mark.usefixtures("short_portions")
def test_between_portions_of_a_large_file_a_run_stops_and_goes_on_there(
    empty: Path, tmp_path: Path, parsers: list[Any], points: range
) -> None:
    (tmp_path / "long.txt").write_text(make_long_text("first"))
    with vecsearch.open(tmp_path / "reference.vec", model=RecordingEncoder()) as collection:
        collection.index(tmp_path / "long.txt")
        expected, lengths = read_documents(collection), set()
    for number in points:
        folder, encoder = tmp_path / f"{number}.vec", RecordingEncoder()
        shutil.copytree(empty, folder)
        with vecsearch.open(folder, model=encoder) as collection:
            report = collection.index(tmp_path / "long.txt", vectors=False, should_stop=StopAt(number))
            check_no_parser(parsers)
            if not report.stopped:
                break
            text = collection.get("long.txt")[0].text if report.documents else ""
            assert make_long_text("first").startswith(text)
            lengths.add(len(text))
            check_sound(folder)
            assert not collection.index(tmp_path / "long.txt").stopped
            assert read_documents(collection) == expected
        assert len(encoder.texts) == len(set(encoder.texts))
        shutil.rmtree(folder)
    assert len(lengths) > max(2, 4 // points.step)


@pytest.mark.usefixtures("short_portions")
def test_the_old_version_of_a_large_file_answers_until_the_new_one_is_whole(tmp_path: Path) -> None:
    template = tmp_path / "template.vec"
    (tmp_path / "long.txt").write_text(make_long_text("first"))
    with vecsearch.open(template, model=FakeEncoder()) as collection:
        collection.index(tmp_path / "long.txt")
        before = read_documents(collection)
    (tmp_path / "long.txt").write_text(make_long_text("second"))
    seen = set()
    for number in count(1):
        shutil.copytree(template, tmp_path / f"{number}.vec")
        with vecsearch.open(tmp_path / f"{number}.vec", model=FakeEncoder()) as collection:
            report = collection.index(tmp_path / "long.txt", vectors=False, should_stop=StopAt(number))
            text = collection.get("long.txt")[0].text
            if not report.stopped:
                break
            seen.add(text)
            if text == make_long_text("first"):
                assert read_documents(collection) == before
            assert not collection.index(tmp_path / "long.txt").stopped
            assert collection.get("long.txt")[0].text == make_long_text("second")
        check_sound(tmp_path / f"{number}.vec")
    assert seen == {make_long_text("first"), make_long_text("second")}  # the last question comes after the swap


def test_a_run_that_is_stopped_while_it_finds_files_removes_none(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "files" / name).mkdir(parents=True)
        (tmp_path / "files" / name / "x.txt").write_text(f"a text of {name}")
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.index(tmp_path / "files")
        (tmp_path / "files/.vecsearchignore").write_text("b/\n")  # what is ignored may yet be meant by another path
        (tmp_path / "files/a/x.txt").unlink()
        for patterns in (["files"], ["files/*/*.txt"], ["files/**/*.txt"], ["files", "files/b"]):
            paths = [tmp_path / pattern for pattern in patterns]
            for number in range(1, 8):
                report = collection.index(paths, should_stop=StopAt(number), dry_run=True)
                assert (report.stopped, report.removed, report.failed, report.planned) == (True, 0, (), ())
                report = collection.index(paths, should_stop=StopAt(number))
                assert (report.stopped, report.removed, report.failed, len(collection)) == (True, 0, (), 3)
        assert collection.index([tmp_path / "files", tmp_path / "files/b"]).removed == 1
        assert sorted(collection) == ["files/b/x.txt", "files/c/x.txt"]


def test_an_id_that_changes_hands_is_right_wherever_a_run_is_stopped(tmp_path: Path, points: range) -> None:
    template, files = tmp_path / "template.vec", tmp_path / "files"
    files.mkdir()
    (files / "a.jsonl").write_text('{"id": "one", "text": "of a"}\n')
    (files / "b.jsonl").write_text('{"id": "two", "text": "of b"}\n{"id": "three", "text": "of b too"}\n')
    with vecsearch.open(template, model=FakeEncoder()) as collection:
        collection.index(files)
    (files / "a.jsonl").write_text('{"id": "one", "text": "of a"}\n{"id": "two", "text": "of a by now"}\n')
    (files / "b.jsonl").write_text('{"id": "three", "text": "of b too"}\n')
    for number in points:
        folder = tmp_path / f"{number}.vec"
        shutil.copytree(template, folder)
        with vecsearch.open(folder, model=FakeEncoder()) as collection:
            report = collection.index(files, should_stop=StopAt(number))
            assert report.failed == ()
            assert {"one", "three"} <= set(collection)
            check_sound(folder)
            assert not collection.index(files).stopped
            texts = {document.id: document.text for document in collection.get(where={})}
        assert texts == {"one": "of a", "two": "of a by now", "three": "of b too"}
        if not report.stopped:
            break


def test_a_thread_stops_a_run_while_files_are_read_and_while_vectors_are_made(empty: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    undisturbed = measure_undisturbed(empty, tmp_path / "files")
    for limits in ({"chunks": 1}, {"chunks": 9}, {"vectors": 1}, {"vectors": 7}):
        folder, encoder, progress = tmp_path / f"{limits}.vec", RecordingEncoder(), HandingProgress(**limits)
        thread = threading.Thread(target=progress.stop_when_reached)
        thread.start()
        with vecsearch.open(folder, model=encoder) as collection:
            report = collection.index(tmp_path / "files", progress=progress, should_stop=progress.stop.is_set)
            thread.join()
            assert report.stopped
            assert report.to_dict()["stopped"] is True
            check_what_is_there(collection, report, undisturbed)
            check_sound(folder)
            assert len(encoder.texts) <= (limits["vectors"] + 4 if "vectors" in limits else 0)  # the batch that it was at
            assert not collection.index(tmp_path / "files").stopped
            assert read_documents(collection) == undisturbed.after
        assert sorted(encoder.texts) == sorted(undisturbed.texts)


def test_a_run_does_not_wait_for_a_file_that_takes_long_to_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parsers: list[Any]
) -> None:
    """The parser says by a file that it has begun with one that never ends."""
    monkeypatch.setattr("vecsearch.documents.parser_process._ASK_S", 0.01)
    begun = tmp_path / "begun"
    code = (
        "import sys, types, pathlib, time\n"
        "from vecsearch.documents import loaders\n"
        "loaders.LOADERS = {**loaders.LOADERS, '.slow': 'slow:load'}\n"
        "module = types.ModuleType('vecsearch.documents.loaders.slow')\n"
        "def load(raw):\n"
        f"    pathlib.Path({str(begun)!r}).touch()\n"
        "    time.sleep(600)\n"
        "module.load = load\n"
        "sys.modules[module.__name__] = module\n"
    )
    change_settings_of_parsers(monkeypatch, tmp_path / "slow", code)
    write_files(tmp_path / "files")
    (tmp_path / "files/z.slow").write_text("never read")
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        report = collection.index(tmp_path / "files", should_stop=begun.exists)
        check_no_parser(parsers)
        assert (report.stopped, report.failed) == (True, ())
        (tmp_path / "files/z.slow").unlink()
        assert not collection.index(tmp_path / "files").stopped
        assert len(collection) == 12


def test_runs_that_are_stopped_again_and_again_come_to_the_end(empty: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    undisturbed, encoder = measure_undisturbed(empty, tmp_path / "files"), RecordingEncoder()
    with vecsearch.open(tmp_path / "x.vec", model=encoder) as collection:
        reports = [collection.index(tmp_path / "files", should_stop=StopAt(number)) for number in range(20, 100, 10)]
    assert [report.stopped for report in reports[:3]] == [True] * 3
    assert not reports[-1].stopped
    assert read_folder(tmp_path / "x.vec") == undisturbed.after
    assert sorted(encoder.texts) == sorted(undisturbed.texts)


def test_an_answer_once_given_holds_for_the_run(tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    answers = iter([False] * 12 + [True] + [False] * 1000)
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        report = collection.index(tmp_path / "files", should_stop=lambda: next(answers))
        assert report.stopped
        assert not any(answers)


def test_an_error_of_the_callers_function_comes_out_as_it_is(tmp_path: Path, parsers: list[Any]) -> None:
    write_files(tmp_path / "files")
    questions = count()

    def fail() -> bool:
        if next(questions) == 25:
            raise ZeroDivisionError("of the caller")
        return False

    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        with pytest.raises(ZeroDivisionError, match="of the caller"):
            collection.index(tmp_path / "files", should_stop=fail)
        check_no_parser(parsers)
        assert not collection.index(tmp_path / "files").stopped


def test_what_cannot_be_called_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    event: Any = threading.Event()
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        for call in (
            lambda: collection.index(tmp_path / "files", should_stop=event), lambda: collection.fill_vectors(should_stop=event),
            lambda: collection.reembed(FakeEncoder(1), should_stop=event),
            lambda: collection.import_documents(tmp_path / "files/rows.jsonl", should_stop=event),
        ):  # fmt: skip
            with pytest.raises(vecsearch.UsageError, match=r"such as the is_set of a threading\.Event; got Event"):
                call()
        assert len(collection) == 0


# -- vectors


def test_filling_stops_within_a_batch_of_the_encoder_and_encodes_nothing_twice(tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    questions = 0
    for number in count(1):
        folder, encoder = tmp_path / f"{number}.vec", RecordingEncoder()
        with vecsearch.open(folder, model=encoder) as collection:
            collection.index(tmp_path / "files", vectors=False)
            waiting = collection.pending_vectors
            report = collection.fill_vectors(should_stop=StopAt(number))
            assert (report.to_dict()["stopped"], report.encoded) == (report.stopped, len(encoder.texts))
            assert report.pending_vectors == collection.pending_vectors == waiting - report.encoded
            if not report.stopped:
                break
            questions += 1
            assert report.pending_vectors > 0  # it says so only where something is left
            assert not collection.fill_vectors().stopped
            assert len(encoder.texts) == len(set(encoder.texts)) == waiting
            assert collection.pending_vectors == 0
        check_sound(folder)
    assert questions > 9


# -- reembed


def test_a_stopped_reembedding_keeps_what_it_made_and_the_old_vectors_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: range
) -> None:
    monkeypatch.setattr("vecsearch.stores.sqlite.write.replacement.READ_DOCUMENTS", 5)
    monkeypatch.setattr("vecsearch.indexing.reembed._FINAL_PASS_DOCUMENTS_MAX", 3)
    template, texts = tmp_path / "template.vec", [f"a text of number{n}" for n in range(16)]
    with vecsearch.open(template, model=FakeEncoder()) as collection:
        collection.add(texts, ids=[f"d{n}" for n in range(16)])
    before, reached = read_folder(template), set()
    with vecsearch.open(tmp_path / "expected.vec", model=FakeEncoder(2)) as collection:
        collection.add(texts, ids=[f"d{n}" for n in range(16)])
    expected = read_folder(tmp_path / "expected.vec")
    for number in points:
        folder, first, second = tmp_path / f"{number}.vec", RecordingEncoder(2), RecordingEncoder(2)
        shutil.copytree(template, folder)
        with vecsearch.open(folder, model=FakeEncoder()) as collection:
            report = collection.reembed(first, should_stop=StopAt(number))
            assert (report.switched, report.encoded) == (not report.stopped, len(first.texts))
            assert report.to_dict()["stopped"] is report.stopped
            if not report.stopped:
                break
            assert collection.search("number7", mode="dense")[0].id == "d7"  # by the model that it has
            assert read_folder(folder) == before
            reached.add(report.encoded)
            check_sound(folder)
            rest = collection.reembed(second)
            assert (rest.stopped, rest.switched) == (False, True)
        assert read_folder(folder) == expected
        assert sorted(first.texts + second.texts) == sorted(texts)
        shutil.rmtree(folder)
    assert read_folder(folder) == expected
    assert len(reached) > 7 // points.step


def test_a_thread_stops_a_reembedding(tmp_path: Path) -> None:
    stop, encoding = threading.Event(), threading.Event()

    def wait_to_be_stopped() -> None:
        encoding.set()
        stop.wait()

    def stop_when_encoding() -> None:
        encoding.wait()
        stop.set()

    encoder = RecordingEncoder(2, act=wait_to_be_stopped)
    thread = threading.Thread(target=stop_when_encoding)
    thread.start()
    with vecsearch.open(tmp_path / "x.vec", model=FakeEncoder()) as collection:
        collection.add([f"a text of number{n}" for n in range(9)])
        report = collection.reembed(encoder, should_stop=stop.is_set)
        thread.join()
        assert (report.stopped, report.encoded, len(encoder.texts)) == (True, 2, 2)
        assert collection.reembed(encoder).switched
        assert len(encoder.texts) == 9
