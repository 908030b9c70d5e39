"""Deleted data is in no file of the database any more, its space is given back, and the log does not grow for ever."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

import vecsearch
from tests import maintenance
from tests.conftest import CommandResult
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE, DATABASE_FOLDER
from vecsearch.stores.sqlite.engine import database_folder as databases
from vecsearch.stores.sqlite.fulltext.term_blocks import PostingBlock
from vecsearch.stores.sqlite.fulltext.term_rows import verify_checksum
from vecsearch.stores.sqlite.fulltext.term_segment import FORM_MARK

ENCODER = FakeEncoder()
SECRET = "Zqvhtrploding xkeñwürdig 鯨魚標記"
TITLE = "Jwmbdfrisch"
METADATA = {"yfkqkey": "qgbvalue", "deep": {"rznlist": ["kvtelement"]}}
VECTOR = np.random.default_rng(7).normal(size=32)
ROW = (VECTOR / np.linalg.norm(VECTOR)).astype(np.float32).astype("<f2").tobytes()

OF_TEXT = [SECRET, "qvhtrploding", "vhtrplod", "keñwürdig", "kenwurdig", "魚標"]
OF_TITLE = [TITLE, "wmbdfrisch"]
OF_METADATA = ["yfkqkey", "qgbvalue", "rznlist", "kvtelement"]
BEGINNINGS = ("zqv", "xke", "鯨", "魚", "jwm")


def find_marks(folder: Path) -> set[str]:
    """Find the marks that stand in the bytes of any file, or among the terms of a text index."""
    data = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    marks = [*OF_TEXT, *OF_TITLE, *OF_METADATA, "the-secret-id"]
    found_marks = {mark for mark in marks if mark.encode() in data}
    if ROW[:16] in data or ROW[-16:] in data:
        found_marks.add("vector")
    return found_marks | {term for term in read_terms(folder) if term.startswith(BEGINNINGS)}


def read_terms(folder: Path) -> set[str]:
    """Read the vocabulary of the text index, forms without their mark."""
    with closing(sqlite3.connect(f"file:{folder / DATABASE_FILE}?mode=ro", uri=True)) as connection:
        blocks = [PostingBlock(verify_checksum(data)) for (data,) in connection.execute("SELECT data FROM term_blocks")]
    return {term.removeprefix(FORM_MARK) for block in blocks for term in block.terms}


def fill(folder: Path, *, other_count: int = 400) -> None:
    """Add a secret among other documents, in SQLite and in an index file."""
    with vecsearch.open(folder, model=ENCODER) as notes:
        rows = np.random.default_rng(1).normal(size=(other_count, 32))
        notes.add(
            [f"harbour {n} and {n * 7}" for n in range(other_count)], ids=[f"o{n}" for n in range(other_count)], vectors=rows
        )
        notes.add([SECRET], ids=["the-secret-id"], titles=[TITLE], metadatas=[METADATA], vectors=VECTOR[np.newaxis])
        notes.optimize()
    all_marks = {*OF_TEXT, *OF_TITLE, *OF_METADATA, "the-secret-id", "vector"} - {"qvhtrploding", "keñwürdig", "kenwurdig"}
    assert find_marks(folder) >= all_marks - {"魚標"}


def delete_by_id(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.delete("the-secret-id")
        notes.optimize(full=True)
        assert find_marks(folder) == set()  # while it is open, too


def delete_by_metadata(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.delete(where={"deep.rznlist": {"$contains": "kvtelement"}})
        notes.optimize(full=True)


def delete_and_rewrite_index_file(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.delete("the-secret-id")
        notes.optimize()
        notes.add(["more of it"], ids=["group_size"])
        notes.optimize(full=True)


def delete_with_all_others(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.delete_all()
        notes.delete([document.id for document in notes.list_documents(limit=1000)])
        notes.optimize(full=True)


def replace_document(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.add(["nothing to see"], ids=["the-secret-id"], on_conflict="replace")
        notes.delete("the-secret-id")
        notes.optimize(full=True)


def delete_and_repair(folder: Path) -> None:
    """Delete, repair with the doctor, who makes the text index anew, and remove the backup as he says."""
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.delete("the-secret-id")
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        connection.execute("DELETE FROM position_blocks")
        connection.commit()
    backup = maintenance.repair(folder, model=ENCODER).backup
    assert backup is not None
    backup.unlink()
    with vecsearch.open(folder, model=ENCODER) as notes:
        notes.optimize(full=True)


WAYS = [
    delete_by_id, delete_by_metadata, delete_and_rewrite_index_file, delete_with_all_others, replace_document,
    delete_and_repair,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_was_deleted_is_in_no_file(tmp_path: Path, way: Callable[[Path], None]) -> None:
    fill(tmp_path / "db")
    way(tmp_path / "db")
    assert find_marks(tmp_path / "db") == set()
    assert maintenance.check(tmp_path / "db", model=ENCODER) == []


def test_an_old_text_and_old_metadata_are_in_no_file(tmp_path: Path) -> None:
    fill(tmp_path / "db")
    with vecsearch.open(tmp_path / "db", model=ENCODER) as notes:
        notes.update("the-secret-id", text="another text", title="another title", metadata={"yfkqkey": None, "deep": None})
        notes.optimize(full=True)
        assert notes.get("the-secret-id")[0].text == "another text"
    assert find_marks(tmp_path / "db") == {"the-secret-id"}


@pytest.mark.parametrize("kept", [True, False], ids=["beside another", "the only one"])
def test_a_deleted_collection_is_in_no_file(tmp_path: Path, shell: Callable[..., CommandResult], kept: bool) -> None:
    fill(tmp_path / DATABASE_FOLDER)
    if kept:
        with vecsearch.open(tmp_path / DATABASE_FOLDER, model=ENCODER, collection="second") as notes:
            notes.add(["a harbour"], ids=["x"], vectors=np.eye(1, 32))
    assert shell("collections", "delete", "default").status == 0
    result = shell("optimize", "--full", "--json") if not kept else None
    if kept:
        with vecsearch.open(tmp_path / DATABASE_FOLDER, model=ENCODER, collection="second") as notes:
            notes.optimize(full=True)
    assert result is None or (result.status, result.err) == (0, "")
    assert find_marks(tmp_path / DATABASE_FOLDER) == set()


def test_space_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    with vecsearch.open(folder, model=ENCODER) as notes:
        rows = np.random.default_rng(1).normal(size=(3000, 32))
        texts = [" ".join(f"word{(n * k) % 5000}" for k in range(1, 60)) for n in range(3000)]
        notes.add(texts, ids=[f"o{n}" for n in range(3000)], metadatas=[{"n": n} for n in range(3000)], vectors=rows)
        notes.optimize()
        before = measure_size(folder)
        notes.delete(where={"n": {"$gte": 300}})
        notes.optimize()
        assert measure_size(folder) < before / 2
        notes.optimize(full=True)
        assert measure_size(folder) < before / 5
        assert notes.count() == 300
        assert notes.search(rows[7], limit=1)[0].id == "o7"


def measure_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))


# -- what holds old content


READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM documents").fetchall()
print("reads", flush=True)
sys.stdin.read()
"""


