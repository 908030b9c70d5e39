"""Many processes and threads at one database: each sees one consistent state, and no error that is not its own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

import vecsearch
from tests.checks import is_sound
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from vecsearch.core.settings import DATABASE_FILE
from vecsearch.stores.sqlite.read.snapshot import SQLiteSnapshot
from vecsearch.stores.sqlite.store import SQLiteStore

ENCODER = FakeEncoder()
GROUP = 12  # documents that always change together
READER = """
import sys, vecsearch
from tests.fakes import FakeEncoder
from tests.stores.sqlite.test_processes import read_versions
with vecsearch.open(sys.argv[1], model=FakeEncoder(), readonly=True) as collection:
    print("ready", flush=True)
    newest = count = 0
    while not sys.stdin in __import__("select").select([sys.stdin], [], [], 0)[0]:
        for version in read_versions(collection):
            assert version >= newest, (version, newest)
            newest, count = version, count + 1
    print(count, newest)
"""
WRITER = """
import sys, vecsearch
from tests.fakes import FakeEncoder
with vecsearch.open(sys.argv[1], model=FakeEncoder()) as collection:
    print("ready", flush=True)
    for n in range(int(sys.argv[3])):
        collection.add([f"rope {sys.argv[2]} {n}", f"sail {sys.argv[2]} {n}"], ids=[f"{sys.argv[2]}-{n}a", f"{sys.argv[2]}-{n}b"])
        if n % 3 == 2:
            collection.delete([f"{sys.argv[2]}-{n - 1}a"])
"""


def put(collection, version):
    """Replace every document of the group, in one transaction."""
    texts = [f"anchor {n} of version{version}" for n in range(GROUP)]
    collection.add(
        texts, ids=[f"g{n}" for n in range(GROUP)], metadatas=[{"version": version}] * GROUP, on_conflict="replace",
        vectors=ENCODER.encode_documents(texts),
    )  # fmt: skip


def read_versions(collection):
    """Return the version in each kind of answer; all documents of an answer are of one version."""
    answers = [
        collection.search("anchor of a ship", mode="dense", limit=GROUP, where={"version": {"$gte": 0}}),
        collection.search("anchor", mode="lexical", limit=GROUP),
        collection.search("anchor", limit=GROUP, where={"version": {"$gte": 0}}),
        collection.get(where={"version": {"$exists": True}}),
    ]
    for answer in answers:
        assert len(answer) == GROUP
        (version,) = {hit.metadata["version"] for hit in answer}
        assert all(hit.text.endswith(f"version{version}") for hit in answer)
    return [answer[0].metadata["version"] for answer in answers]


@contextmanager
def run_processes(*scripts):
    """Run processes of these (script, arguments), and wait until each is ready."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [
        subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], cwd=PROJECT, env=env, text=True, **pipes)
        for script, *arguments in scripts
    ]
    try:
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "ready\n", process.communicate()[1]
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def stop_process(process):
    """Ask a process to end, and return what it prints."""
    out, err = process.communicate("enough\n", timeout=60)
    assert process.returncode == 0, err
    return out.split()


@pytest.fixture
def small(monkeypatch):
    """Lower the limits, so that few rows pass through all that thousands would."""
    for module in ("write.compaction", "vectors.faiss_segment"):
        for name, value in {"INDEX_FLUSH_ROWS": 20, "PQ_MIN_ROWS": 50, "SEGMENT_ROWS_MAX": 120, "RESCORE_MIN": 20}.items():
            monkeypatch.setattr(f"vecsearch.stores.sqlite.{module}.{name}", value, raising=False)


@pytest.fixture
def folder(tmp_path, small):
    """Make a database with the group and a crowd around it."""
    with vecsearch.open(tmp_path / "db", model=ENCODER) as collection:
        collection.add([f"a gull {n}" for n in range(150)], ids=[f"x{n}" for n in range(150)])
        put(collection, 0)
    return tmp_path / "db"


def test_readers_see_each_change_whole_and_in_order(folder):
    with run_processes((READER, folder), (READER, folder)) as readers:
        with vecsearch.open(folder, model=ENCODER) as collection:
            for version in range(1, 60):
                put(collection, version)
                if version % 7 == 0:
                    collection.optimize(full=version % 14 == 0)
                if version % 20 == 0:
                    collection.optimize(stemmer="de" if version % 40 else "en")
        for reader in readers:
            count, newest = map(int, stop_process(reader))
            assert count > 0
            assert newest <= 59
        with vecsearch.open(folder, model=ENCODER, readonly=True) as collection:
            assert read_versions(collection) == [59] * 4
    assert is_sound(folder)


