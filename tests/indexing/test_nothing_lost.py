"""Whatever happens to files, folders, drives and processes, nothing that was indexed before is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vecsearch
from tests import maintenance
from tests.checks import is_sound
from tests.conftest import SAMPLE_DATA, CommandResult, CountingEncoder
from tests.limits import can_be_powerless, can_mount, drop_privileges
from vecsearch.core.settings import DATABASE_FOLDER
from vecsearch.stores.sqlite.fulltext import term_tables

PARTS, BATCH = 4, 64
Shell = Callable[..., CommandResult]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Write files in two folders."""
    for name, text in (("a.txt", "a keel"), ("inner/b.txt", "a mast"), ("inner/c.jsonl", '{"id": "sail", "text": "a sail"}\n')):
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text(text)
    return tmp_path / "docs"


EVERYTHING = ["docs/a.txt", "docs/inner/b.txt", "sail"]


def list_ids(folder: Path) -> list[str]:
    with vecsearch.open(folder / DATABASE_FOLDER, readonly=True) as collection:
        hit_ids = {hit.id for hit in collection.search("parts of a ship", limit=1000)}
        document_ids = [document.id for document in collection.list_documents(limit=1000)]
    assert hit_ids == set(document_ids)
    return document_ids


# -- folders and drives


@pytest.mark.skipif(not can_be_powerless(), reason="this user reads every folder, whatever its mode")
def test_a_folder_that_may_not_be_read_any_more_keeps_its_documents(docs: Path, shell: Shell, process: Shell) -> None:
    assert shell("index", "docs").status == 0
    (docs / "a.txt").unlink()
    (docs / "inner").chmod(0)
    try:
        result = process("index", "docs", "--json", preexec_fn=drop_privileges)
    finally:
        (docs / "inner").chmod(0o755)
    assert result.status == 1
    report = json.loads(result.out)
    assert report["failed"] == [{"source": str(docs / "inner"), "error": "permission denied"}]
    assert (report["removed"], list_ids(docs.parent)) == (0, EVERYTHING)
    assert json.loads(shell("index", "docs", "--json").out)["removed"] == 1  # once the folder can be read


def test_an_empty_folder_removes_nothing_until_that_is_asked_for(docs: Path, shell: Shell) -> None:
    shell("index", "docs")
    shutil.rmtree(docs)
    docs.mkdir()
    result = shell("index", "docs")
    assert result.status == 1
    assert "--allow-empty" in result.err
    assert list_ids(docs.parent) == EVERYTHING
    assert shell("index", "docs", "--allow-empty").status == 0
    assert list_ids(docs.parent) == []


def test_a_folder_that_vanished_removes_nothing(docs: Path, shell: Shell) -> None:
    shell("index", "docs")
    docs.rename(docs.parent / "elsewhere")
    assert shell("index", "docs").status == 1
    assert list_ids(docs.parent) == EVERYTHING


def test_files_are_removed_below_the_given_root_only(docs: Path, shell: Shell) -> None:
    shell("index", "docs")
    (docs / "a.txt").unlink()
    (docs / "inner/b.txt").unlink()
    assert json.loads(shell("index", "docs/inner", "--json").out)["removed"] == 1
    assert list_ids(docs.parent) == ["docs/a.txt", "sail"]


DRIVE = """
set -e
mount -t tmpfs none docs/drive
echo 'a rudder' > docs/drive/d.txt
vecsearch() { "$PYTHON" -m vecsearch "$@"; }
vecsearch index docs -q
umount docs/drive
rm docs/a.txt
vecsearch index docs --json || echo "status $?"
"""


@pytest.mark.skipif(not can_mount(), reason="this user cannot mount a file system")
def test_a_drive_below_the_root_that_is_gone_keeps_its_documents(docs: Path) -> None:
    (docs / "drive").mkdir()
    result = subprocess.run(
        ["unshare", "-m", "sh", "-c", DRIVE], cwd=docs.parent, env={**os.environ, "PYTHON": sys.executable}, text=True,
        capture_output=True, check=False, timeout=300,
    )  # fmt: skip
    assert "a file system is gone, 1 file had been indexed" in result.stdout, result.stderr
    assert "status 1" in result.stdout
    assert list_ids(docs.parent) == ["docs/drive/d.txt", "docs/inner/b.txt", "sail"]


