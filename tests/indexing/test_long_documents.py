"""A large text is stored portion by portion: found from its beginning on, continued after a kill, replaced as one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

import vecsearch
from tests.checks import get_vectors
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.indexing import long_documents

LINES = 400
PORTION = 1_000  # characters, in these tests


def make_text(lines=LINES, word="marker"):
    """Return paragraphs of two lines, each with a word of its own."""
    return "".join(f"Line {n} of the log tells of {word}{n}x." + "\n" * (1 + n % 2) for n in range(lines))


@pytest.fixture
def short_portions(monkeypatch, tmp_path):
    """Let the parsing process, which begins anew, take a small text for a large one."""
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"from vecsearch.core import settings\nsettings.STREAM_MIN_BYTES = 4_000\nsettings.PORTION_CHARACTERS = {PORTION}\n"
    )
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setattr(long_documents, "PORTIONS_TOGETHER", 2)
    return folder


@pytest.fixture
def place(short_portions, tmp_path):
    return tmp_path / DATABASE_FOLDER


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "server.log"
    path.write_text(make_text())
    return path


class Watch:
    """Calls what looks at the database whenever an index run tells of progress."""

    def __init__(self, look):
        self.look, self.calls = look, 0

    def begin(self, total):
        pass

    def begin_vectors(self, total):
        pass

    def advance_vectors(self, count):
        pass

    def advance(self, amount, chunks):
        self.calls += 1
        self.look(self.calls)


class StoppedError(Exception):
    pass


def find(collection, word):
    return [hit for hit in collection.search(word, mode="lexical", limit=3) if word in hit.text]


def index_and_stop(place, log, *, calls, model=None):
    """Interrupt a run after so many reports of progress."""

    def stop(count):
        if count == calls:
            raise StoppedError

    with vecsearch.open(place, model=model) as collection, pytest.raises(StoppedError):
        collection.index([log], vectors=False, progress=Watch(stop))


def describe(place):
    """Return the document, and its chunks with what the answers say of them."""
    with vecsearch.open(place, readonly=True) as collection:
        (document,) = collection.get(["server.log"])
        assert collection.count() == 1
        hits = {hit.chunk_index: hit for n in range(0, LINES, 7) for hit in find(collection, f"marker{n}x")}
        return document, hits


def check_whole(place, text):
    """Check that the document is the text, and that every chunk is the stretch that it says."""
    document, hits = describe(place)
    assert document.text == text
    assert "".join(text[chunk.start : chunk.end] for chunk in document.chunks) == text
    assert [chunk.chunk_index for chunk in document.chunks] == list(range(len(document.chunks)))
    lines = text.split("\n")
    for chunk in document.chunks:
        first, last = chunk.location["lines"]
        assert lines[first - 1 : last] == text[chunk.start : chunk.end].strip("\n").split("\n")
    for hit in hits.values():
        assert hit.text == text[hit.start : hit.end]
        assert hit.location == document.chunks[hit.chunk_index].location
    check_sound(place)
    return document


def check_sound(place):
    with vecsearch.connect(place) as database:
        assert [finding.what for finding in database.check() if finding.severity == "error"] == []


def test_the_beginning_is_found_before_the_end_is_read(place, log):
    seen = []

    def look(count):
        with vecsearch.open(place, readonly=True) as reader:
            seen.append((bool(find(reader, "marker0x")), bool(find(reader, f"marker{LINES - 1}x"))))
            if count == 1:
                assert reader.count() == 1

    with vecsearch.open(place) as collection:
        report = collection.index([log], vectors=False, progress=Watch(look))
    assert seen[0] == (True, False)
    assert (report.added, report.updated, report.unchanged, report.documents) == (1, 0, 0, 1)
    assert report.pending_vectors == report.chunks > 10
    check_whole(place, make_text())
    with vecsearch.open(place) as collection:
        (source,) = collection.list_sources()
        assert (source.state, source.documents, source.chunks) == ("indexed", 1, report.chunks)
        again = collection.index([log])
        assert (again.unchanged, again.updated, again.pending_vectors) == (1, 0, 0)


def test_an_interrupted_run_is_continued_and_keeps_its_vectors(place, log, counting_encoder):
    index_and_stop(place, log, calls=8, model=counting_encoder)
    with vecsearch.open(place, model=counting_encoder) as collection:
        (source,) = collection.list_sources()
        assert source.state == "unfinished"
        assert find(collection, "marker0x") and not find(collection, f"marker{LINES - 1}x")
        collection.fill_vectors()
        kept = collection.get(["server.log"], include_vectors=True)[0]
        encoded = len(counting_encoder.documents)
        report = collection.index([log])
        assert (report.added, report.updated, report.failed) == (0, 1, ())
        document = collection.get(["server.log"], include_vectors=True)[0]
    assert 0 < encoded < len(document.chunks)
    assert len(counting_encoder.documents) == len(document.chunks)
    assert (get_vectors(document)[: len(kept.chunks)] == kept.vectors).all()
    check_whole(place, make_text())


def test_a_killed_run_is_continued(place, log):
    code = (
        "import os, signal, sys, vecsearch\n"
        "class Kill:\n"
        "    calls = 0\n"
        "    def begin(self, total): pass\n"
        "    def advance(self, amount, chunks):\n"
        "        Kill.calls += 1\n"
        "        if Kill.calls == int(sys.argv[3]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "vecsearch.open(sys.argv[1]).index([sys.argv[2]], vectors=False, progress=Kill())\n"
    )
    for calls in (1, 2, 9):
        run = subprocess.run([sys.executable, "-c", code, place, log, str(calls)], check=False)
        assert run.returncode == -signal.SIGKILL
    with vecsearch.open(place) as collection:
        assert find(collection, "marker0x")
        assert collection.index([log], vectors=False).failed == ()
    check_whole(place, make_text())


@pytest.mark.parametrize("changed", ["beginning", "middle", "end", "appended", "cut"])
def test_a_changed_file_is_replaced_as_one_and_keeps_what_it_can(place, log, counting_encoder, changed):
    old = make_text()
    new = {
        "beginning": old.replace("marker1x", "anchor1x"), "middle": old.replace("marker203x", "anchor203x"),
        "end": old.replace(f"marker{LINES - 1}x", "anchor"), "appended": old + "One more line tells of anchor.\n",
        "cut": old[: old.index("Line 301 ")],
    }[changed]  # fmt: skip
    with vecsearch.open(place, model=counting_encoder) as collection:
        collection.index([log])
        before = collection.get(["server.log"], include_vectors=True)[0]
        encoded = len(counting_encoder.documents)

        def look(count):
            with vecsearch.open(place, readonly=True) as reader:
                (document,) = reader.get(["server.log"])
                assert document.text in (old, new)
                assert bool(find(reader, f"marker{LINES - 1}x")) == (f"marker{LINES - 1}x" in document.text)

        log.write_text(new)
        report = collection.index([log], progress=Watch(look))
        after = collection.get(["server.log"], include_vectors=True)[0]
    assert (report.added, report.updated, report.removed, report.documents) == (0, 1, 0, 1)
    assert report.pending_vectors == 0
    kept = {old[chunk.start : chunk.end].strip(): row for chunk, row in zip(before.chunks, get_vectors(before), strict=True)}
    same = [n for n, chunk in enumerate(after.chunks) if new[chunk.start : chunk.end].strip() in kept]
    assert len(counting_encoder.documents) - encoded <= len(after.chunks) - len(same) <= 3
    for n in same:
        chunk = after.chunks[n]
        assert (get_vectors(after)[n] == kept[new[chunk.start : chunk.end].strip()]).all()
    assert check_whole(place, new).text == new


def test_what_a_log_had_stays_where_it_is_when_it_grows(place, log):
    def list_chunks():
        with closing(sqlite3.connect(place / "vecsearch.db")) as database:
            return [chunk for (chunk,) in database.execute("SELECT id FROM chunks ORDER BY id")]

    with vecsearch.open(place) as collection:
        collection.index([log], vectors=False)
        before = list_chunks()
        with log.open("a") as file:
            file.write(make_text(50, word="later"))
        collection.index([log], vectors=False)
        after = list_chunks()
        assert find(collection, "later49x")
    assert len(set(before) - set(after)) < 6 < len(before) < len(after)


def test_a_file_that_changes_between_two_portions_of_an_interrupted_run(place, log):
    index_and_stop(place, log, calls=8)
    log.write_text(make_text(word="other"))
    with vecsearch.open(place) as collection:
        collection.index([log], vectors=False)
        assert find(collection, "other0x") and not find(collection, "marker0x")
    assert describe(place)[0].text == make_text(word="other")


def test_a_file_that_shrinks_grows_and_goes(place, log):
    with vecsearch.open(place) as collection:
        for text in (make_text(), "A short text.", make_text(), " \n" * 3_000, make_text()):
            log.write_text(text)
            report = collection.index([log.parent], include=["*.log"], vectors=False)
            if text.strip():
                assert report.documents == 1
                assert collection.get(["server.log"])[0].text == text
        log.unlink()
        (log.parent / "other.log").write_text("something else")
        assert collection.index([log.parent], include=["*.log"], vectors=False).removed == 1
        assert not find(collection, "marker0x")
    check_sound(place)


def test_a_renamed_file_and_a_copy_keep_their_vectors(place, log, counting_encoder):
    with vecsearch.open(place, model=counting_encoder) as collection:
        collection.index([log])
        (before,) = collection.get(["server.log"], include_vectors=True)
        encoded = len(counting_encoder.documents)
        copy = log.parent / "copy.log"
        copy.write_text(log.read_text())
        assert collection.index([copy]).pending_vectors == 0
        log.rename(log.parent / "renamed.log")
        copy.unlink()
        report = collection.index([log.parent], include=["*.log"])
        assert (report.added, report.removed, report.pending_vectors, report.documents) == (1, 2, 0, 1)
        (after,) = collection.get(["renamed.log"], include_vectors=True)
    assert len(counting_encoder.documents) == encoded
    assert (after.text, after.chunks) == (before.text, before.chunks)
    assert (get_vectors(after) == get_vectors(before)).all()


def test_a_dry_run_says_what_would_be_done(place, log):
    with vecsearch.open(place) as collection:
        report = collection.index([log], dry_run=True)
        assert (report.added, report.planned, report.documents) == (1, (("add", "server.log"),), 0)
        collection.index([log], vectors=False)
        assert collection.index([log], dry_run=True).unchanged == 1
        for text in (make_text() + "more", make_text(300)):
            log.write_text(text)
            report = collection.index([log], dry_run=True)
            assert (report.updated, report.planned) == (1, (("update", "server.log"),))
            assert collection.get(["server.log"])[0].text == make_text()


@pytest.mark.parametrize("split", ["lines", "paragraphs"])
def test_by_lines_and_by_paragraphs_the_chunks_are_those_of_the_whole(place, log, short_portions, split, tmp_path):
    with vecsearch.open(place) as collection, vecsearch.open(tmp_path / "whole" / DATABASE_FOLDER) as whole:
        collection.index([log], split="tokens", vectors=False)
        report = collection.index([log], split=split, vectors=False)
        assert report.updated == 1
        (short_portions / "sitecustomize.py").write_text("")
        whole.index([log], split=split, vectors=False)
        (document,), (expected,) = collection.get(["server.log"]), whole.get([log.as_posix()])
    assert document.text == expected.text
    assert document.chunks == expected.chunks


def test_a_file_that_fails_midway_keeps_its_last_good_text(place, log, monkeypatch):
    with vecsearch.open(place) as collection:
        collection.index([log], vectors=False)
        log.write_bytes(make_text(word="new").encode() + b"\xc3 \xc3\xa4")
        report = collection.index([log], vectors=False)
        assert "broken UTF-8" in report.failed[0].error
        assert collection.get(["server.log"])[0].text == make_text()
        log.write_text(make_text(word="new"))
        assert collection.index([log], vectors=False).updated == 1
        assert collection.get(["server.log"])[0].text == make_text(word="new")


def test_another_run_may_store_the_same_file_meanwhile(place, log):
    def overtake(count):
        if count == 5:
            with vecsearch.open(place) as other:
                assert other.index([log], vectors=False).failed == ()

    with vecsearch.open(place) as collection:
        report = collection.index([log], vectors=False, progress=Watch(overtake))
        assert (report.failed, report.documents) == ((), 1)
    check_whole(place, make_text())


def test_a_document_that_another_run_deletes_meanwhile_is_read_again(place, log):
    def delete(count):
        if count == 5:
            with vecsearch.open(place) as other:
                other.delete(["server.log"])

    with vecsearch.open(place) as collection:
        report = collection.index([log], vectors=False, progress=Watch(delete))
        assert "by another run while this one read it" in report.failed[0].error
        assert collection.count() == 0
        assert collection.index([log], vectors=False).failed == ()
    check_whole(place, make_text())


def test_it_is_exported_imported_backed_up_and_embedded_again(place, log, tmp_path):
    with vecsearch.open(place) as collection:
        collection.index([log])
        before = collection.get(["server.log"])[0]
        for name in ("all.jsonl", "all.parquet"):
            collection.export_documents(tmp_path / name)
            with vecsearch.open(tmp_path / name.replace(".", "-") / DATABASE_FOLDER) as other:
                assert other.import_documents(tmp_path / name).vectors_reused == 1
                (copy,) = other.get([before.id])
                assert (copy.text, copy.chunks) == (before.text, before.chunks)
        collection.reembed(precision="float32")
        check_whole(place, make_text())
        assert collection.index([log]).unchanged == 1
    with vecsearch.connect(place) as database:
        database.backup(tmp_path / "copy.backup")
    vecsearch.restore(tmp_path / "copy.backup", tmp_path / "restored" / DATABASE_FOLDER)
    with vecsearch.open(tmp_path / "restored" / DATABASE_FOLDER, readonly=True) as collection:
        assert collection.get(["server.log"])[0].chunks == before.chunks


def test_similar_reads_all_of_a_large_file(place, log, tmp_path):
    with vecsearch.open(place) as collection:
        collection.index([log])
        copy = log.rename(tmp_path / "copy.log")
        (hit,) = collection.similar(file=copy, limit=1)
        assert hit.id == "server.log"