def test_writers_take_turns_while_files_are_watched_and_readers_look_on(folder):
    notes = folder.parent / "notes"
    notes.mkdir()
    (notes / "0.jsonl").write_text('{"id": "n0", "text": "a note"}\n')
    script = (
        "import sys, threading, vecsearch\n"
        "from vecsearch.interfaces.cli import file_watcher\n"
        "import tests.stores.sqlite.test_processes as t\n"
        "print('ready', flush=True)\n"
        "with vecsearch.open(sys.argv[1], model=t.ENCODER) as collection:\n"
        "    while not __import__('select').select([sys.stdin], [], [], 0.2)[0]:\n"
        "        report = collection.index([sys.argv[2]])\n"
        "        assert not report.failed, report.failed\n"
    )
    rounds = 25
    with run_processes(
        (READER, folder), (WRITER, folder, "a", rounds), (WRITER, folder, "b", rounds), (script, folder, notes)
    ) as all_:
        for n in range(1, 6):
            (notes / f"{n}.jsonl").write_text(json.dumps({"id": f"n{n}", "text": f"note number {n}"}) + "\n")
            time.sleep(0.3)
        for writer in all_[1:3]:
            assert writer.wait(timeout=60) == 0, writer.stderr.read()
        stop_process(all_[3])
        assert int(stop_process(all_[0])[0]) > 0
    with vecsearch.open(folder, model=ENCODER) as collection:
        collection.index([notes])
        ids = {document.id for document in collection.list_documents(limit=1000)}
        added_ids = {f"{name}-{n}{part}" for name in "ab" for n in range(rounds) for part in "ab"}
        deleted_ids = {f"{name}-{n - 1}a" for name in "ab" for n in range(2, rounds, 3)}
        assert {key for key in ids if key[0] in "abn"} == (added_ids - deleted_ids) | {f"n{n}" for n in range(6)}
    assert is_sound(folder)


def test_threads_share_a_collection(folder):
    """More of them than connections are kept."""
    with vecsearch.open(folder, model=ENCODER) as collection:

        def write(name):
            for n in range(8):
                collection.add([f"keel {name} {n}"], ids=[f"{name}-{n}"])

        def change(_):
            for version in range(1, 20):
                put(collection, version)

        def read(_):
            newest = 0
            for _ in range(12):
                for version in read_versions(collection):
                    assert version >= newest
                    newest = version

        with ThreadPoolExecutor(32) as pool:
            futures = [pool.submit(read, n) for n in range(24)]
            futures += [pool.submit(write, name) for name in "abcd"] + [pool.submit(change, 0)]
            for future in futures:
                future.result(timeout=120)
        assert read_versions(collection) == [19] * 4
        assert collection.count() == 150 + GROUP + 4 * 8
    assert is_sound(folder)


FORKING = """
import os, sys
import numpy as np, vecsearch
rows = np.random.default_rng(0).standard_normal((10_100, 384))
with vecsearch.open(sys.argv[1]) as collection:
    collection.add([f"row {n}" for n in range(len(rows))], vectors=rows)
    collection.add(["the tide comes in"], ids=["tide"])
    collection.optimize()
    expected = [collection.search("high water at sea", limit=1), collection.search(rows[7], limit=5)]
    for n in range(2):
        child = os.fork()
        if not child:
            right = False
            try:
                right = [collection.search("high water at sea", limit=1), collection.search(rows[7], limit=5)] == expected
                collection.add(["from the child"], ids=[f"child{n}"])
                collection.optimize()
                collection.close()
            finally:
                os._exit(0 if right else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert collection.search("high water at sea")[0].id == "tide"
    assert [document.text for document in collection.get(["child0", "child1"])] == ["from the child"] * 2
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_collection_serves_a_forked_child_too(tmp_path, threads):
    """Opened, searched by the real encoder and by codes before the fork; FAISS has as many threads, which no child inherits."""
    command, env = [sys.executable, "-c", FORKING, str(tmp_path / "db")], {**os.environ, "OMP_NUM_THREADS": str(threads)}
    result = subprocess.run(command, env=env, cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr
    assert is_sound(tmp_path / "db")


FORKING_WRITER = """
import os, sys
from pathlib import Path
import vecsearch
from vecsearch.stores.sqlite.store import SQLiteStore

store = SQLiteStore(Path(sys.argv[1]), lock_timeout=0.2)
refusals = 0

def write():
    global refusals
    try:
        with store.open_writer("default") as writer:
            writer.refresh_indexes()
    except vecsearch.DatabaseLockedError:
        refusals += 1