@contextmanager
def run_reader(folder: Path) -> Iterator[int]:
    """Run another process that reads the database as it is now."""
    command = [sys.executable, "-c", READ, str(folder / DATABASE_FILE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"reads\n"
        yield child.pid
        child.kill()


@pytest.mark.parametrize("full", [True, False], ids=["full", "not full"])
def test_a_reader_that_holds_the_old_pages_is_named(tmp_path: Path, full: bool) -> None:
    folder = tmp_path / "db"
    fill(folder)
    with vecsearch.open(folder, model=ENCODER, lock_timeout=0.2) as notes:
        with run_reader(folder) as process:
            notes.delete("the-secret-id")
            with pytest.warns(vecsearch.VecsearchWarning, match=rf"process {process} \(.* still reads .*vecsearch optimize"):
                notes.optimize(full=full)
            assert "vector" in find_marks(folder)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            notes.optimize(full=True)
        assert find_marks(folder) == set()


def test_an_idle_reader_holds_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "db")
    with vecsearch.open(tmp_path / "db", model=ENCODER, readonly=True) as reader:
        assert reader.search("harbour", mode="lexical")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            delete_by_id(tmp_path / "db")
        assert not reader.get(where={"yfkqkey": "qgbvalue"})


def test_copies_that_hold_what_was_deleted_are_named(notes: Path, shell: Callable[..., CommandResult]) -> None:
    names = ["backup-of-format-3.db", "backup-before-fix-20260101T000000Z.db", "damaged.db"]
    for name in names:
        shutil.copy(notes / DATABASE_FILE, notes / name)
    assert shell("optimize").err == ""
    result = shell("optimize", "--full", "--json")
    assert result.status == 0
    assert len(result.err.splitlines()) == 3
    for name in names:
        assert f"{notes / name} still holds what was deleted" in result.err
        (notes / name).unlink()
    assert shell("optimize", "--full").err == ""


# -- the log


def test_the_log_stays_bounded_under_churn_with_readers_that_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds of upserts write many times the bound; without it, readers that are never all away let the log grow for ever."""
    monkeypatch.setattr(databases, "WAL_CHECKPOINT_BYTES", 400_000)
    folder, stop_event = tmp_path / "db", Event()
    fill(folder, other_count=50)

    def read() -> None:
        while not stop_event.is_set():
            with vecsearch.open(folder, model=ENCODER, readonly=True) as reader:
                for _ in range(5):
                    assert reader.search("harbour", mode="lexical", limit=20)

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    log, largest = folder / f"{DATABASE_FILE}-wal", 0
    try:
        with vecsearch.open(folder, model=ENCODER) as notes:
            for n in range(40):
                rows = np.random.default_rng(n).normal(size=(5, 32))
                texts = [f"harbour {n} {' '.join(f'w{n * k % 997}' for k in range(50))}" for _ in range(5)]
                notes.add(texts, ids=[f"c{k}" for k in range(5)], vectors=rows, on_conflict="replace")
                largest = max(largest, log.stat().st_size)
    finally:
        stop_event.set()
        for reader in readers:
            reader.join()
    assert 0 < largest <= 3 * 400_000
    assert maintenance.check(folder, model=ENCODER)[-1].severity is vecsearch.Severity.NOTE