# -- files


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b"the keel \xff\xfe\x80 of the ship, and more words in plain English after that"),
        ("a.txt", b"\x00\x01\x02" * 500),
        ("a.txt", b""),
        ("inner/c.jsonl", b'{"id": "sail", "text": \n'),
        ("inner/c.jsonl", b"\x00\x01\x02" * 500),
        ("inner/c.jsonl", b""),
    ],
    ids=["broken UTF-8", "binary", "empty", "broken line", "binary lines", "no lines"],
)
def test_a_file_that_fails_to_parse_now_keeps_what_it_gave(docs: Path, shell: Shell, name: str, data: bytes) -> None:
    shell("index", "docs")
    content = (docs / name).read_bytes()
    (docs / name).write_bytes(data)
    for _ in range(2):  # and again, though the bytes are those of the last time
        report = json.loads(shell("index", "docs", "--json").out)
        assert [failure["source"] for failure in report["failed"]] == [str(docs / name)]
        assert list_ids(docs.parent) == EVERYTHING
    assert maintenance.check(docs.parent / DATABASE_FOLDER)  # a failed source is a note there
    (docs / name).write_bytes(content)
    assert json.loads(shell("index", "docs", "--json").out)["failed"] == []
    assert maintenance.check(docs.parent / DATABASE_FOLDER) == []


# -- no encoding twice


def test_what_is_unchanged_is_not_encoded_again(tmp_path: Path, counting_encoder: CountingEncoder) -> None:
    for round_ in range(2):
        with vecsearch.open(tmp_path / "db", model=counting_encoder) as collection:
            report = collection.index([SAMPLE_DATA])
        assert (report.failed, report.added > 500) == ((), round_ == 0)
        assert bool(counting_encoder.documents) is (round_ == 0)
        counting_encoder.documents.clear()


def test_a_database_moved_with_its_files_encodes_nothing_again(
    docs: Path, shell: Shell, counting_encoder: CountingEncoder
) -> None:
    shell("index", "docs")
    moved_docs = docs.parent / "moved"
    moved_docs.mkdir()
    for name in ("docs", DATABASE_FOLDER):
        (docs.parent / name).rename(moved_docs / name)
    with vecsearch.open(moved_docs / DATABASE_FOLDER, model=counting_encoder) as collection:
        report = collection.index([moved_docs / "docs"])
        assert (report.unchanged, report.added, report.updated, report.removed) == (3, 0, 0, 0)
        assert collection.get("docs/a.txt")[0].source == str(moved_docs / "docs/a.txt")
    assert counting_encoder.documents == []
    assert list_ids(moved_docs) == EVERYTHING


def test_metadata_alone_changes_without_encoding(docs: Path, shell: Shell, counting_encoder: CountingEncoder) -> None:
    shell("index", "docs")
    (docs / "inner/c.jsonl").write_text('{"id": "sail", "text": "a sail", "cloth": "canvas"}\n')
    with vecsearch.open(docs.parent / DATABASE_FOLDER, model=counting_encoder) as collection:
        assert collection.index([docs]).updated == 1
        assert collection.get("sail")[0].metadata == {"cloth": "canvas"}
        assert collection.count(where={"cloth": "canvas"}) == 1
    assert counting_encoder.documents == []


# -- processes


# The signal comes when the first batch is committed, of texts or of vectors, however busy the machine is.
STOPPED_AFTER_A_BATCH = f"""
import os, sys
from vecsearch.__main__ import main
from vecsearch.indexing import batch_writer, vector_filler
batch_writer.BATCH_TEXT_CHUNKS = vector_filler.FILL_CHUNKS = {BATCH}
stop, of_texts = int(sys.argv.pop(1)), sys.argv.pop(1) == "texts"
home, name = (batch_writer.BatchWriter, "_commit") if of_texts else (vector_filler.VectorFiller, "_attach")
commit = getattr(home, name)
def commit_and_stop(*arguments, **options):
    commit(*arguments, **options)
    os.kill(os.getpid(), stop)
setattr(home, name, commit_and_stop)
main()
"""