with store.open_writer("default") as writer:
    child = os.fork()
    if not child:
        write()
    else:
        assert os.waitpid(child, 0)[1] == 256  # one refusal in the child, whose blocks and interpreter have ended
        second = os.fork()
        if not second:
            write()
            os._exit(refusals)
        assert os.waitpid(second, 0)[1] == 256  # the lock is still the parent's
        writer.refresh_indexes()
sys.exit(refusals)
"""


def test_a_child_forked_by_a_writer_is_no_writer_and_takes_its_lock_from_nobody(folder):
    command = [sys.executable, "-c", FORKING_WRITER, str(folder)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert is_sound(folder)


HOLDER = """
import sys, time, vecsearch
from vecsearch.stores.sqlite.engine.database_folder import DatabaseFolder
from pathlib import Path
database = DatabaseFolder(Path(sys.argv[1]))
with database.hold_write_lock():
    print("ready", flush=True)
    time.sleep(60)
"""


def check_refusal(folder, holder):
    """Check that a reader does not wait, and that a writer is told who holds the lock."""
    with vecsearch.open(folder, model=ENCODER, lock_timeout=0.1) as collection:
        assert len(collection.search("gull")) == 10
        with pytest.raises(vecsearch.DatabaseLockedError, match=f"process {holder.pid} "):
            collection.add(["a keel"])


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM])
def test_a_writer_that_dies_takes_its_lock_with_it_and_the_next_is_named(folder, stop):
    for _ in range(2):
        with run_processes((HOLDER, folder)) as (holder,):
            check_refusal(folder, holder)
            holder.send_signal(stop)
            holder.wait()
            with vecsearch.open(folder, model=ENCODER, lock_timeout=5) as collection:
                collection.add(["a keel"])
    assert is_sound(folder)


@pytest.mark.parametrize("readonly", [True, False])
def test_who_has_it_open_while_a_newer_program_upgrades_it_is_told(folder, readonly):
    with vecsearch.open(folder, model=ENCODER, readonly=readonly) as collection:
        assert len(collection.search("gull")) == 10
        with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
            connection.execute("PRAGMA user_version = 999")
        with pytest.raises(vecsearch.SchemaVersionError, match="format version 999"):
            collection.search("gull")
        if not readonly:
            with pytest.raises(vecsearch.SchemaVersionError, match="format version 999"):
                collection.add(["a keel"])


def test_one_snapshot_serves_the_driver_and_sqlalchemy_whatever_others_write(folder):
    """Both ways of asking see the same state, whichever comes first, and it is over when the snapshot is."""
    with vecsearch.open(folder, model=ENCODER) as collection, vecsearch.open(folder, model=ENCODER) as other:
        before = sorted(document.id for document in collection.list_documents(limit=1000))
        with collection._store.open_snapshot(collection.name) as snapshot:
            assert isinstance(snapshot, SQLiteSnapshot)
            documents, chunks = (snapshot.count_documents(), snapshot.count_chunks())
            other.delete(before[:3])
            other.add(["a keel"], ids=["new"])
            assert snapshot.list_document_ids() == before
            counts = (snapshot.count_documents(), snapshot.count_chunks())
            assert counts == (documents, chunks) == (len(before), len(snapshot.view))
            assert list(snapshot.find_chunk_ids([before[0], "new"])) == [before[0]]
        assert sorted(document.id for document in collection.list_documents(limit=1000)) == sorted([*before[3:], "new"])


def test_a_question_that_fails_leaves_no_transaction_behind(folder):
    with vecsearch.open(folder, model=ENCODER) as collection:
        for _ in range(20):  # more than there are connections kept
            with (
                pytest.raises(ZeroDivisionError, match="division by zero"),
                collection._store.open_snapshot(collection.name) as snapshot,
            ):
                assert snapshot is not None
                snapshot.list_document_ids()
                1 / 0
        collection.add(["a keel"], ids=["new"])
        assert collection.get("new")[0].text == "a keel"
        store = collection._store
        assert isinstance(store, SQLiteStore)
        assert store.database.wal_bytes > 0
        store.database.checkpoint_wal()  # which a reader that is still there would not let happen
        assert store.database.wal_bytes == 0


def test_a_check_beside_files_that_come_and_go_finds_nothing(tmp_path):
    with vecsearch.open(tmp_path / "db", model=ENCODER) as collection:
        put(collection, 1)
    done, passing = threading.Event(), tmp_path / "db" / "index" / "passing"

    def come_and_go():
        while not done.is_set():
            passing.mkdir(0o700)
            (passing / "file").touch(0o600)
            (passing / "file").unlink()
            passing.rmdir()

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(30):
            assert is_sound(tmp_path / "db")
    finally:
        done.set()
        thread.join()
