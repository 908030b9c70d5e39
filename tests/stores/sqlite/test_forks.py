"""Children that are forked at any moment, whatever other threads do: each ends, with the right answer or a clear error."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import vecsearch
from tests.checks import is_sound
from tests.conftest import PROJECT
from tests.fakes import FakeEncoder
from tests.forking import run_in_child
from vecsearch.core import file_lock, forks
from vecsearch.encoders.auto import AutoEncoder

ENCODER = FakeEncoder()
FORKS = int(os.environ.get("VECSEARCH_TEST_FORKS", "6"))  # of each kind
WAIT_S = 60
LOCK_TIMEOUT_S = 0.5  # a thread that writes all the time leaves others little
CLEAR_ERRORS = (vecsearch.UnsafeForkError, vecsearch.DatabaseLockedError)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    for number in range(4):
        (tmp_path / "files" / f"{number}.txt").write_text(f"a buoy of number {number}")
    with vecsearch.open(tmp_path / "db", model=ENCODER) as collection:
        collection.add([f"gull number {n}" for n in range(30)], ids=[f"gull{n}" for n in range(30)])
        collection.optimize()
    return tmp_path / "db"


@contextmanager
def keep_doing(*works: Callable[[], object]) -> Iterator[None]:
    """Do each of some things again and again, in a thread of its own, until the block ends; raises what they raise."""
    stopped, errors, begun = threading.Event(), list[BaseException](), [threading.Event() for _ in works]

    def run(work: Callable[[], object], first: threading.Event) -> None:
        while not stopped.is_set():
            try:
                work()
            except BaseException as error:
                errors.append(error)
                stopped.set()
            first.set()

    threads = [threading.Thread(target=run, args=pair) for pair in zip(works, begun, strict=True)]
    for thread in threads:
        thread.start()
    try:
        for event in begun:
            assert event.wait(WAIT_S)
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
    assert errors == []


def use(collection: Any, number: int) -> list[str]:
    """Search, read and write."""
    ids = [hit.id for hit in collection.search("gull number 7", limit=1)]
    collection.upsert([f"number {number}"], ids=[f"child{number}"])
    return [*ids, collection.get(f"child{number}")[0].text]


def fork_often(collection: Any, folder: Path) -> None:
    """Fork children that use the handle of their parent, or one of their own."""
    for number in range(FORKS):

        def work(number: int = number) -> list[str]:
            if number % 2:
                return use(collection, number)
            with vecsearch.open(folder, model=ENCODER, lock_timeout=LOCK_TIMEOUT_S) as own:
                return use(own, number)

        outcome = run_in_child(work)
        assert isinstance(outcome, CLEAR_ERRORS) or outcome == ["gull7", f"number {number}"], outcome


@pytest.mark.parametrize("name", ["search", "read", "write", "index", "optimize", "open"])
def test_children_forked_while_threads_work_end(folder: Path, name: str) -> None:
    quick = vecsearch.open(folder, model=ENCODER, lock_timeout=LOCK_TIMEOUT_S)
    with quick as collection, vecsearch.open(folder, model=ENCODER) as other:

        def index() -> None:
            other.index([folder.parent / "files"])
            other.delete(source=folder.parent / "files")

        def optimize() -> None:
            other.upsert(["of a thread"], ids=["thread"])
            other.optimize()

        works: dict[str, Callable[[], object]] = {
            "search": lambda: other.search("gull number 3"),
            "read": lambda: (other.list_documents(), other.status(), other.get("gull3", include_vectors=True)),
            "write": lambda: other.upsert(["of a thread"], ids=["thread"]),
            "index": index,
            "optimize": optimize,
            "open": lambda: vecsearch.open(folder, model=ENCODER).close(),
        }
        with keep_doing(works[name], lambda: collection.search("gull number 5")):
            fork_often(collection, folder)
        assert use(collection, 99) == run_in_child(lambda: use(collection, 99)) == ["gull7", "number 99"]
    assert is_sound(folder)


def test_children_forked_while_a_thread_encodes_and_loads_the_model_end() -> None:
    name = "all-MiniLM-L6-v2"
    expected = AutoEncoder(name).encode_documents(["a gull"]).tolist()

    def work() -> Any:
        return AutoEncoder(name).encode_documents(["a gull"]).tolist()

    def load() -> object:
        forks.pause()
        return AutoEncoder(name).encode_documents(["a keel", "a gull"])

    with keep_doing(load):
        for _ in range(FORKS):
            outcome = run_in_child(work)
            assert isinstance(outcome, vecsearch.UnsafeForkError) or outcome == expected


def test_a_child_of_a_fork_that_could_not_wait_is_told_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread neither rests nor is outside the package: only the fork's patience ends."""
    monkeypatch.setattr(forks, "_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(forks, "_is_at_rest", lambda frame: False)
    with vecsearch.open(folder, model=ENCODER) as collection, keep_doing(lambda: collection.search("gull")):
        for work in (
            lambda: collection.search("gull"), lambda: collection.add(["x"]), lambda: vecsearch.open(folder, model=ENCODER),
            lambda: vecsearch.open(folder.with_name("new")), lambda: AutoEncoder("all-MiniLM-L6-v2").encode_documents(["x"]),
        ):  # fmt: skip
            outcome = run_in_child(work)
            assert isinstance(outcome, vecsearch.UnsafeForkError) and "spawn" in str(outcome), outcome
        monkeypatch.undo()
        assert run_in_child(lambda: use(collection, 1)) == ["gull7", "number 1"]
        assert len(collection.search("gull number 7", limit=1)) == 1


def test_a_child_forked_inside_a_snapshot_leaves_the_parents_connection_alone(folder: Path) -> None:
    with vecsearch.open(folder, model=ENCODER) as collection:
        with collection._open_snapshot() as snapshot:

            def work() -> Any:
                with pytest.raises(vecsearch.UnsafeForkError, match="while its parent read or wrote this database"):
                    collection.search("gull")
                return "told"

            assert run_in_child(work) == "told"
            collection.upsert(["new"], ids=["new"])
            assert snapshot.count_documents() == 30
        assert run_in_child(lambda: use(collection, 1)) == ["gull7", "number 1"]
        assert len(collection) == 32
    assert is_sound(folder)


def test_a_lock_of_a_file_ends_with_its_owner_however_long_a_child_lives(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    reading, writing = os.pipe()

    child = os.fork()
    if not child:  # takes the lock, forks a grandchild that lives on, and ends without giving the lock back
        with file_lock.hold_file_lock(path):
            if not os.fork():
                os.close(writing)
                os.read(reading, 1)
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    with file_lock.hold_file_lock(path, timeout=WAIT_S):
        pass
    os.close(writing)
    os.close(reading)


def test_locks_are_free_in_a_child_unless_its_own_thread_holds_them() -> None:
    own, other, begun, may_end = forks.make_lock(), forks.make_lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with other:
            begun.set()
            assert may_end.wait(WAIT_S)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert begun.wait(WAIT_S)

        def work() -> bool:
            with other:
                pass
            own.release()  # raises where it is not held
            return True

        with own:
            assert run_in_child(work) is True
            own.acquire()
            own.release()
    finally:
        may_end.set()
        thread.join()


def test_a_fork_waits_for_other_threads_before_it_takes_locks_that_they_may_need() -> None:
    script = """
import vecsearch.api.open, vecsearch.core.forks as forks
import logging, os, threading
from concurrent.futures import ThreadPoolExecutor

def use_locks():
    logging.getLogger("new").setLevel(logging.INFO)
    with ThreadPoolExecutor(1) as executor:
        executor.submit(len, "").result()

def wait_for_another_thread():
    if not waited:
        thread = threading.Thread(target=use_locks, daemon=True)
        thread.start()
        thread.join(20)
        waited.append(thread.is_alive())
    return False

waited = []
forks.run_before_forks(wait_for_another_thread)
if not os.fork():
    os._exit(0)
os.wait()
print(waited, flush=True)
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout == "[False]\n", done.stderr