@pytest.mark.parametrize("batch", ["texts", "vectors"])
@pytest.mark.parametrize(("stop", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_run_keeps_its_batches_and_the_next_goes_on(
    tmp_path: Path, counting_encoder: CountingEncoder, stop: signal.Signals, status: int, batch: str
) -> None:
    lines = [f"The {n}th entry of the log: " + "wind from the west, sea calm, all sails set. " * 2 for n in range(PARTS * BATCH)]
    for part in range(PARTS):
        (tmp_path / f"log{part:02}.jsonl").write_text(
            "".join(json.dumps({"id": str(n), "text": lines[n]}) + "\n" for n in range(part * BATCH, (part + 1) * BATCH))
        )
    arguments = [str(int(stop)), batch, "index", str(tmp_path), "--db", str(tmp_path / "db")]
    command = [sys.executable, "-c", STOPPED_AFTER_A_BATCH, *arguments]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    error_output = child.communicate(timeout=120)[1]
    assert child.returncode == status, error_output
    assert "Traceback" not in error_output
    document_count, vector_count = count(tmp_path / "db")
    if batch == "texts":
        assert (BATCH <= document_count < len(lines), vector_count) == (True, 0)
    else:
        assert (document_count, BATCH <= vector_count < len(lines)) == (len(lines), True)
    with vecsearch.open(tmp_path / "db", model=counting_encoder) as collection:
        collection.index([tmp_path])
        assert collection.count() == len(lines)
        assert collection.get("7")[0].text == lines[7]
    assert len(counting_encoder.documents) == len(lines) - vector_count
    assert maintenance.check(tmp_path / "db") == []


def count(folder: Path) -> tuple[int, int]:
    """Count the documents, of one chunk each, and the vectors."""
    with vecsearch.open(folder, readonly=True) as collection:
        return len(collection), len(collection) - collection.pending_vectors


def test_a_batch_of_brought_vectors_that_fails_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words come last: all else of the batch is written when they fail."""
    real, calls = term_tables.add, iter(range(10))

    def add(*arguments: Any) -> None:
        real(*arguments)
        if next(calls) == 2:
            raise OSError("no more")

    monkeypatch.setattr("vecsearch.indexing.batch_writer.BATCH_PROVIDED_VECTORS", 5)
    monkeypatch.setattr(term_tables, "add", add)
    rows, names = np.eye(384)[:20], [f"d{n:02}" for n in range(20)]
    with vecsearch.open(tmp_path / "db") as collection:
        with pytest.raises(OSError, match="no more"):
            collection.add(["rope"] * 20, ids=names, metadatas=[{"n": n} for n in range(20)], vectors=rows)
        assert [document.id for document in collection.list_documents(limit=100)] == names[:10]
        assert collection.count({"n": {"$gte": 0}}) == len(collection.search("rope", mode="lexical", limit=100)) == 10
        collection.add(["rope"] * 20, ids=names, metadatas=[{"n": n} for n in range(20)], vectors=rows, on_conflict="skip")
        assert collection.count({"n": {"$gte": 0}}) == len(collection.search("rope", mode="lexical", limit=100)) == 20
    assert is_sound(tmp_path / "db")


def test_writers_take_turns(docs: Path, shell: Shell) -> None:
    shell("index", "docs")
    command = [sys.executable, "-m", "vecsearch", "index", "-", "-q"]
    writers = [subprocess.Popen(command, cwd=docs.parent, stdin=subprocess.PIPE, text=True) for _ in range(3)]
    for number, writer in enumerate(writers):
        assert writer.stdin
        writer.stdin.write(
            "".join(json.dumps({"id": f"{number}-{n}", "text": f"rope {n} of ship {number}"}) + "\n" for n in range(40))
        )
        writer.stdin.close()
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0]
    assert len(list_ids(docs.parent)) == 3 + 3 * 40
    assert maintenance.check(docs.parent / DATABASE_FOLDER) == []


def test_a_reader_who_has_had_enough_is_left_in_silence(docs: Path, shell: Shell) -> None:
    shell("index", "docs/inner")
    with vecsearch.open(docs.parent / DATABASE_FOLDER) as collection:
        collection.add(["rope"] * 3000, vectors=[[1.0] * 384] * 3000)
    result = subprocess.run(
        f"{sys.executable} -m vecsearch ls -n 3000 | head -1",
        shell=True,
        cwd=docs.parent,
        text=True,
        capture_output=True,
        check=True,
    )
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1
